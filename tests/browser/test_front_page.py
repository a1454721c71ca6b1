"""Importing through the front page, as a person does it."""

import json
import re
import zipfile
from pathlib import Path
from typing import Any

from playwright.sync_api import Locator, Page, expect
from tests.conftest import execute, run_apart

EMAIL, PASSWORD = "ada@example.org", "tea and cables"
PATIENCE = 60_000
"""Milliseconds, for an import."""

LEAVE_ONE = (
    "UPDATE media_items SET outcome = 'NOT_STORED' WHERE id = (SELECT min(id) FROM media_items)",
    "UPDATE import_jobs SET report = jsonb_set(report, '{media,outcomes,NOT_STORED}', '1')",
)
"""An import that was ended before its last media file was stored; a user has set that one since."""


def sign_up(page: Page) -> None:
    page.get_by_label("E-mail address").fill(EMAIL)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Create an account").click()
    expect(page.get_by_role("heading", name="New import")).to_be_visible()


def sign_in(page: Page) -> None:
    page.get_by_label("E-mail address").fill(EMAIL)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_label("Password").press("Enter")


def start_import(page: Page, archive: Path) -> None:
    page.get_by_label("Schedule or archive").set_input_files(archive)
    page.get_by_role("button", name="Import", exact=True).click()


def result_of(page: Page) -> Locator:
    result = page.get_by_role("region", name="Result")
    expect(result).to_be_visible(timeout=PATIENCE)
    return result


def assert_fits(page: Page) -> None:
    """Nothing is wider than the screen."""
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def zipped(path: Path, **documents: str) -> Path:
    with zipfile.ZipFile(path, "w") as file:
        for name, text in documents.items():
            file.writestr(name, text)
    return path


def test_an_archive_becomes_a_page(
    service: Any, open_page: Any, example: Path, viewport: str
) -> None:
    page = open_page(viewport=viewport)
    sign_up(page)
    assert_fits(page)
    with page.expect_request(re.compile(r"/v1/tasks/[^/]+/events$")):
        start_import(page, example)
    progress = page.get_by_role("region", name="Importing")
    expect(progress.get_by_role("status")).to_have_text("Waiting for a worker")
    expect(progress.get_by_role("progressbar")).to_be_visible()
    assert_fits(page)

    service.start_worker()
    result = result_of(page)
    expect(result).to_contain_text("Imported. Lantern Open 2027 is ready.")
    expect(progress).to_be_hidden()
    expect(page.get_by_role("region", name="Earlier imports")).to_contain_text("Lantern Open 2027")
    assert_fits(page)

    result.get_by_role("button", name="Export the event").click()
    link = result.get_by_role("link", name="Download the file")
    expect(link).to_be_visible(timeout=PATIENCE)
    with page.expect_download() as downloading:
        link.click()
    assert zipfile.is_zipfile(downloading.value.path())
    assert_fits(page)

    result.get_by_role("link", name="View the event").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Lantern Open 2027")
    expect(page.get_by_role("heading", level=2)).to_have_text(
        ["About", "Schedule", "Speakers", "Sponsors", "Call for speakers", "Code of conduct"]
    )
    expect(page.get_by_role("main").get_by_role("article")).to_have_count(42)
    tracks = page.get_by_role("list", name="Tracks").get_by_role("listitem")
    assert tracks.count() == 6
    colours = {tracks.nth(n).evaluate("e => getComputedStyle(e).backgroundColor") for n in range(6)}
    assert len(colours) == 6, "the policy let the style through"
    assert_fits(page)


def test_missing_media_files_are_fetched(
    service: Any, open_page: Any, example: Path, database_url: str
) -> None:
    page = open_page()
    sign_up(page)
    start_import(page, example)
    service.start_worker()
    button = result_of(page).get_by_role("button", name="Fetch the missing media files")
    expect(button).to_have_count(0)
    run_apart(execute(database_url, *LEAVE_ONE))
    page.reload()
    page.get_by_role("button", name="Show the import of").press("Enter")

    with page.expect_response(re.compile("/fetch-media$")) as answered:
        button.click()

    assert answered.value.status == 202
    expect(button).to_have_count(0, timeout=PATIENCE)
    expect(result_of(page)).to_contain_text("Imported. Lantern Open 2027 is ready.")
    expect(result_of(page)).to_contain_text("1 warning")


def test_an_archive_that_fails_shows_every_error_and_its_place(
    service: Any, open_page: Any, tmp_path: Path, viewport: str
) -> None:
    archive = zipped(
        tmp_path / "broken.zip",
        event='{"id": 1, "name": "Tea", "timezone": "UTC"}',
        tracks='[{"id": 1, "name": "A"}\n {"id": 2, "name": "B"}]',
        sessions='[\n{"id": 1, "title": "T", }]',
    )
    service.start_worker()
    page = open_page(viewport=viewport)
    sign_up(page)

    start_import(page, archive)

    result = result_of(page)
    expect(result).to_contain_text("Not imported. 2 errors.")
    expect(result.get_by_role("listitem")).to_have_count(2)
    expect(result).to_contain_text("tracks, line 2, column 2")
    expect(result).to_contain_text("sessions, line 2, column")
    expect(result.get_by_role("link")).to_have_count(0)
    expect(page.get_by_role("region", name="Earlier imports")).to_contain_text("not imported")
    assert_fits(page)


def test_findings_can_be_unfolded(service: Any, open_page: Any, tmp_path: Path) -> None:
    speaker = {"id": 1, "name": "Ada", "photo": "/images/gone.jpg"}
    archive = zipped(
        tmp_path / "repaired.zip",
        event='{"id": 1, "name": "Tea", "timezone": "US / Pacific"}',
        speakers=json.dumps([speaker, speaker]),
    )
    service.start_worker()
    page = open_page()
    sign_up(page)

    start_import(page, archive)

    result = result_of(page)
    expect(result).to_contain_text("Imported. Tea is ready.")
    result.get_by_text(re.compile(r"\d+ repairs?$")).click()
    expect(result.get_by_text("event, timezone")).to_be_visible()
    expect(result.get_by_text("speakers, record 2 “Ada” (id 1)")).to_be_visible()


def test_where_events_do_not_come_through_the_page_polls(
    service: Any, open_page: Any, example: Path
) -> None:
    page = open_page()
    page.route(re.compile(r"/v1/tasks/[^/]+/events$"), lambda route: route.fulfill(status=404))
    sign_up(page)
    start_import(page, example)
    expect(page.get_by_role("region", name="Importing").get_by_role("status")).to_have_text(
        "Waiting for a worker"
    )

    service.start_worker()

    expect(result_of(page)).to_contain_text("Imported.")


def test_a_file_can_be_dropped_and_only_checked(
    service: Any, open_page: Any, tmp_path: Path
) -> None:
    archive = zipped(tmp_path / "small.zip", event='{"id": 1, "name": "Tea", "timezone": "UTC"}')
    service.start_worker()
    page = open_page()
    sign_up(page)
    dropped = page.evaluate_handle(
        """bytes => {
          const dropped = new DataTransfer();
          dropped.items.add(new File([new Uint8Array(bytes)], "small.zip"));
          return dropped;
        }""",
        list(archive.read_bytes()),
    )

    page.locator("#drop").dispatch_event("drop", {"dataTransfer": dropped})
    page.get_by_label("Dry run").check()
    page.get_by_role("button", name="Import", exact=True).click()

    result = result_of(page)
    expect(result).to_contain_text("Checked. Tea can be imported. Nothing was imported yet.")
    expect(result.get_by_role("link")).to_have_count(0)


def test_an_upload_that_is_refused_says_why(open_page: Any, tmp_path: Path) -> None:
    text = tmp_path / "notes.zip"
    text.write_text("this is no zip at all")
    page = open_page()
    sign_up(page)

    page.get_by_label("Format").select_option("Open Event")
    start_import(page, text)

    expect(page.locator("#import-errors").get_by_text("zip")).to_be_visible()
    expect(page.get_by_role("button", name="Import", exact=True)).to_be_enabled()


CALENDAR = """BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//Lantern//EN
X-WR-CALNAME:Lantern Days
BEGIN:VEVENT
UID:1@lantern.example
DTSTAMP:20270101T000000Z
DTSTART:20270501T090000
DTEND:20270501T100000
SUMMARY:Opening
END:VEVENT
END:VCALENDAR
"""


def test_a_schedule_without_a_zone_is_imported_with_that_of_the_user(
    service: Any, open_page: Any, tmp_path: Path
) -> None:
    service.start_worker()
    calendar = tmp_path / "calendar.txt"
    calendar.write_text(CALENDAR.replace("\n", "\r\n"))
    page = open_page()
    sign_up(page)
    expect(page.get_by_label("Format")).to_have_value("auto")
    expect(page.get_by_label("Time zone")).to_be_hidden()

    start_import(page, calendar)

    expect(result_of(page)).to_contain_text("Not imported.")
    expect(result_of(page)).to_contain_text("Europe/Berlin")
    page.get_by_label("Time zone").fill("Nowhere")
    page.get_by_role("button", name="Import", exact=True).click()
    expect(page.locator("#import-errors")).to_contain_text("not a known time zone")
    page.get_by_label("Time zone").fill("Europe/Berlin")
    page.get_by_label("Name of the event").fill("My Lantern")
    page.get_by_role("button", name="Import", exact=True).click()
    expect(result_of(page)).to_contain_text("My Lantern is ready.")


def test_a_wrong_password_is_told_and_signing_out_forgets(open_page: Any) -> None:
    page = open_page()
    sign_up(page)
    page.reload()
    expect(page.locator("#account-email")).to_have_text(EMAIL)

    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", name="New import")).to_be_hidden()
    page.get_by_label("E-mail address").fill(EMAIL)
    page.get_by_label("Password").fill("not the password")
    page.get_by_role("button", name="Sign in").click()

    expect(page.get_by_role("alert").first).to_contain_text(
        "The e-mail address or the password is wrong."
    )
    assert page.evaluate("sessionStorage.length") == 0


def test_a_draft_opens_for_its_owner_alone(service: Any, open_page: Any, tmp_path: Path) -> None:
    draft = '{"id": 1, "name": "Tea", "timezone": "UTC", "state": "draft"}'
    service.start_worker()
    page = open_page()
    sign_up(page)
    start_import(page, zipped(tmp_path / "draft.zip", event=draft))
    link = result_of(page).get_by_role("link", name="View the event")
    path = link.get_attribute("href")
    link.click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Tea")
    expect(page.get_by_role("complementary", name="Preview")).to_contain_text("not published")

    # The address in the mail: where one is signed in, and in a browser that knows nothing.
    page.goto(path)
    expect(page.get_by_role("heading", level=1)).to_have_text("Tea")
    stranger = open_page(path)
    expect(stranger.get_by_role("heading", level=1)).to_have_text("Event not found")
    stranger.get_by_role("link", name="Sign in to see it").click()
    sign_in(stranger)
    expect(stranger.get_by_role("heading", level=1)).to_have_text("Tea")
