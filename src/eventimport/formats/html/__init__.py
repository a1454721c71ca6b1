"""The event's page as a zip that works offline: one HTML file with its images."""

from typing import Final

from eventimport.formats.format import Format
from eventimport.formats.html.writer import write

HTML: Final = Format(
    name="html",
    title="HTML",
    extensions=(".zip",),
    media_type="application/zip",
    write=write,
)
