"""What an Open Event export of this service has beyond the format, so that it is read back whole.

`meta` names the layout. Every record has its `extra` under that key, and all its other values as
they are stored: the reader (`restoring.py`) interprets none of them again. A record that has no
source id, or shares it, has another `id` here, which references use, and its own as `source-id`.
"""

from collections.abc import Mapping
from typing import Any, Final

from eventimport.conference.kinds import LEVELS, SHAPES, Kind

GENERATOR: Final = "eventimport"
LAYOUT: Final = "eventimport-1"
"""The value of `layout` in `meta`."""

EXTRA: Final = "extra"
SOURCE_ID: Final = "source-id"
NEW_ID: Final = "new-"
"""What ids begin with that the export has made up."""

NESTED: Final[Mapping[Kind, str]] = {
    Kind.EVENT_COPYRIGHT: "event-copyright",
    Kind.SPEAKERS_CALL: "speakers-call",
    Kind.SOCIAL_LINK: "social-links",
}
"""The keys of an event that hold records of other kinds."""


def key_of(column: str) -> str:
    """A column as the export spells it."""
    return column.replace("_", "-")


COLUMNS: Final[Mapping[Kind, Mapping[str, str]]] = {
    kind: {key_of(name): name for name in shape.fields} for kind, shape in SHAPES.items()
}
"""The columns of a kind by their keys."""

SHARED_IDS: Final = Kind.CUSTOM_FORM
"""The fields of a form may share the id of the form, and nothing refers to them."""

SESSIONS_OF: Final = "sessions"
"""The key under which speakers list the ids of their sessions, for site generators. It repeats what
sessions say of their speakers, and is not read."""

REFERRED_TO: Final = tuple(ref.kind for ref in LEVELS[Kind.SESSION].references)
"""The kinds that sessions refer to."""


def is_export(meta: Any) -> bool:
    """Whether the document `meta` is that of such an export."""
    return (
        isinstance(meta, dict)
        and meta.get("generator") == GENERATOR
        and meta.get("layout") == LAYOUT
    )
