"""Damaged sources: each ends in an event, or in an error that says why there is none."""

import io
import json
import resource
from collections import Counter
from collections.abc import Callable
from typing import Final

import pytest

from eventimport.conference.plan import make_plan, provisional_ids
from eventimport.conference.report import Report
from eventimport.formats.format import Format, ReadOptions
from eventimport.formats.limits import ArchiveError, ArchiveLimits
from eventimport.formats.source import Source

MUTANTS: Final = 150
"""Mutants of each sample."""

MEMORY: Final = 256 * 1024
"""KiB by which the mutants of a sample may raise the most that the process ever held."""


def assert_explained(read: Format, options: ReadOptions, mutant: Callable[[int], bytes]) -> None:
    """Read the mutants of a sample, of which each seed makes another."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    outcomes = Counter(_outcome(read, options, mutant, seed) for seed in range(MUTANTS))
    assert set(outcomes) == {"event", "explained"}
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < MEMORY


def _outcome(read: Format, options: ReadOptions, mutant: Callable[[int], bytes], seed: int) -> str:
    report = Report()
    try:
        with Source.open(io.BytesIO(mutant(seed)), ArchiveLimits(), report) as source:
            read.detect(source)
            conference = read.reader(source, options, report)
        if not report.errors:
            make_plan(conference, provisional_ids(conference.counts()), "a0", report)
    except ArchiveError:
        assert report.errors
    except Exception as error:  # noqa: BLE001 - told with its seed
        pytest.fail(f"seed {seed}: {error!r}")
    json.dumps(report.as_dict(), allow_nan=False)
    return "explained" if report.errors else "event"
