"""pretalx: the JSON of its API and of its schedule widget."""

from typing import Final

from eventimport.formats.format import Format
from eventimport.formats.pretalx.reader import has_submissions, read

PRETALX: Final = Format(
    name="pretalx",
    title="pretalx JSON",
    extensions=(".json", ".zip"),
    media_type="application/json",
    detect=has_submissions,
    read=read,
)
