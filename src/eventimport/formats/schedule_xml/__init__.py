"""schedule.xml: what Pentabarf, frab, pretalx, wafer, osem, hub and FOSDEM's tools write."""

from typing import Final

from eventimport.formats.format import Format
from eventimport.formats.schedule_xml.reader import has_schedule, read
from eventimport.formats.schedule_xml.writer import write

SCHEDULE_XML: Final = Format(
    name="schedule-xml",
    title="schedule.xml",
    aliases=("pentabarf", "pentabarf-xml"),
    extensions=(".xml", ".zip"),
    media_type="application/xml",
    detect=has_schedule,
    read=read,
    write=write,
)
