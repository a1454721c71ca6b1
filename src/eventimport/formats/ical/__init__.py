"""iCalendar (RFC 5545): what frab, pretalx, FOSDEM, Sched, Google, Outlook and others export."""

from typing import Final

from eventimport.formats.format import Format
from eventimport.formats.ical.reader import is_calendar, read
from eventimport.formats.ical.writer import write

ICAL: Final = Format(
    name="ical",
    title="iCalendar",
    aliases=("ics",),
    extensions=(".ics", ".zip"),
    media_type="text/calendar",
    detect=is_calendar,
    read=read,
    write=write,
)
