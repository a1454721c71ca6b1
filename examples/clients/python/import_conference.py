"""Import a conference, rename the event and save it as a calendar, with a generated client.

Usage: python import_conference.py URL FILE NAME CALENDAR
"""

import os
import sys
import time
from pathlib import Path
from typing import TypeVar
from urllib.parse import urljoin
from uuid import UUID

import httpx
from eventimport_client import AuthenticatedClient, Client
from eventimport_client.api.accounts import sign_in
from eventimport_client.api.events import get_event, update_event
from eventimport_client.api.exports import export_event
from eventimport_client.api.imports import get_task, import_event
from eventimport_client.models import (
    ArchiveUpload,
    Credentials,
    ErrorDocument,
    EventChanges,
    EventDocument,
    EventPatch,
    EventPatchData,
    ExportEventExportFormat,
    FailedTask,
    ImportEventSourceType,
    OpenTask,
    RevokedTask,
    SucceededExport,
    SucceededImport,
)
from eventimport_client.types import UNSET, File, Response, Unset

BodyT = TypeVar("BodyT")


def body_of(response: Response[BodyT | ErrorDocument]) -> BodyT:
    """Return the body of a response, or exit with the errors that the service sent."""
    if response.parsed is None or isinstance(response.parsed, ErrorDocument):
        sys.exit(f"Status {response.status_code}: {response.content.decode()}")
    return response.parsed


def follow(client: AuthenticatedClient, task_url: str) -> object:
    """Show each state of a task until it has ended, and return the task if it has succeeded."""
    task_id = UUID(task_url.rpartition("/")[2])
    etag: str | Unset = UNSET
    while True:
        response = get_task.sync_detailed(task_id, client=client, if_none_match=etag)
        # A task that has not changed since is an empty 304.
        if response.status_code != 304:
            task = body_of(response)
            print(task.state, task.progress.message or "Waiting")
            if isinstance(task, FailedTask):
                sys.exit(f"The task has failed: {task.result.to_dict()['errors']}")
            if isinstance(task, RevokedTask):
                sys.exit("The task was cancelled.")
            if not isinstance(task, OpenTask):
                return task
            etag = response.headers["ETag"]
        time.sleep(int(response.headers["Retry-After"]))


def main(url: str, file: Path, name: str, calendar: Path) -> None:
    credentials = Credentials(os.environ["EVENTIMPORT_EMAIL"], os.environ["EVENTIMPORT_PASSWORD"])
    session = body_of(sign_in.sync_detailed(client=Client(url), body=credentials))
    client = AuthenticatedClient(url, session.access_token, timeout=httpx.Timeout(60))

    with file.open("rb") as payload:
        upload = ArchiveUpload(File(payload, file.name))
        accepted = import_event.sync_detailed(
            ImportEventSourceType.AUTO, client=client, body=upload
        )
    imported = follow(client, body_of(accepted).task_url)
    if not isinstance(imported, SucceededImport) or imported.result.id is None:
        sys.exit("No event was imported.")

    read = get_event.sync_detailed(imported.result.id, client=client)
    document: EventDocument = body_of(read)
    event = document.data
    print(event.attributes.name, "starts at", event.attributes.starts_at)

    changes = EventPatchData("event", event.id, attributes=EventChanges(name=name))
    # Rejected with 412 if another client has changed the event since.
    changed = update_event.sync_detailed(
        event.id, client=client, body=EventPatch(changes), if_match=read.headers["ETag"]
    )
    print("Renamed to", body_of(changed).data.attributes.name)

    started = export_event.sync_detailed(event.id, ExportEventExportFormat.ICAL, client=client)
    exported = follow(client, body_of(started).task_url)
    if not isinstance(exported, SucceededExport):
        sys.exit("No file was exported.")
    download = httpx.get(urljoin(url, exported.result.download_url)).raise_for_status()
    calendar.write_bytes(download.content)
    print("Saved", calendar, "with", len(download.content), "bytes")


if __name__ == "__main__":
    if len(sys.argv) != 5:
        sys.exit(__doc__)
    main(sys.argv[1], Path(sys.argv[2]), sys.argv[3], Path(sys.argv[4]))
