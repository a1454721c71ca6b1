"""Confirming an address and resetting a password, as a person does it."""

import re
import time
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect
from tests.browser.test_front_page import EMAIL, PASSWORD, assert_fits, sign_in, sign_up

NEW_PASSWORD = "lamps and ladders"
LINK = re.compile(r"http://\S+(/account/\w+#\S+)")


def newest_link(folder: Path, page: str) -> str:
    """Wait for a mail with a link to the page, and return the path of the link."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        for path in sorted(folder.glob("*.eml"), reverse=True):
            mail = message_from_bytes(path.read_bytes(), policy=policy.default)
            body = mail.get_body(("plain",))
            assert body is not None
            found = LINK.search(body.get_content())
            if found and page in found[1]:
                return found[1]
        time.sleep(0.1)
    pytest.fail(f"no mail leads to {page}")


def test_an_address_is_confirmed_and_a_password_reset(
    service: Any, open_page: Any, tmp_path: Path, viewport: str
) -> None:
    service.start_worker()
    page = open_page(viewport=viewport)
    sign_up(page)
    notice = page.get_by_role("region", name="Confirm your address")
    expect(notice).to_contain_text(f"{EMAIL} is not confirmed yet.")
    assert_fits(page)
    notice.get_by_role("button", name="Send the link again").click()
    expect(notice.get_by_role("status")).to_have_text("The mail is on its way.")

    page.goto(newest_link(tmp_path / "mails", "/account/confirm"))
    assert_fits(page)
    page.get_by_role("button", name="Confirm the address").click()
    expect(page.get_by_role("status")).to_have_text(f"{EMAIL} is confirmed.")
    page.get_by_role("link", name="front page").click()
    expect(page.get_by_role("heading", name="New import")).to_be_visible()
    expect(notice).to_be_hidden()

    page.get_by_role("button", name="Sign out").click()
    assert_fits(page)
    page.get_by_role("link", name="Forgot your password?").click()
    page.get_by_label("E-mail address").fill(EMAIL)
    assert_fits(page)
    page.get_by_role("button", name="Send the link").click()
    expect(page.get_by_role("status")).to_contain_text("If an account has this address")

    link = newest_link(tmp_path / "mails", "/account/reset")
    page.goto(link)
    page.get_by_label("New password").fill("eventimport")
    page.get_by_label("The same password again").fill("eventimport!")
    page.get_by_role("button", name="Change the password").click()
    expect(page.get_by_role("alert")).to_have_text("The two passwords differ.")
    page.get_by_label("The same password again").fill("eventimport")
    page.get_by_role("button", name="Change the password").click()
    expect(page.get_by_role("alert")).to_contain_text("easy to guess")
    assert_fits(page)
    for label in ("New password", "The same password again"):
        page.get_by_label(label).fill(NEW_PASSWORD)
    page.get_by_role("button", name="Change the password").click()
    expect(page.get_by_role("status")).to_contain_text("Your password is changed.")
    assert not page.url.endswith(link), "the used link is not in the history"

    page.goto("/")
    sign_in(page)
    expect(page.get_by_role("alert").first).to_contain_text("is wrong")
    page.get_by_label("Password").fill(NEW_PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="New import")).to_be_visible()
    assert PASSWORD != NEW_PASSWORD


def test_a_link_that_is_cut_off_says_so(open_page: Any) -> None:
    page = open_page("/account/reset")
    expect(page.get_by_role("alert")).to_contain_text("This address is incomplete.")
    page = open_page("/account/confirm#0123456789")
    page.get_by_role("button", name="Confirm the address").click()
    expect(page.get_by_role("alert")).to_contain_text("was used before or has expired")
