"""Open Event: a zip with a JSON document for each kind of record, and the media files; or a single
JSON document that has all records."""

from typing import Final

from eventimport.formats.format import Format
from eventimport.formats.openevent.layout import JSON_BEGINNINGS, has_event
from eventimport.formats.openevent.reader import read
from eventimport.formats.openevent.writer import write

OPENEVENT: Final = Format(
    name="openevent",
    title="Open Event",
    aliases=("json",),
    extensions=(".zip", ".json"),
    media_type="application/zip",
    beginnings=JSON_BEGINNINGS,
    detect=has_event,
    read=read,
    write=write,
)
