"""The API by hand, at /docs."""

import json
import re
from pathlib import Path
from typing import Any

import httpx
from playwright.sync_api import Locator, Page, expect

ACCOUNT = {"email": "ada@example.org", "password": "tea and cables"}
PATIENCE = 60.0


def operation(page: Page, method: str, path: str) -> Locator:
    """The unfolded panel of an operation."""
    panel = page.locator(f".opblock-{method}").filter(
        has=page.locator(f".opblock-summary-path[data-path='{path}']")
    )
    panel.locator(".opblock-summary-control").click()
    return panel


def answer_to(panel: Locator) -> dict[str, Any]:
    """What the service answers once the operation is executed."""
    panel.get_by_role("button", name="Execute").click()
    live = panel.locator(".live-responses-table")
    expect(live.locator(".response-col_status").last).to_have_text(re.compile(r"^20\d"))
    told = live.locator(".highlight-code code, .highlight-code pre").first.inner_text()
    answer: dict[str, Any] = json.loads(told)
    return answer


def test_authorise_choose_a_file_execute_and_read_the_task(
    service: Any, open_page: Any, example: Path
) -> None:
    with httpx.Client(base_url=service.url, trust_env=False, timeout=PATIENCE) as client:
        client.post("/v1/users", json=ACCOUNT).raise_for_status()
        token = client.post("/v1/auth/session", json=ACCOUNT).json()["access_token"]
        page = open_page("/docs")

        page.get_by_role("button", name="Authorize").first.click()
        dialog = page.locator(".modal-ux")
        dialog.get_by_role("textbox").fill(token)
        dialog.get_by_role("button", name="Apply credentials").click()
        dialog.get_by_role("button", name="Close").last.click()

        posting = operation(page, "post", "/v1/events/import/{source_type}")
        posting.locator("input[type=file]").set_input_files(example)
        task_url = answer_to(posting)["task_url"]
        service.start_worker()
        headers = {"Authorization": f"Bearer {token}"}
        client.get(f"{task_url}/events", headers=headers).raise_for_status()

        reading = operation(page, "get", "/v1/tasks/{task_id}")
        reading.locator("input[placeholder=task_id]").fill(task_url.split("/")[3])
        task = answer_to(reading)

    assert task["state"] == "SUCCESS"
    assert task["result"]["event_name"] == "Lantern Open 2027"
