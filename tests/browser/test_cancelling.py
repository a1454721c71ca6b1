"""Cancelling an import on the front page, by keyboard alone."""

import re
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, Response, expect
from tests.browser.test_front_page import result_of, sign_up, start_import
from tests.conftest import execute, run_apart

TASK = re.compile(r"/v1/tasks/[^/]+$")
BEGIN = (
    "UPDATE tasks SET status = 'STARTED', stage = 'media', message = 'Moving the media',"
    " done = 2, total = 9, attempt = 1, held = true"
)
"""What a worker writes that moves the media, and takes its time."""


def is_deletion(answer: Response) -> bool:
    """Whether a task was cancelled, and not just looked at meanwhile."""
    return answer.request.method == "DELETE" and TASK.search(answer.url) is not None


def cancel_by_keyboard(page: Page) -> None:
    """The section of the progress has the focus; the button is the next one to come to."""
    button = page.get_by_role("button", name="Cancel the import")
    expect(button).to_be_visible()
    page.keyboard.press("Tab")
    expect(button).to_be_focused()
    with page.expect_response(is_deletion) as answered:
        page.keyboard.press("Enter")
    assert answered.value.json()["state"] == "REVOKED"


def expect_cancelled(page: Page) -> None:
    result = result_of(page)
    expect(result).to_contain_text("Cancelled. Nothing was imported.")
    expect(result).to_be_focused()
    expect(page.get_by_role("region", name="Importing")).to_be_hidden()
    expect(page.get_by_role("button", name="Import", exact=True)).to_be_enabled()
    expect(page.locator("#import-errors")).to_be_empty()
    expect(page.get_by_role("region", name="Earlier imports")).to_contain_text("cancelled")


@pytest.mark.parametrize("begun", [False, True], ids=["waiting", "running"])
def test_an_import_is_cancelled(
    open_page: Any, example: Path, database_url: str, begun: bool
) -> None:
    page = open_page()
    sign_up(page)
    start_import(page, example)
    status = page.get_by_role("region", name="Importing").get_by_role("status")
    expect(status).to_have_text("Waiting for a worker")
    if begun:
        run_apart(execute(database_url, BEGIN))
        expect(status).to_have_text("media")

    cancel_by_keyboard(page)

    expect_cancelled(page)


def test_an_import_of_another_visit_is_cancelled(open_page: Any, example: Path) -> None:
    page = open_page()
    sign_up(page)
    start_import(page, example)
    expect(page.get_by_role("button", name="Cancel the import")).to_be_visible()
    page.reload()
    page.get_by_role("button", name="Show the import of").press("Enter")

    cancel_by_keyboard(page)

    expect_cancelled(page)


def test_an_import_that_ends_just_before_is_shown_as_it_ended(
    service: Any, open_page: Any, example: Path
) -> None:
    page = open_page()

    def be_late(route: Any) -> None:
        if route.request.method == "DELETE":
            service.start_worker()
            expect(page.get_by_role("region", name="Result")).to_be_visible(timeout=60_000)
        route.continue_()

    page.route(TASK, be_late)
    sign_up(page)
    start_import(page, example)
    with page.expect_response(is_deletion) as answered:
        page.get_by_role("button", name="Cancel the import").click()

    assert answered.value.status == 409
    expect(result_of(page)).to_contain_text("Imported. Lantern Open 2027 is ready.")
    expect(page.locator("#import-errors")).to_be_empty()
