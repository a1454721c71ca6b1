"""Open Event archives: a zip with a JSON document for each kind of record, and the media files."""

from typing import Final

from eventimport.formats.format import Format
from eventimport.formats.openevent.layout import has_event
from eventimport.formats.openevent.reader import read

OPENEVENT: Final = Format(
    name="openevent",
    title="Open Event",
    aliases=("json",),
    extensions=(".zip",),
    media_type="application/zip",
    zip_only=True,
    detect=has_event,
    read=read,
)
