"""The texts that report to users how an import ended: notifications and e-mails."""

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from eventimport.conference.report import Place, times_in_words
from eventimport.observability.visible_text import is_safe

MAX_LISTED: Final = 20
"""Errors, and warnings, that a mail lists at most."""

MAX_NAME: Final = 120
MAX_LINE: Final = 500
"""Characters of a name, and of an error, that are shown."""


UNPUBLISHED: Final = "It is not published yet: sign in to see it, and to publish it."


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How an import ended. `errors` are JSON:API error objects, `warnings` findings of its report;
    both may be only the first. `error_count` and `totals` count all. `media` counts media files
    by their outcome: `MOVED`, or why they were not stored."""

    job_id: UUID
    succeeded: bool
    dry_run: bool
    file_name: str | None
    event_name: str | None
    event_url: str | None
    service_url: str
    totals: Mapping[str, int]
    media: Mapping[str, int]
    errors: Sequence[Mapping[str, Any]]
    error_count: int
    warnings: Sequence[Mapping[str, Any]] = ()
    is_published: bool = True


@dataclass(frozen=True, slots=True)
class Line:
    """An error or a warning: what is wrong, and where in the archive, "" where that is nowhere."""

    place: str
    message: str


@dataclass(frozen=True, slots=True)
class Words:
    """An e-mail's subject, which is one line, and its two bodies."""

    subject: str
    text: str
    html: str


def headline(ending: Ending) -> str:
    """How the import ended, in one line without a full stop."""
    name = one_line(ending.event_name or ending.file_name or "", MAX_NAME)
    quoted = f"“{name}”" if name else "the archive"
    if ending.succeeded:
        text = f"{quoted} can be imported" if ending.dry_run else f"{quoted} was imported"
    elif ending.dry_run:
        text = f"{quoted} cannot be imported"
    else:
        text = f"The import of {quoted} failed"
    return text[0].upper() + text[1:]


def summary(ending: Ending) -> str:
    """A few sentences: where the event is, or the first error and its place."""
    if ending.succeeded:
        findings = f"The report has {counted(ending.totals)}."
        if ending.dry_run:
            return f"This was a dry run. Nothing was imported. {findings}"
        media = media_summary(ending.media)
        access = "" if ending.is_published else f"{UNPUBLISHED} "
        return (
            f"The event is at {ending.event_url}. {access}{findings}{f' {media}' if media else ''}"
        )
    lines = error_lines(ending)
    first = f"{lines[0].place}: {lines[0].message}" if lines[0].place else lines[0].message
    if ending.error_count <= 1:
        return first
    others = plural(ending.error_count - 1, "more error")
    first = first if first.endswith((".", "!", "?", "…")) else f"{first}."
    return f"{first} There {'is' if ending.error_count == 2 else 'are'} {others}."


def words_for_mail(ending: Ending) -> Words:
    """The e-mail about it. Text from the archive is one line in it, without control characters or
    markup."""
    given = {
        "ending": ending,
        "headline": headline(ending),
        "event_name": one_line(ending.event_name or "", MAX_NAME),
        "file_name": one_line(ending.file_name or "", MAX_NAME),
        "findings": counted(ending.totals),
        "media": media_summary(ending.media),
        "unpublished": "" if ending.is_published else UNPUBLISHED,
        "errors": error_lines(ending) if not ending.succeeded else [],
        "more_errors": max(ending.error_count - len(ending.errors[:MAX_LISTED]), 0),
        "warnings": warning_lines(ending) if ending.succeeded else [],
        "more_warnings": max(ending.totals.get("warning", 0) - _occurrences(ending.warnings), 0),
    }
    return Words(
        subject=headline(ending),
        text=TEMPLATES.get_template("import_ended.txt").render(given),
        html=TEMPLATES.get_template("import_ended.html").render(given),
    )


def error_lines(ending: Ending) -> list[Line]:
    """The errors to list, at least one."""
    lines = [
        _line(error.get("meta") or {}, str(error.get("detail") or error.get("title") or ""))
        for error in ending.errors[:MAX_LISTED]
    ]
    return lines or [Line("", "The import failed.")]


def warning_lines(ending: Ending) -> list[Line]:
    """The warnings to list."""
    return [
        _line(finding, str(finding.get("message", ""))) for finding in ending.warnings[:MAX_LISTED]
    ]


def _line(finding: Mapping[str, Any], message: str) -> Line:
    place = str(Place(**{name: finding[name] for name in Place.__slots__ if name in finding}))
    # A task's error begins with its place, for those who read nothing else.
    line = one_line(message.removeprefix(f"{place}: "), MAX_LINE)
    times = one_line(times_in_words(finding), MAX_LINE)
    return Line(one_line(place, MAX_LINE), f"{line} {times}".rstrip())


def _occurrences(findings: Sequence[Mapping[str, Any]]) -> int:
    return sum(finding.get("count", 1) for finding in findings[:MAX_LISTED])


def counted(totals: Mapping[str, int]) -> str:
    """ "3 repairs and 1 warning"."""
    parts = [plural(totals.get(kind, 0), kind) for kind in ("repair", "warning", "error")]
    return " and ".join(part for part in parts if not part.startswith("0 ")) or "no findings"


def media_summary(outcomes: Mapping[str, int]) -> str:
    """ "34 of 36 media files were stored: 2 missing.", or "" if there were none."""
    total, stored = sum(outcomes.values()), outcomes.get("MOVED", 0)
    were = f"{plural(total, 'media file')} {'was' if total == 1 else 'were'} stored"
    if stored == total:
        return f"{'All ' if total > 1 else ''}{were}." if total else ""
    others = (
        f"{count:,} {outcome.lower().replace('_', ' ')}"
        for outcome, count in sorted(outcomes.items())
        if count and outcome != "MOVED"
    )
    return f"{stored:,} of {were}: {', '.join(others)}."


def plural(count: int, noun: str) -> str:
    """ "1 repair", "2,000 repairs"."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def one_line(text: str, limit: int) -> str:
    """The text without line breaks, controls and format characters, at most `limit` long."""
    shown = "".join(map(_shown, text[: limit * 4]))
    line = " ".join(shown.split())
    return line if len(line) <= limit else line[: limit - 1] + "…"


def _shown(character: str) -> str:
    """Format characters are left out: a right-to-left override makes a name look like another."""
    if is_safe(character):
        return character
    return "" if unicodedata.category(character) == "Cf" else " "


TEMPLATES = Environment(
    loader=PackageLoader("eventimport.notifications"),
    autoescape=select_autoescape(enabled_extensions=("html",)),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
)
