"""xCal: calendars in XML, by RFC 6321 and as Pentabarf, frab, pretalx and FOSDEM write them."""

from typing import Final

from eventimport.formats.format import Format
from eventimport.formats.xcal.reader import is_xcal, read
from eventimport.formats.xcal.writer import write

XCAL: Final = Format(
    name="xcal",
    title="xCal",
    extensions=(".xcal", ".xml", ".zip"),
    media_type="application/calendar+xml",
    detect=is_xcal,
    read=read,
    write=write,
)
