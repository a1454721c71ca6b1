"""The bytes of an XML document → UTF-8 that a strict parser accepts. Each repair is reported.

Repairs never change how many lines there are, so the parser's lines are those of the source. A
document type declaration is rejected: entities and external files never reach the parser.
"""

import codecs
import html.entities
import re
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Final

from eventimport.conference.report import Check, Place, Report, Severity, go_on
from eventimport.errors import size_in_words
from eventimport.formats.bounded_json.text_stream import AS_WINDOWS
from eventimport.formats.limits import ArchiveError, ArchiveLimits

PIECE: Final = 64 * 1024
"""Bytes that are cleaned and parsed at a time."""

_HEAD: Final = 1024
"""Bytes in which a document says how it is encoded."""

_BLANK: Final = b" \t\r\n"
_CONTROLS: Final = bytes(set(range(32)) - set(b"\t\n\r"))
_NONCHARACTERS: Final = re.compile(b"\xef\xbf[\xbe\xbf]")
_DECLARATION: Final = re.compile(rb"<\?xml(?=[\s?])[^<>]{0,500}\?>")
_DECLARED: Final = re.compile(rb"encoding\s*=\s*[\"']\s*([A-Za-z0-9._:\-]{1,40})\s*[\"']")
BOMS: Final = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
    (b"<\0", "utf-16-le"),
    (b"\0<", "utf-16-be"),
)
"""What a document in an encoding begins with."""

_LATIN: Final = frozenset({"cp1252", "iso8859-1"})
_TEXT_ENCODINGS: Final = _LATIN | frozenset(
    [
        *("utf-8", "ascii", "big5", "euc_jp", "euc_kr", "gb18030", "gb2312", "gbk", "koi8-r"),
        *("koi8-u", "mac-roman", "shift_jis", "cp932", "cp949", "cp874", "cp437", "cp850"),
        *(f"cp125{number}" for number in range(9)),
        *(f"iso8859-{number}" for number in range(2, 17) if number != 12),
    ]
)
"""Encodings that a document may declare, as Python names them. Others are not even looked up: the
names of codecs include compression and quadratic ones."""

_ODD: Final = re.compile(
    rb"&(?!(?:amp|lt|gt|quot|apos);)"
    rb"(?:(?P<name>#[0-9]{1,10}|#[xX][0-9a-fA-F]{1,8}|[A-Za-z][A-Za-z0-9]{0,31});)?"
    rb"|<(?:!\[CDATA\[|!--|\?|!|(?![A-Za-z_:/\x80-\xff]))"
    rb"|\]\]>"
)
_UNUSUAL_REFERENCE: Final = re.compile(rb"&(?!amp;|lt;|gt;|quot;|apos;)").search
_UNUSUAL_TAG: Final = re.compile(rb"<(?![A-Za-z_:/\x80-\xff])").search
_ENDS: Final = {b"<![CDATA[": b"]]>", b"<!--": b"-->", b"<?": b"?>"}
_MARKUP: Final = {
    b"<": ("bare-less-than", b"&lt;"),
    b"]]>": ("cdata-end", b"]]&gt;"),
}
_ESCAPED: Final = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&apos;"}

_MESSAGES: Final = {
    "bare-ampersand": "An “&” that begins no character reference was read as text.",
    "bare-less-than": "A “<” that begins no tag was read as text.",
    "html-entity": "“&{};” is a character name of HTML. It was read as that character.",
    "control-character": "A control character, which XML does not allow, was removed.",
    "cdata-end": "“]]>” outside of a CDATA section was read as text.",
    "byte-order-mark": "The file begins with a byte order mark. It was skipped.",
    "leading-blanks": "The file has blanks before the XML declaration. They were skipped.",
}


def clean_xml(
    chunks: Iterable[bytes],
    limits: ArchiveLimits,
    report: Report,
    *,
    entry: str | None = None,
    check: Check = go_on,
) -> Iterator[bytes]:
    """The document in pieces of UTF-8, without its XML declaration. Raises ArchiveError if it has a
    document type declaration or needs too many repairs."""
    return _Cleaner(limits, report, entry, check).pieces(chunks)


class _Cleaner:
    """`_line` is the source's line at which the current piece begins; `_until` is what ends the
    CDATA section, comment or instruction in which it begins."""

    def __init__(
        self, limits: ArchiveLimits, report: Report, entry: str | None, check: Check
    ) -> None:
        self._limits = limits
        self._report = report
        self._entry = entry
        self._check = check
        self._line = 1
        self._until: bytes | None = None
        self._repairs = 0

    def pieces(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        waiting = b""
        for piece in self._begun(self._as_utf_8(chunks)):
            self._check()
            # Markup ends with “>”: so no reference, and no end of a section, is cut in two.
            cut = piece.rfind(b">") + 1
            if not cut:
                waiting += piece
                if len(waiting) > self._limits.max_record_bytes + PIECE:
                    raise too_large(self._limits, Place(self._entry, line=self._line))
                continue
            whole, waiting = waiting + piece[:cut], piece[cut:]
            yield self._clean(whole)
        if waiting:
            yield self._clean(waiting)

    def _as_utf_8(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        """The document as UTF-8, in pieces; if it says that it is UTF-8, unchanged."""
        head, rest = _head(chunks)
        encoding = self._encoding(head)
        chunks = _small(head, rest)
        if encoding == "utf-8":
            yield from chunks
            return
        errors = AS_WINDOWS if encoding in _LATIN else "replace"
        decoder = codecs.getincrementaldecoder(encoding)(errors)
        for chunk in chunks:
            yield self._transcoded(decoder.decode(chunk), encoding)
        yield self._transcoded(decoder.decode(b"", final=True), encoding)

    def _transcoded(self, text: str, encoding: str) -> bytes:
        if "\ufffd" in text:
            message = f"Some bytes are not valid in the encoding “{encoding}”. They were replaced."
            self._report.warning("bad-encoding", message, Place(self._entry))
        return text.encode("utf-8", "replace")

    def _encoding(self, head: bytes) -> str:
        for mark, encoding in BOMS:
            if head.startswith(mark):
                return encoding
        bare = head.lstrip(_BLANK)
        declaration = _DECLARATION.match(bare)
        declared = declaration and _DECLARED.search(declaration[0])
        if not declared:
            return "utf-8"
        name = declared[1].decode("ascii")
        try:
            encoding = codecs.lookup(name).name if len(name) < 20 else ""
        except LookupError:
            encoding = ""
        if encoding in {"utf-8", "ascii"}:
            return "utf-8"
        if encoding == "iso8859-1":
            # As browsers do: the two differ only in what are control characters in the first.
            return "cp1252"
        if encoding in _TEXT_ENCODINGS:
            return encoding
        message = f"The file declares the encoding “{name}”, but it was read as UTF-8."
        place = Place(self._entry, line=1)
        if encoding.startswith(("utf-16", "utf-32")):
            # A declaration that can be read byte by byte is not in UTF-16.
            self._report.repair("declared-encoding", message, place, name)
        else:
            self._report.warning("declared-encoding", message, place, name)
        return "utf-8"

    def _begun(self, pieces: Iterator[bytes]) -> Iterator[bytes]:
        """The pieces, without what stands before the root and is not content."""
        first = b""
        for piece in pieces:
            first += piece
            if len(first) >= _HEAD:
                break
        bare = first.lstrip(_BLANK)
        while bare.startswith(codecs.BOM_UTF8):
            self._note("byte-order-mark", self._line)
            bare = bare.removeprefix(codecs.BOM_UTF8).lstrip(_BLANK)
        lines = first.count(b"\n") - bare.count(b"\n")
        if declaration := _DECLARATION.match(bare):
            if first.lstrip(codecs.BOM_UTF8)[:1] != b"<":
                self._note("leading-blanks", self._line)
            lines += declaration[0].count(b"\n")
            bare = bare[declaration.end() :]
        yield b"\n" * lines + bare
        yield from pieces

    def _clean(self, piece: bytes) -> bytes:
        lines = piece.count(b"\n")
        piece = self._valid(piece)
        if len(bare := piece.translate(None, _CONTROLS)) != len(piece):
            self._note("control-character", self._line, piece, len(piece) - len(bare))
            piece = bare
        if not piece.isascii() and _NONCHARACTERS.search(piece):
            self._note("control-character", self._line)
            piece = _NONCHARACTERS.sub(b"", piece)
        if self._until is not None or _is_odd(piece):
            piece = b"".join(self._repaired(piece))
        self._line += lines
        return piece

    def _valid(self, piece: bytes) -> bytes:
        try:
            if not piece.isascii():
                piece.decode()
        except UnicodeDecodeError as error:
            line = self._line + piece.count(b"\n", 0, error.start)
            message = "Bytes that are not UTF-8 were read as Windows-1252."
            self._report.warning("bad-encoding", message, Place(self._entry, line=line))
            return piece.decode("utf-8", AS_WINDOWS).encode()
        return piece

    def _repaired(self, piece: bytes) -> Iterator[bytes]:
        """The piece with references that XML knows; sections without references are not changed."""
        position = 0
        while position < len(piece):
            if self._until is not None:
                end = piece.find(self._until, position)
                if end < 0:
                    yield piece[position:]
                    return
                end += len(self._until)
                yield piece[position:end]
                position, self._until = end, None
                continue
            found = _ODD.search(piece, position)
            if found is None:
                yield piece[position:]
                return
            yield piece[position : found.start()]
            position = found.end()
            if (opening := found[0]) in _ENDS:
                self._until = _ENDS[opening]
                yield opening
            else:
                yield self._replacement(found)

    def _replacement(self, found: re.Match[bytes]) -> bytes:
        odd = found[0]
        line = self._line + found.string.count(b"\n", 0, found.start())
        if odd == b"<!":
            following = found.string[found.end() : found.end() + 7]
            return self._declaration(odd, following, line)
        if odd in _MARKUP:
            code, text = _MARKUP[odd]
            self._note(code, line)
            return text
        return self._reference(found["name"], odd, line)

    def _declaration(self, odd: bytes, following: bytes, line: int) -> bytes:
        if following.upper() != b"DOCTYPE":
            return odd
        message = (
            "The file has a document type declaration (<!DOCTYPE>), which is not accepted, "
            "because it can define entities. Remove it."
        )
        raise ArchiveError("doctype", message, Place(self._entry, line=line))

    def _reference(self, name: bytes | None, odd: bytes, line: int) -> bytes:
        if name is None:
            self._note("bare-ampersand", line)
            return b"&amp;"
        if name.startswith(b"#"):
            return self._numbered(name, line)
        characters = html.entities.html5.get(name.decode() + ";")
        if characters is None:
            self._note("bare-ampersand", line)
            return b"&amp;" + odd[1:]
        message = _MESSAGES["html-entity"].format(name.decode())
        self._note("html-entity", line, message=message)
        return "".join(_ESCAPED.get(each, each) for each in characters).encode()

    def _numbered(self, name: bytes, line: int) -> bytes:
        digits = name.lower().removeprefix(b"#")
        number = int(b"0" + digits if digits.startswith(b"x") else digits.lstrip(b"0") or b"0", 0)
        if 0xD800 <= number < 0xE000 or number > 0x10FFFF:
            message = f"“&{name.decode()};” is not a valid character reference. It was replaced."
            self._report.warning("bad-reference", message, Place(self._entry, line=line))
            self._count(1, line)
            return "\ufffd".encode()
        if number in {0xFFFE, 0xFFFF} or (number < 32 and chr(number) not in "\t\n\r"):
            self._note("control-character", line)
            return b""
        return b"&#%d;" % number

    def _note(
        self, code: str, line: int, piece: bytes = b"", count: int = 1, message: str = ""
    ) -> None:
        if piece:
            at = next(index for index, byte in enumerate(piece) if byte in _CONTROLS)
            line += piece.count(b"\n", 0, at)
        place = Place(self._entry, line=line)
        message = message or _MESSAGES[code]
        self._report.add(Severity.REPAIR, code, message, place, count=count)
        self._count(count, line)

    def _count(self, count: int, line: int) -> None:
        self._repairs += count
        if self._repairs > self._limits.max_values:
            message = (
                f"The file needs more than {self._limits.max_values:,} repairs"
                " (MAX_VALUES). It is not XML."
            )
            raise ArchiveError("too-many-repairs", message, Place(self._entry, line=line))


def too_large(limits: ArchiveLimits, place: Place) -> ArchiveError:
    """The error that an element of the document is over the limit."""
    message = (
        "An element, a text or a comment is larger than"
        f" {size_in_words(limits.max_record_bytes)}. The limit is set by"
        " MAX_RECORD_BYTES."
    )
    return ArchiveError("record-too-large", message, place)


def _is_odd(piece: bytes) -> bool:
    """Whether there is anything but tags and the references that every XML parser knows."""
    return bool(_UNUSUAL_REFERENCE(piece) or _UNUSUAL_TAG(piece)) or b"]]>" in piece


def _head(chunks: Iterable[bytes]) -> tuple[bytes, Iterator[bytes]]:
    rest = iter(chunks)
    head = b""
    for chunk in rest:
        head += chunk
        if len(head) >= _HEAD:
            break
    return head, rest


def _small(head: bytes, rest: Iterable[bytes]) -> Iterator[bytes]:
    for chunk in chain((head,), rest):
        yield from (chunk[start : start + PIECE] for start in range(0, len(chunk), PIECE))
