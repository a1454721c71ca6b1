"""Who sees which record: the one rule for the API, in all of its routes, and for pages.

Members of an event and admins see all of its records. Others see published events, and of these
what this module's conditions let through. Each condition is about one record, wherever it is
reached from. A role includes those after it: an owner may do all that an editor may.
"""

from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import ColumnElement, Text, and_, cast, exists, false, func, not_, or_, select, true

from eventimport.conference.kinds import Kind
from eventimport.conference.programme import PUBLIC_STATES
from eventimport.database.event_graph import LINKS, NODES
from eventimport.database.models import EventRole

OWNER: Final = "owner"
EDITOR: Final = "editor"
VIEWER: Final = "viewer"
ROLES: Final = (OWNER, EDITOR, VIEWER)
PUBLIC: Final = "public"
SHOWN_STATES: Final = tuple(sorted(PUBLIC_STATES))
"""States of public sessions. A session without a state is shown."""

NOT_PUBLIC: Final = ("false", "f", "no", "n", "0")
"""The values of a form field's `is_public` that make it private, also in `extra`."""

PRIVATE_COLUMNS: Final = {
    Kind.EVENT: frozenset({"email", "taken_down_at", "taken_down_reason"}),
    Kind.SESSION: frozenset({"comments", "average_rating", "rating_count"}),
    Kind.SPEAKER: frozenset(
        {
            *("email", "mobile", "gender"),
            *("heard_from", "speaking_experience", "sponsorship_required"),
        }
    ),
}
"""Columns that only the event's owner, its editors and admins see, besides `extra`."""

_EVENTS: Final = NODES[Kind.EVENT].table


@dataclass(frozen=True, slots=True)
class Viewer:
    """The client; without an id, it is not signed in. `of_deleted`: it asks for events that were
    deleted, and not for others."""

    user_id: int | None = None
    is_admin: bool = False
    of_deleted: bool = False


def owned(viewer: Viewer, event_id: ColumnElement[Any]) -> ColumnElement[bool]:
    """Whether the viewer owns the event of this id, or is an admin: may publish and delete it, and
    decide who else works on it."""
    return _has_role(viewer, event_id, OWNER)


def editable(viewer: Viewer, event_id: ColumnElement[Any]) -> ColumnElement[bool]:
    """Whether the viewer may change the event of this id, and see its private columns."""
    return _has_role(viewer, event_id, OWNER, EDITOR)


def readable(viewer: Viewer, event_id: ColumnElement[Any]) -> ColumnElement[bool]:
    """Whether the viewer may see all records of the event of this id, published or not."""
    return _has_role(viewer, event_id, *ROLES)


def _has_role(viewer: Viewer, event_id: ColumnElement[Any], *roles: str) -> ColumnElement[bool]:
    if viewer.is_admin:
        return true()
    if viewer.user_id is None:
        return false()
    return exists().where(
        EventRole.event_id == event_id,
        EventRole.user_id == viewer.user_id,
        EventRole.role.in_(roles),
    )


def event_visible(viewer: Viewer) -> ColumnElement[bool]:
    """Whether the viewer may see the event at hand, a row of `events`."""
    if viewer.of_deleted:
        return and_(_EVENTS.c.deleted_here, owned(viewer, _EVENTS.c.id))
    return and_(not_(_EVENTS.c.deleted_here), or_(published(), readable(viewer, _EVENTS.c.id)))


def published() -> ColumnElement[bool]:
    """Whether the event at hand, a row of `events`, is public. Its owner decides that, whatever
    `state` and `privacy` its source says."""
    columns = _EVENTS.c
    return and_(
        columns.published_at.is_not(None),
        columns.deleted_at.is_(None),
        columns.taken_down_at.is_(None),
    )


def withdrawn() -> ColumnElement[bool]:
    """Whether a user has deleted the event at hand, or an operator has taken it down: no link opens
    its page, and its files are not served."""
    return or_(_EVENTS.c.deleted_here, _EVENTS.c.taken_down_at.is_not(None))


def part_visible(kind: Kind, viewer: Viewer) -> ColumnElement[bool]:
    """Whether the viewer may see the row of this kind at hand, if it may see its event."""
    condition = shown(kind)
    if kind is Kind.EVENT:
        return event_visible(viewer)
    return or_(condition, readable(viewer, NODES[kind].table.c.event_id))


def shown(kind: Kind) -> ColumnElement[bool]:
    """Whether a row of this kind is as visible as its event. What is deleted is for the event's
    members, who can restore it."""
    return and_(NODES[kind].table.c.deleted_at.is_(None), _shown_unless_deleted(kind))


def _shown_unless_deleted(kind: Kind) -> ColumnElement[bool]:
    if kind is Kind.SESSION:
        return _session_shown(NODES[kind].table)
    if kind is Kind.SPEAKER:
        return _speaker_shown()
    if kind is Kind.SPEAKERS_CALL:
        return _said(NODES[kind].table.c.privacy).in_((PUBLIC, ""))
    if kind is Kind.CUSTOM_FORM:
        columns = NODES[kind].table.c
        spelled = [columns.extra[name].astext for name in ("is_public", "is-public", "isPublic")]
        said = func.coalesce(cast(columns.is_public, Text), *spelled)
        return _said(said).not_in(NOT_PUBLIC)
    return true()


def _session_shown(sessions: Any) -> ColumnElement[bool]:
    return and_(_said(sessions.c.state).in_(SHOWN_STATES), sessions.c.deleted_at.is_(None))


def _speaker_shown() -> ColumnElement[bool]:
    """A speaker with sessions is visible if at least one of them is."""
    speakers = NODES[Kind.SPEAKER].table
    links, sessions = LINKS.alias("links_of_speaker"), NODES[Kind.SESSION].table.alias("spoken_at")
    linked = select(links.c.session_id).where(links.c.speaker_id == speakers.c.id)
    seen = linked.join(sessions, sessions.c.id == links.c.session_id).where(
        _session_shown(sessions)
    )
    return or_(
        not_(linked.correlate(speakers).exists()),
        seen.correlate(speakers).exists(),
    )


def _said(column: ColumnElement[Any]) -> ColumnElement[Any]:
    return func.lower(func.btrim(func.coalesce(column, ""), " \t\r\n"))
