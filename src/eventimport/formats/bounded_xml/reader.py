"""Elements of an XML document, a record at a time: parsed strictly, with a bound on everything.

A document is walked by its containers, which hold an unbounded number of elements, such as the days
and rooms of a schedule. All other elements are records: they are read as a whole, and freed as soon
as the next step is asked for.
"""

import html
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from enum import Enum
from itertools import chain
from typing import Any, Final, Protocol, Self, cast

from lxml import etree

from eventimport.conference.report import Check, Place, Report, go_on
from eventimport.formats.bounded_xml.cleaning import BOMS, PIECE, clean_xml, too_large
from eventimport.formats.limits import ArchiveError, ArchiveLimits


class Element(Protocol):
    """What readers use of lxml's elements."""

    tag: str
    """With its namespace in braces, or its undeclared prefix."""
    text: str | None
    tail: str | None
    sourceline: int | None

    @property
    def attrib(self) -> Mapping[str, str]: ...
    def __len__(self) -> int: ...
    def __iter__(self) -> Iterator[Self]: ...
    def items(self) -> Sequence[tuple[str, str]]: ...
    def __getitem__(self, index: int) -> Self: ...
    def iter(self) -> Iterator[Self]: ...
    def itertext(self) -> Iterator[str]: ...
    def getparent(self) -> Self | None: ...
    def remove(self, element: Self) -> None: ...


_LIBXML2_DEPTH: Final = re.compile(r"excessive depth", re.IGNORECASE)
_ROOT: Final = re.compile(rb"(?:[^<]|<\?.*?\?>|<!--.*?-->)*+<([^\s<>/!?]++)", re.DOTALL)
_XML_ROOT: Final = re.compile(
    rb"(?:\xef\xbb\xbf|[\s\x00]|<\?.*?\?>|<!--.*?-->|<!DOCTYPE[^>\[]*(?:\[.*?\]\s*)?>)*+"
    rb"<([^\s<>/!?]++)",
    re.DOTALL | re.IGNORECASE,
)
_NO_START: Final = re.compile(r"start tag expected|document is empty", re.IGNORECASE)


class Step(Enum):
    """What a step of the walk is at. At OPEN, only the attributes of a container are known."""

    OPEN = "open"
    RECORD = "record"
    CLOSE = "close"


@dataclass(frozen=True, slots=True)
class XmlStep:
    """One step: the element, its local name, and at CLOSE the texts between its children."""

    step: Step
    element: Element
    name: str
    text: str = ""

    @property
    def line(self) -> int | None:
        """The line in the source, counted from 1."""
        return self.element.sourceline


def read_xml(
    chunks: Iterable[bytes],
    containers: Set[str],
    limits: ArchiveLimits,
    report: Report,
    *,
    entry: str | None = None,
    check: Check = go_on,
) -> Iterator[XmlStep]:
    """Walk a document. An element is a container if its local name is in `containers` and so are
    those of all elements around it; the root always is one.

    An element may be used only until the next step. Repairs are reported. Raises ArchiveError, with
    the line, if the document is not well-formed after them, or is beyond a limit.
    """
    return _XmlWalk(containers, limits, entry).steps(
        clean_xml(chunks, limits, report, entry=entry, check=check)
    )


def local_name(element: Element) -> str:
    """The element's name without its namespace or prefix."""
    return bare_name(element.tag)


def bare_name(name: str) -> str:
    """A name of an element or attribute without its namespace or prefix."""
    return name.rpartition("}")[2].rpartition(":")[2] if "}" in name or ":" in name else name


def text_of(element: Element) -> str:
    """All text in the element, that of its descendants included."""
    return (element.text or "") if not len(element) else "".join(element.itertext())


def markup_of(element: Element) -> str:
    """The content of an element as text; elements in it are markup, so the text is HTML then."""
    if not len(element):
        return element.text or ""
    inner = [etree.tostring(cast("etree._Element", child), encoding="unicode") for child in element]
    return "".join([html.escape(element.text or "", quote=False), *inner])


def root_name(beginning: bytes) -> str | None:
    """The local name of the root of a document that begins so, without parsing it. None if it is
    not XML."""
    for mark, encoding in BOMS:
        if encoding != "utf-8" and beginning.startswith(mark):
            text = beginning.decode(encoding, "replace")
            beginning = text.encode()
            break
    found = _XML_ROOT.match(beginning)
    return bare_name(found[1].decode("utf-8", "replace")) if found else None


def value_of(element: Element) -> Any:
    """All that an element says, as JSON: a text, or an object of its attributes (`@name`), its
    children by name, and its text (`#text`). Empty elements are empty texts."""
    attributes, text = element.items(), element.text or ""
    if not attributes and not len(element):
        return text
    result: dict[str, Any] = {f"@{bare_name(name)}": value for name, value in attributes}
    if len(element):
        text = "".join([text, *(child.tail or "" for child in element)])
    if text and not text.isspace():
        result["#text"] = text
    for child in element:
        name, value = local_name(child), value_of(child)
        if name not in result:
            result[name] = value
        elif isinstance(result[name], list):
            result[name].append(value)
        else:
            result[name] = [result[name], value]
    return result


class _XmlWalk:
    def __init__(self, containers: Set[str], limits: ArchiveLimits, entry: str | None) -> None:
        self._containers = containers
        self._limits = limits
        self._entry = entry
        self._open: list[tuple[Element, str]] = []
        self._texts: list[list[str]] = []
        self._closed: set[Element] = set()
        """Containers that are still in the tree, because the parser may add text after them."""
        self._pending = 0
        """Bytes since the last step."""
        self._values = 0
        """Elements since the last step, at most."""
        self._total = 0
        self._line = 1

    def steps(self, pieces: Iterable[bytes]) -> Iterator[XmlStep]:
        pieces = iter(pieces)
        first, root = self._begin(pieces)
        # Events of all elements would cost more than parsing does.
        parser = etree.XMLPullParser(
            events=("start", "end"),
            tag=[f"{{*}}{name}" for name in {*self._containers, root}],
            resolve_entities=False,
            load_dtd=False,
            no_network=True,
            huge_tree=False,
            remove_comments=True,
            remove_pis=True,
            collect_ids=False,
        )
        for piece in chain((first,), pieces):
            self._bound(piece)
            error = None
            try:
                parser.feed(piece)
            except etree.XMLSyntaxError as wrong:
                error = wrong
            for step in self._steps_so_far(parser):
                self._pending = self._values = 0
                yield step
            if error is not None:
                raise self._not_well_formed(error)
            self._line += piece.count(b"\n")
        try:
            parser.close()
        except etree.XMLSyntaxError as wrong:
            raise self._not_well_formed(wrong) from None
        yield from self._steps_so_far(parser)

    def _begin(self, pieces: Iterator[bytes]) -> tuple[bytes, str]:
        """The beginning of the document, and the local name of its root."""
        start = b""
        for piece in pieces:
            start += piece
            if found := _ROOT.match(start):
                return start, bare_name(found[1].decode("utf-8", "replace")) or "?"
            if len(start) > self._limits.max_string_length:
                break
        message = "The file is not XML: it does not begin with an element."
        raise ArchiveError("not-xml", message, Place(self._entry, line=1))

    def _bound(self, piece: bytes) -> None:
        elements = piece.count(b"<") - piece.count(b"</")
        self._pending += len(piece)
        self._values += elements
        self._total += elements
        if self._pending > self._limits.max_record_bytes + 2 * PIECE:
            raise too_large(self._limits, self._place())
        if self._values > self._limits.max_record_values + PIECE // 4:
            raise self._too_many("An element has", self._limits.max_record_values, "RECORD_")
        if self._total > self._limits.max_values:
            raise self._too_many("The file has", self._limits.max_values, "")

    def _too_many(
        self, what: str, most: int, setting: str, line: int | None = None
    ) -> ArchiveError:
        message = (
            f"{what} more than {most:,} elements and attributes. "
            f"The limit is set by MAX_{setting}VALUES."
        )
        return ArchiveError("too-many-values", message, Place(self._entry, line=line or self._line))

    def _steps_so_far(self, parser: "etree.XMLPullParser") -> Iterator[XmlStep]:
        events = cast("Iterator[tuple[str, Element]]", parser.read_events())
        for event, element in events:
            if event == "start":
                parent = element.getparent()
                if self._open:
                    if parent is not self._open[-1][0]:
                        continue
                    yield from self._records(parent, before=element)
                name = local_name(element)
                self._open.append((element, name))
                self._texts.append([])
                yield XmlStep(Step.OPEN, element, name)
            elif self._open and element is self._open[-1][0]:
                yield from self._records(element)
                _, name = self._open.pop()
                yield XmlStep(Step.CLOSE, element, name, "".join(self._texts.pop()))
                self._closed.add(element)
        if self._open:
            innermost = self._open[-1][0]
            if len(innermost):
                yield from self._records(innermost, before=innermost[-1])

    def _records(self, container: Element, before: Element | None = None) -> Iterator[XmlStep]:
        """The records of a container that are complete. The parser may still add to the last."""
        self._keep_text(container.text)
        container.text = None
        for child in container:
            if child is before:
                return
            if child in self._closed:
                self._closed.remove(child)
            else:
                self._check(child)
                yield XmlStep(Step.RECORD, child, local_name(child))
            self._keep_text(child.tail)
            container.remove(child)

    def _check(self, element: Element) -> None:
        """Check what can only be too long or too many in a large record."""
        most = self._limits.max_string_length
        if self._pending <= min(most, self._limits.max_record_values):
            return
        values = 0
        for each in element.iter():
            values += 1 + len(each.attrib)
            texts = (each.text or "", each.tail or "", *each.attrib.values())
            if max(map(len, texts)) > most:
                message = (
                    f"A text is longer than {most:,} characters. "
                    "The limit is set by MAX_TEXT_LENGTH."
                )
                place = Place(self._entry, line=each.sourceline)
                raise ArchiveError("text-too-long", message, place)
        if values > self._limits.max_record_values:
            most = self._limits.max_record_values
            raise self._too_many("An element has", most, "RECORD_", element.sourceline)

    def _keep_text(self, text: str | None) -> None:
        if text and not text.isspace():
            self._texts[-1].append(text)

    def _place(self) -> Place:
        return Place(self._entry, line=self._line)

    def _not_well_formed(self, error: etree.XMLSyntaxError) -> ArchiveError:
        line = error.lineno or self._line
        reason = str(error.msg or "").partition(", line ")[0]
        if _LIBXML2_DEPTH.search(reason):
            message = "Elements are nested more than 256 levels deep, which is not accepted."
            return ArchiveError("too-deep", message, Place(self._entry, line=line))
        if _NO_START.search(reason):
            message = "The file is not XML: it does not begin with an element."
            return ArchiveError("not-xml", message, Place(self._entry, line=line))
        message = f"The file is not well-formed XML: {reason}."
        return ArchiveError("invalid-xml", message, Place(self._entry, line=line))
