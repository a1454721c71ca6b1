"""The page of an event in a browser that runs no scripts."""

from typing import Any

import httpx
import pytest
from playwright.sync_api import expect


@pytest.fixture
def event_path(service: Any, api: httpx.Client, task_url: str) -> str:
    """The path of the example conference, imported over the API."""
    service.start_worker()
    # The stream ends with the final state: what waits for it needs no loop.
    api.get(f"{task_url}/events").raise_for_status()
    task = api.get(task_url).json()
    url: str = task["result"]["url"]
    assert url.startswith(f"{service.url}/events/"), "without FRONTEND_URL it leads here"
    return url.removeprefix(service.url)


def test_it_needs_no_scripts(open_page: Any, event_path: str, viewport: str) -> None:
    page = open_page(event_path, viewport=viewport, javascript=False)
    width = page.viewport_size["width"]

    expect(page.get_by_role("heading", level=1)).to_have_text("Lantern Open 2027")
    schedule = page.get_by_role("region", name="Schedule")
    expect(schedule.get_by_role("heading", level=3)).to_have_text(
        [
            "Thursday, 20 May 2027",
            "Friday, 21 May 2027",
            "Saturday, 22 May 2027",
            "Not scheduled yet",
        ]
    )
    first = schedule.get_by_role("article", name="Forty small servers, one large kettle")
    expect(first).to_contain_text("09:30")
    expect(first.get_by_role("link", name="Ilse Vantroyen-Okafor")).to_be_visible()
    boxes = [box.bounding_box() for box in page.get_by_role("article").all()]
    assert all(box and box["x"] >= 0 and box["x"] + box["width"] <= width for box in boxes)


def test_rooms_lie_side_by_side_where_there_is_space(open_page: Any, event_path: str) -> None:
    columns = {}
    for viewport in ("phone", "desktop"):
        page = open_page(event_path, viewport=viewport)
        rooms = page.locator(".day").first.locator(".room").all()
        columns[viewport] = len({(room.bounding_box() or {})["x"] for room in rooms})

    assert columns["phone"] == 1
    assert columns["desktop"] >= 3


def test_a_session_leads_to_its_speaker_and_back(open_page: Any, event_path: str) -> None:
    page = open_page(event_path)

    page.get_by_role("article").get_by_role("link", name="Ilse Vantroyen-Okafor").first.click()
    speaker = page.locator(".speaker:target")
    expect(speaker.get_by_role("heading", level=3)).to_have_text("Ilse Vantroyen-Okafor")
    expect(speaker).to_be_in_viewport()
    speaker.get_by_role("link", name="Forty small servers, one large kettle").click()

    expect(page.locator(".session:target")).to_contain_text("Opening keynote")


def test_the_keyboard_reaches_the_content_first(open_page: Any, event_path: str) -> None:
    page = open_page(event_path)

    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    expect(page.get_by_role("link", name="Skip to the content")).to_be_in_viewport()


def test_pictures_are_there(open_page: Any, event_path: str) -> None:
    page = open_page(event_path)
    photos = page.locator(".speaker img")

    assert photos.count() > 10
    photos.first.scroll_into_view_if_needed()
    expect(photos.first).not_to_have_js_property("naturalWidth", 0)


def is_whole(page: Any) -> bool:
    """Whether the page has our stylesheet, its own inline one, and its images."""
    display = page.locator(".facts").evaluate("node => getComputedStyle(node).display")
    track = page.locator(".tags .track").first
    colour = track.evaluate("node => getComputedStyle(node).getPropertyValue('--track')")
    photo = page.locator(".speaker img").first
    photo.scroll_into_view_if_needed()
    expect(photo).not_to_have_js_property("naturalWidth", 0)
    return bool(display == "grid" and colour)


def test_every_visit_is_styled_and_has_images(open_page: Any, event_path: str) -> None:
    page = open_page(event_path)
    assert is_whole(page)

    statuses: list[int] = []
    for visit in ("again", "reload", "new tab", "reload of the new tab"):
        if visit == "new tab":
            page = page.context.new_page()
        network = page.context.new_cdp_session(page)
        network.send("Network.enable")
        # Playwright shows the stored page's 200; this shows what came over the wire.
        network.on(
            "Network.responseReceivedExtraInfo", lambda got: statuses.append(got["statusCode"])
        )
        page.reload() if visit.startswith("reload") else page.goto(event_path)
        assert is_whole(page), visit

    assert 304 in statuses
