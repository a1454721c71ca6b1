"""schedule.json: what frab, pretalx and hub write, by both schemas of the c3voc."""

from typing import Final

from eventimport.formats.format import Format
from eventimport.formats.schedule_json.reader import has_schedule, read
from eventimport.formats.schedule_json.writer import write

SCHEDULE_JSON: Final = Format(
    name="schedule-json",
    title="schedule.json",
    extensions=(".json", ".zip"),
    media_type="application/json",
    detect=has_schedule,
    read=read,
    write=write,
)
