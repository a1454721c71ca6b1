"""Sessionize: the JSON of its API, in all views."""

from typing import Final

from eventimport.formats.format import Format
from eventimport.formats.sessionize.reader import has_sessions, read

SESSIONIZE: Final = Format(
    name="sessionize",
    title="Sessionize JSON",
    extensions=(".json", ".zip"),
    media_type="application/json",
    detect=has_sessions,
    read=read,
)
