"""An archive, read and planned as a worker does it."""

import io
import json
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import Final

from eventimport.conference.plan import Plan, make_plan, provisional_ids
from eventimport.conference.report import Report
from eventimport.formats.format import ReadOptions
from eventimport.formats.limits import ArchiveError, ArchiveLimits
from eventimport.formats.openevent.reader import read
from eventimport.formats.source import Source

CASE_SECONDS: Final = 60
"""A case that takes so long hangs; a good one takes a hundredth of a second."""


class HangError(Exception):
    """The case does not come to an end."""


@dataclass(frozen=True)
class Outcome:
    """A plan, or None where the report has errors that explain why there is none."""

    plan: Plan | None
    report: Report


def outcome_of(data: bytes) -> Outcome:
    """Read and plan the archive, its media included. Raises HangError, and nothing else."""
    report = Report()
    with _bounded():
        try:
            with Source.open(io.BytesIO(data), ArchiveLimits(), report) as source:
                conference = read(source, ReadOptions(), report)
                source.check_media(report)
                conference.files = source.index
        except ArchiveError:
            assert report.errors, "the archive was refused without a word"
            return Outcome(None, report)
        if report.errors:
            return Outcome(None, report)
        plan = make_plan(conference, provisional_ids(conference.counts()), "a0", report)
    return Outcome(None if report.errors else plan, report)


def check_told(report: Report) -> None:
    """What is told of a case must be storable, and name what it is about."""
    told = json.dumps(report.as_dict(), allow_nan=False, ensure_ascii=False)
    assert "\0" not in told
    told.encode()
    for finding in report.findings:
        assert finding.code
        assert finding.message


@contextmanager
def _bounded() -> Iterator[None]:
    def give_up(_signal: int, _frame: FrameType | None) -> None:
        raise HangError

    before = signal.signal(signal.SIGALRM, give_up)
    signal.alarm(CASE_SECONDS)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
