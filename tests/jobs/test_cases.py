"""Small awkward archives, imported for real: how each ends, what is reported, and what is stored.

Each case is made here, so that the tests need nothing else. Where EVENTIMPORT_CASES names the
folder of the shared cases, the archive of the same name must end the same way.
"""

import io
import json
import stat
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pytest
from PIL import Image
from tests.formats.odd_archives import INNER, with_unicode_path
from tests.formats.zip_surgery import patched, renamed, zip_bytes
from tests.jobs.conftest import Imports

EVENT: Final[dict[str, Any]] = {
    "id": 1,
    "name": "Case",
    "starts-at": "2027-03-05T09:00:00+01:00",
    "ends-at": "2027-03-06T18:00:00+01:00",
    "timezone": "Europe/Berlin",
}
SPEAKERS: Final = [{"id": 1, "name": "P"}]
CASE: Final = {"events": [{"name": "Case"}]}
ONE_SPEAKER: Final = {**CASE, "speakers": [{"name": "P", "source_id": "1"}]}
MOVED: Final = {"MOVED": 1}


def _png() -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (40, 30), "navy").save(buffer, "PNG")
    return buffer.getvalue()


PNG: Final = _png()


def _text(value: Any) -> bytes:
    return value if isinstance(value, bytes) else json.dumps(value).encode()


def _zip(
    files: dict[str, Any], *more: tuple[zipfile.ZipInfo | str, bytes], method: int = 8
) -> bytes:
    return zip_bytes([*((name, _text(value)) for name, value in files.items()), *more], method)


def _event(**values: Any) -> bytes:
    return _text({**EVENT, **{key.replace("_", "-"): value for key, value in values.items()}})


def _symlink(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.create_system = 3
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    return info


def _cp437() -> bytes:
    data = _zip({"event.json": _event(logo_url="images/Müller.png"), "images/MXller.png": PNG})
    return renamed(data, b"images/MXller.png", b"images/M\x81ller.png")


def _unicode_field() -> bytes:
    event = _event(logo_url="images/Łódź.png")
    return with_unicode_path("images/_od_.png", "images/Łódź.png", event=event, content=PNG)


def _unsupported() -> bytes:
    data = _zip({"event.json": EVENT, "images/logo.png": PNG})
    return patched(
        patched(data, "event.json", compress_type=9), "images/logo.png", compress_type=93
    )


@dataclass(frozen=True)
class Case:
    """How the import of an archive ends: `codes` are its findings' severities and codes; `rows` are
    parts of rows by table, `media` the outcomes of its media files."""

    build: Callable[[], bytes]
    codes: frozenset[tuple[str, str]] = frozenset()
    rows: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    media: dict[str, int] = field(default_factory=dict)
    status: str = "SUCCESS"
    words: tuple[str, ...] = ()


def _repair(*codes: str) -> frozenset[tuple[str, str]]:
    return frozenset(("repair", code) for code in codes)


def _warning(*codes: str) -> frozenset[tuple[str, str]]:
    return frozenset(("warning", code) for code in codes)


def _error(*codes: str) -> frozenset[tuple[str, str]]:
    return frozenset(("error", code) for code in codes)


CASES: Final[dict[str, Case]] = {
    "bom-event": Case(
        lambda: _zip({"event.json": b"\xef\xbb\xbf" + _event()}), _repair("byte-order-mark"), CASE
    ),
    "utf16-bom": Case(
        lambda: _zip({"event.json": _event().decode().encode("utf-16")}),
        _repair("json-encoding"),
    ),
    "utf16-be": Case(
        lambda: _zip({"event.json": b"\xfe\xff" + _event().decode().encode("utf-16-be")}),
        _repair("json-encoding"),
        CASE,
    ),
    "windows-1252": Case(
        lambda: _zip({"event.json": _event(name="X").replace(b'"X"', b'"Caf\xe9"')}),
        _warning("json-encoding"),
        {"events": [{"name": "Café"}]},
    ),
    "backslash-nested": Case(
        lambda: _zip(
            {
                "conf\\event.json": _event(logo_url="images/logo.png"),
                "conf\\images\\logo.png": PNG,
            }
        ),
        _repair("backslash-name"),
        CASE,
        MOVED,
    ),
    "cp437-named": Case(_cp437, _warning("name-not-utf8"), CASE, MOVED),
    "unicode-extra-field": Case(_unicode_field, frozenset(), CASE, MOVED),
    "icon-cr": Case(
        lambda: _zip(
            {
                "c/event.json": _event(logo_url="images/logo.png"),
                "c/images/logo.png": PNG,
                "c/Icon\r": b"",
            }
        ),
        frozenset(),
        CASE,
        MOVED,
    ),
    "stray-symlink": Case(
        lambda: _zip(
            {"event.json": _event(logo_url="images/logo.png"), "images/logo.png": PNG},
            (_symlink("images/latest.png"), b"logo.png"),
        ),
        _warning("not-a-file"),
        CASE,
        MOVED,
    ),
    "stray-zip": Case(
        lambda: _zip({"event.json": EVENT, "backup.zip": INNER}), _warning("unused-entry"), CASE
    ),
    "stray-traversal": Case(
        lambda: _zip({"event.json": EVENT, "../../evil.png": PNG}), _warning("unsafe-name"), CASE
    ),
    "traversal-that-a-record-asks-for": Case(
        lambda: _zip({"event.json": _event(logo_url="../../evil.png"), "../../evil.png": PNG}),
        _warning("unsafe-name") | _error("unsafe-name"),
        status="FAILURE",
        words=("leads out of the archive",),
    ),
    "entry-twice-other-bytes": Case(
        lambda: _zip({}, ("event.json", _event(name="Old")), ("event.json", _event(name="New"))),
        _warning("replaced-entry"),
        {"events": [{"name": "New"}]},
    ),
    "entry-twice-same-bytes": Case(
        lambda: _zip({}, ("event.json", _event()), ("event.json", _event())),
        _repair("duplicate-entry"),
        CASE,
    ),
    "slides-are-a-zip": Case(
        lambda: _zip(
            {
                "event.json": EVENT,
                "sessions.json": [{"id": 1, "title": "A", "slides-url": "slides/a.zip"}],
                "slides/a.zip": INNER,
            }
        ),
        frozenset(),
        CASE,
        MOVED,
    ),
    "silent-wav": Case(
        lambda: _zip(
            {
                "event.json": EVENT,
                "sessions.json": [{"id": 1, "title": "A", "audio-url": "audio/a.wav"}],
                "audio/a.wav": b"RIFF\xe4\xc6-\x00WAVEfmt " + bytes(3_000_000),
            }
        ),
        frozenset(),
        CASE,
        MOVED,
    ),
    "lzma": Case(lambda: _zip({"event.json": EVENT}, method=zipfile.ZIP_LZMA), frozenset(), CASE),
    "bzip2": Case(lambda: _zip({"event.json": EVENT}, method=zipfile.ZIP_BZIP2), frozenset(), CASE),
    "deflate64-zstd": Case(
        _unsupported,
        _error("compression-method"),
        status="FAILURE",
        words=(
            *("Deflate64, used by Windows Explorer for large files", "event.json"),
            *("Zstandard (zstd)", "images/logo.png", "Create the zip with Deflate"),
        ),
    ),
    "null-document": Case(
        lambda: _zip({"event.json": EVENT, "speakers.json": b"null"}),
        _warning("empty-document"),
        {**CASE, "speakers": []},
    ),
    "not-a-list-one-object": Case(
        lambda: _zip({"event.json": EVENT, "speakers.json": SPEAKERS[0]}),
        _repair("not-a-list"),
        ONE_SPEAKER,
    ),
    "not-a-list-wrapped": Case(
        lambda: _zip({"event.json": EVENT, "speakers.json": {"speakers": SPEAKERS}}),
        _repair("not-a-list"),
        ONE_SPEAKER,
    ),
    "not-a-list-jsonapi": Case(
        lambda: _zip(
            {
                "event.json": EVENT,
                "speakers.json": {
                    "data": [{"type": "speaker", "id": "1", "attributes": {"name": "P"}}]
                },
            }
        ),
        _repair("not-a-list", "json-api"),
        ONE_SPEAKER,
    ),
    "not-a-list-event-wrapped": Case(
        lambda: _zip({"event.json": {"event": EVENT}}), _repair("wrapped-event"), CASE
    ),
    "not-a-list-event-jsonapi": Case(
        lambda: _zip({"event.json": {"data": {"type": "event", "id": "1", "attributes": EVENT}}}),
        _repair("wrapped-event"),
        CASE,
    ),
    "doc-name-singular": Case(
        lambda: _zip({"event.json": EVENT, "speaker.json": SPEAKERS}),
        _warning("document-name"),
        ONE_SPEAKER,
    ),
    "doc-name-copy": Case(
        lambda: _zip({"event.json": EVENT, "speakers (1).json": SPEAKERS}),
        _warning("document-name"),
        ONE_SPEAKER,
    ),
    "doc-name-txt": Case(
        lambda: _zip({"event.json.txt": EVENT, "speakers.json": SPEAKERS}),
        _warning("document-name"),
        ONE_SPEAKER,
    ),
    "no-event": Case(
        lambda: _zip({"programme.json": EVENT, "readme.txt": b"x"}),
        _error("no-event"),
        status="FAILURE",
        words=("programme.json", "readme.txt"),
    ),
    "absolute": Case(lambda: _zip({"/event.json": EVENT}), _repair("absolute-name"), CASE),
    "camel-case": Case(
        lambda: _zip(
            {
                "event.json": {
                    "name": "Camel",
                    "startsAt": "2027-03-05T09:00:00+01:00",
                    "endsAt": "2027-03-06T18:00:00+01:00",
                    "timezone": "Europe/Berlin",
                    "logoUrl": "images/logo.png",
                    "locationName": "Hall",
                },
                "images/logo.png": PNG,
                "tracks.json": [{"id": 1, "name": "T", "fontColor": "#fff"}],
                "speakers.json": [
                    {"id": 1, "name": "P", "photoUrl": "images/logo.png", "shortBiography": "b"}
                ],
                "sessions.json": [
                    {
                        "id": 1,
                        "title": "A",
                        "startsAt": "2027-03-05T10:00:00+01:00",
                        "shortAbstract": "hello",
                        "trackId": 1,
                        "speakers": [1],
                    }
                ],
            }
        ),
        _repair("key-spelling"),
        {
            "events": [{"name": "Camel", "location_name": "Hall", "extra": {}}],
            "speakers": [{"short_biography": "b", "extra": {}}],
            "sessions": [{"short_abstract": "hello", "extra": {}}],
            "tracks": [{"font_color": "#fff", "extra": {}}],
        },
        {"MOVED": 2},
    ),
    "unknown-keys": Case(
        lambda: _zip(
            {
                "event.json": _event(colour_scheme="dark"),
                "sessions.json": [
                    {
                        "id": number,
                        "title": f"Talk {number}",
                        "beamer": True,
                        "start": "2027-03-05T10:00:00+01:00",
                    }
                    for number in range(5)
                ],
            }
        ),
        _warning("unknown-key") | _repair("key-spelling"),
        {
            "events": [{"extra": {"colour-scheme": "dark"}}],
            "sessions": [{"title": f"Talk {n}", "extra": {"beamer": True}} for n in range(5)],
        },
        words=("5 of the sessions have “beamer”",),
    ),
    "json-beside-images": Case(
        lambda: _zip(
            {
                "conf/json/event.json": _event(logo_url="/images/logo.png"),
                "conf/json/speakers.json": [{"id": 1, "name": "P", "photo-url": "images/p.png"}],
                "conf/images/logo.png": PNG,
                "conf/images/p.png": PNG,
            }
        ),
        frozenset(),
        ONE_SPEAKER,
        {"MOVED": 2},
    ),
    "media-path-with-folder": Case(
        lambda: _zip(
            {
                "myconf/event.json": _event(logo_url="/myconf/images/logo.png"),
                "myconf/images/logo.png": PNG,
            }
        ),
        frozenset(),
        CASE,
        MOVED,
    ),
    "damaged-file": Case(
        lambda: patched(
            _zip({"event.json": _event(logo_url="a.png"), "a.png": PNG}), "a.png", crc=1
        ),
        _warning("damaged-entry", "media-unreadable"),
        CASE,
        {"MISSING": 1},
    ),
    "copyright-logo-is-not-an-image": Case(
        lambda: _zip(
            {
                "event.json": _event(event_copyright={"holder": "H", "logo-url": "logo.png"}),
                "logo.png": b"no image",
            }
        ),
        _warning("media-not-an-image"),
        CASE,
        {"NOT_AN_IMAGE": 1},
    ),
    "encrypted-file": Case(
        lambda: patched(_zip({"event.json": EVENT, "a.png": PNG}), "a.png", flag_bits=1),
        _warning("encrypted-entry"),
        CASE,
    ),
    "two-cases-other-bytes": Case(
        lambda: _zip(
            {
                "event.json": EVENT,
                "speakers.json": [
                    {"id": 1, "name": "P", "photo-url": "images/P.PNG"},
                    {"id": 2, "name": "Q", "photo-url": "images/p.png"},
                ],
                "images/p.png": PNG,
                "images/P.PNG": PNG + b"\0",
            }
        ),
        frozenset(),
        {"speakers": [{"name": "P"}, {"name": "Q"}]},
        {"MOVED": 2},
    ),
}


def codes(report: dict[str, Any] | None) -> frozenset[tuple[str, str]]:
    """Severity and code of each finding about what was read."""
    assert report is not None
    return frozenset((finding["severity"], finding["code"]) for finding in report["findings"])


async def check(imports: Imports, case: Case, data: bytes) -> None:
    """Import the archive and compare what comes out."""
    job = await imports.run(data)
    assert job.status == case.status, job.errors
    assert codes(job.report) == case.codes
    told = json.dumps([job.errors, job.report], ensure_ascii=False)
    for word in case.words:
        assert word in told
    if case.status == "FAILURE":
        assert await imports.traces() == {}
        return
    assert job.event_id is not None
    for table, expected in case.rows.items():
        rows = await imports.rows(table, job.event_id)
        assert len(rows) == len(expected), table
        for row, values in zip(rows, expected, strict=True):
            assert {key: row[key] for key in values} == values
    assert job.report is not None
    assert job.report["media"]["outcomes"] == case.media


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
async def test_a_case_ends_as_it_should(imports: Imports, case: Case) -> None:
    await check(imports, case, case.build())


@pytest.mark.parametrize(
    "case",
    [pytest.param(case, id=name) for name, case in CASES.items() if case.codes],
)
async def test_a_strict_import_refuses_a_case_with_a_finding(imports: Imports, case: Case) -> None:
    job = await imports.run(case.build(), strict=True)
    assert job.status == "FAILURE"
    assert job.errors
    # It stops at the first stage with a finding.
    assert {error["code"] for error in job.errors} <= {code for _, code in case.codes}
    assert await imports.traces() == {}


@pytest.mark.parametrize("name", CASES)
async def test_the_shared_case_ends_the_same(imports: Imports, cases: Path, name: str) -> None:
    path = cases / f"{name}.zip"
    if not path.exists():
        pytest.skip("this case is not among the shared ones")
    await check(imports, CASES[name], path.read_bytes())
