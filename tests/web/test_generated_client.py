"""A client that openapi-python-client makes of the OpenAPI document, unedited, does the work."""

import asyncio
import importlib
import io
import json
import socket
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import uvicorn
from openapi_python_client import generate
from openapi_python_client.config import Config, ConfigFile, MetaType
from tests.formats.planning import zip_of

from eventimport.auth import Passwords
from eventimport.jobs.worker import work
from eventimport.main import create_app
from eventimport.resources import open_resources
from eventimport.settings import Settings

PACKAGE = "eventimport_client"
EMAIL, PASSWORD = "ada@example.org", "correct horse battery staple"
ARCHIVE = {
    "event": {
        "id": 7,
        "name": "Imported",
        "state": "published",
        "timezone": "Asia/Singapore",
        "starts-at": "2027-03-19T09:00:00",
    },
    "tracks": [{"id": 1, "name": "Hardware", "color": "#ff0000"}],
    "speakers": [{"id": 5, "name": "Ada", "email": "ada@example.org"}],
    "sessions": [{"id": 3, "title": "Opening", "track": {"id": 1}, "speakers": [{"id": 5}]}],
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the client's package is."""
    return tmp_path_factory.mktemp("client")


class Client:
    """The generated package."""

    def module(self, name: str) -> ModuleType:
        return importlib.import_module(f"{PACKAGE}.{name}")

    def model(self, name: str) -> Any:
        return getattr(self.module("models"), name)

    async def call(self, operation: str, *arguments: Any, **keywords: Any) -> Any:
        """Call an operation; returns what it parsed."""
        response = await self.module(f"api.{operation}").asyncio_detailed(*arguments, **keywords)
        assert response.parsed is None or type(response.parsed).__name__ != "ErrorDocument"
        return response.parsed


def answering_with_files(document: dict[str, Any]) -> Iterator[str]:
    """How the generator warns of answers that are files, whose type it leaves out."""
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            types = operation["responses"].get("200", {}).get("content", {})
            if types and not any("json" in media_type for media_type in types):
                tag = operation["tags"][0].replace(" ", "_")
                yield f"WARNING parsing {method.upper()} {path} within {tag}."


@pytest.fixture
def generated(
    openapi_document: dict[str, Any], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> Client:
    """The client, as the generator makes it."""
    document = folder / "openapi.json"
    document.write_text(json.dumps(openapi_document))
    config = Config.from_sources(
        ConfigFile(post_hooks=[]),
        meta_type=MetaType.NONE,
        document_source=document,
        file_encoding="utf-8",
        overwrite=True,
        output_path=folder / PACKAGE,
    )
    problems = generate(config=config)
    assert {problem.header for problem in problems} <= set(answering_with_files(openapi_document))
    monkeypatch.syspath_prepend(folder)
    return Client()


@pytest.fixture
async def address(settings: Settings) -> AsyncIterator[str]:
    """A server on a socket, and a worker beside it."""
    stopping = asyncio.Event()
    listener = socket.create_server(("127.0.0.1", 0))
    settings = settings.model_copy(update={"allowed_hosts": ("127.0.0.1",)})
    config = uvicorn.Config(create_app(settings), log_config=None, ws="none")
    server = uvicorn.Server(config)
    async with open_resources(settings) as resources:
        tasks = [
            asyncio.create_task(server.serve([listener])),
            asyncio.create_task(work(resources, stopping)),
        ]
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        stopping.set()
        server.should_exit = True
        await asyncio.gather(*tasks)


@pytest.mark.without_coverage
# arq closes its connections in a way that redis-py has a newer name for.
@pytest.mark.filterwarnings("ignore:Call to deprecated close:DeprecationWarning")
async def test_from_sign_in_to_a_new_name(generated: Client, address: str, make_user: Any) -> None:
    await make_user(email=EMAIL, password_hash=await Passwords().hash(PASSWORD))
    anonymous = generated.module("client").Client(base_url=address)
    session = await generated.call(
        "accounts.sign_in",
        client=anonymous,
        body=generated.model("Credentials")(email=EMAIL, password=PASSWORD),
    )
    client = generated.module("client").AuthenticatedClient(
        base_url=address, token=session.access_token
    )

    file = generated.module("types").File(
        io.BytesIO(zip_of(ARCHIVE)), file_name="archive.zip", mime_type="application/zip"
    )
    accepted = await generated.call(
        "imports.import_event",
        generated.model("ImportEventSourceType").JSON,
        client=client,
        publish=True,
        body=generated.model("ArchiveUpload")(file=file),
    )
    task = await ended(generated, client, accepted.task_url.split("/")[3])
    assert task.state == "SUCCESS"
    assert type(task.result).__name__ == "ImportResult"

    document = await generated.call(
        "events.get_event", task.result.identifier, client=client, include="sessions.speakers"
    )
    event = document.data
    assert (event.id, event.attributes.name) == (task.result.id, "Imported")
    assert event.attributes.starts_at.isoformat() == "2027-03-19T01:00:00+00:00"
    titles = {
        type(resource).__name__: getattr(resource.attributes, "title", None)
        or resource.attributes.name
        for resource in document.included
    }
    assert titles == {"SessionResource": "Opening", "SpeakerResource": "Ada"}

    patch = generated.model("EventPatch")(
        data=generated.model("EventPatchData")(
            type_="event",
            id=event.id,
            attributes=generated.model("EventChanges")(name="Renamed"),
        )
    )
    changed = await generated.call("events.update_event", event.id, client=client, body=patch)
    assert changed.data.attributes.name == "Renamed"
    # The event is published: one need not be signed in to read it.
    public = await generated.call("events.list_events", client=anonymous, filtername="rename")
    assert [found.attributes.name for found in public.data] == ["Renamed"]
    await client.get_async_httpx_client().aclose()
    await anonymous.get_async_httpx_client().aclose()


async def ended(generated: Client, client: Any, task_id: str) -> Any:
    """Poll the task until it has ended."""
    async with asyncio.timeout(60):
        while True:
            task = await generated.call("imports.get_task", task_id, client=client)
            if task.state not in ("PENDING", "STARTED"):
                return task
            await asyncio.sleep(0.05)
