"""Take the README's screenshots of the front page and of an event, with Chromium.

`make dev` must run; the script imports the example conference there. With `make dev PORT=8001`:

    python scripts/screenshots.py http://127.0.0.1:8001
"""

import os
import shutil
import sys
import tempfile
from io import BytesIO
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, expect, sync_playwright

from eventimport.cli.example_archive import write_archive

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "docs" / "images"
WIDTH, HEIGHT = 960, 960
COLOURS = 128
PATIENCE = 120_000
"""Milliseconds to wait for the import."""


def save(page: Page, name: str) -> None:
    """Write what the page shows, with few colours, so that the file is small."""
    shown = Image.open(BytesIO(page.screenshot()))
    FOLDER.mkdir(parents=True, exist_ok=True)
    shown.convert("RGB").quantize(COLOURS).save(FOLDER / name, optimize=True)


def take(page: Page, url: str) -> None:
    """Import the example conference, and look at it."""
    page.goto(url)
    page.get_by_label("E-mail address").fill("demo@example.org")
    page.get_by_label("Password").fill("demo-password")
    page.get_by_role("button", name="Sign in").click()
    with tempfile.TemporaryDirectory() as folder:
        archive = Path(folder, "lantern-open-2027.zip")
        write_archive(ROOT / "examples" / "lantern-open-2027", archive)
        page.get_by_label("Schedule or archive").set_input_files(archive)
        page.get_by_role("button", name="Import", exact=True).click()
        link = page.get_by_role("link", name="View the event")
        expect(link).to_be_visible(timeout=PATIENCE)
    page.evaluate("scrollTo(0, 0)")
    save(page, "front-page.png")
    link.click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Lantern Open 2027")
    page.wait_for_load_state("networkidle")
    save(page, "event-page.png")


def main(url: str) -> None:
    """Take both."""
    found = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        take(browser.new_page(viewport={"width": WIDTH, "height": HEIGHT}), url.rstrip("/"))
        browser.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
