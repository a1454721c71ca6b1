"""Each kind of bad archive is a FAILURE that names the place, and leaves nothing but its report."""

import asyncio

import pytest
from tests.formats.bad_archives import BAD_ARCHIVES, BadArchive
from tests.jobs.conftest import Imports
from tests.jobs.test_import_event import ARCHIVE

from eventimport.imports.run import run_import
from eventimport.settings import Settings


@pytest.mark.parametrize("bad", BAD_ARCHIVES.values(), ids=BAD_ARCHIVES)
async def test_a_bad_archive_fails_with_its_place(
    imports: Imports,
    bad: BadArchive,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(Settings, "archive_limits", property(lambda _: bad.limits))
    job = await imports.run(bad.build())
    assert job.status == "FAILURE"
    assert job.errors
    found = [error for error in job.errors if error["code"] == bad.code]
    assert found, [error["code"] for error in job.errors]
    assert found[0]["status"] == "422"
    if bad.entry is not None:
        assert bad.entry in {error["meta"].get("entry") for error in found}
    if bad.line is not None:
        places = {(error["meta"].get("line"), error["meta"].get("column")) for error in found}
        assert (bad.line, bad.column) in places or bad.column is None
        assert bad.line in {line for line, _ in places}
    if bad.record is not None:
        assert bad.record in {error["meta"].get("record") for error in found}
    assert await imports.traces() == {}
    (line,) = [each for each in caplog.messages if "failed with" in each]
    assert str(job.id) in line
    assert bad.code in line


async def test_bad_archives_do_not_disturb_a_good_one(imports: Imports) -> None:
    bad = [await imports.accept(case.build()) for case in list(BAD_ARCHIVES.values())[:8]]
    good = await imports.accept(ARCHIVE)
    await asyncio.gather(*(run_import(imports.resources, job_id) for job_id in [*bad, good]))
    assert (await imports.job(good)).status == "SUCCESS"
    assert len(await imports.rows("events")) == 1
