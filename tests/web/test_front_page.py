"""The front page's answer, and the files that pages load. What they do in a browser is tested in
one: tests/browser."""

import re
from typing import Any

import httpx
import pytest

from eventimport.pages.front import FOLDER


async def test_it_runs_our_scripts_and_no_others(client: httpx.AsyncClient) -> None:
    page = await client.get("/")
    policy = page.headers["content-security-policy"]

    assert page.status_code == 200
    assert "script-src 'self';" in f"{policy};"
    assert "unsafe" not in policy
    assert "default-src 'none'" in policy
    assert not re.search(r"<script(?![^>]*src=)|<style|\son\w+=|\sstyle=", page.text)


@pytest.mark.parametrize("enabled", [True, False])
async def test_accounts_are_offered_where_one_can_be_made(
    start_service: Any, enabled: bool
) -> None:
    service = await start_service(sign_up_enabled=enabled)

    page = await (await service.client()).get("/")

    assert ("Create an account" in page.text) is enabled


async def test_every_input_has_a_label(client: httpx.AsyncClient) -> None:
    page = (await client.get("/")).text
    inputs = re.findall(r'<input id="([^"]+)"', page)

    assert len(inputs) == page.count("<input") >= 4
    assert all(f'<label for="{name}"' in page for name in inputs)


async def test_what_pages_and_scripts_refer_to_is_served(client: httpx.AsyncClient) -> None:
    pages = [(await client.get(path)).text for path in ("/", "/events/nowhere", "/account/reset")]
    wanted = set(re.findall(r'(?:href|src)="(/static/[^"]+)"', "".join(pages)))
    seen: dict[str, httpx.Response] = {}
    while wanted - seen.keys():
        path = (wanted - seen.keys()).pop()
        seen[path] = await client.get(path)
        wanted |= {f"/static/{name}" for name in re.findall(r'from "\./([^"]+)"', seen[path].text)}

    assert {path.removeprefix("/static/") for path in seen} == {
        path.name for path in FOLDER.iterdir()
    }
    assert {response.status_code for response in seen.values()} == {200}
    assert {response.headers["content-type"].split(";")[0] for response in seen.values()} == {
        "text/css",
        "text/javascript",
        "image/svg+xml",
    }


async def test_scripts_make_no_markup_of_what_they_are_told() -> None:
    scripts = [path.read_text() for path in FOLDER.glob("*.js")]

    assert len(scripts) > 5
    assert not [text for text in scripts if re.search(r"innerHTML|insertAdjacent|\beval\b", text)]


async def test_a_file_is_sent_once(client: httpx.AsyncClient) -> None:
    first = await client.get("/static/pages.css")
    again = await client.get("/static/pages.css", headers={"If-None-Match": first.headers["etag"]})

    assert first.headers["cache-control"] == "no-cache"
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize("name", ["nothing.css", "..%2Fassets.py", "%00"])
async def test_other_files_are_not_served(client: httpx.AsyncClient, name: str) -> None:
    assert (await client.get(f"/static/{name}")).status_code == 404
