"""Writing a resource: attributes, links, and the sizes of a new image."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import NoneType
from typing import Any, Final
from uuid import UUID

import anyio.to_thread
from sqlalchemy.ext.asyncio import AsyncConnection

from eventimport.conference.edits import Edit, depends_on_event, read_edit
from eventimport.conference.kinds import LEVELS, Kind
from eventimport.conference.report import Finding
from eventimport.database.event_changes import (
    change,
    create_event,
    create_part,
    event_of,
)
from eventimport.database.event_queries import Row
from eventimport.database.image_jobs import ImageOf, add_image_job, revoke_waiting
from eventimport.database.publication import DRAFT, PUBLISHED
from eventimport.errors import Problem, ProblemError, refuse
from eventimport.http import reference_api
from eventimport.http.events.linkage import (
    Linking,
    cannot_move,
    is_changeable,
    is_linked_so,
    relink,
)
from eventimport.http.events.patches import MAX_SHOWN_NAME, WriteLimits, changes_of, is_same
from eventimport.http.events.requests import changed_meanwhile
from eventimport.http.events.schema import EXTRA, READ_ONLY, ResourceType
from eventimport.http.events.serializer import attributes_of
from eventimport.imports.run import new_identifier

DERIVED: Final[Mapping[tuple[Kind, str], tuple[str, ...]]] = {
    (Kind.EVENT, "original_image_url"): (
        *("large_image_url", "thumbnail_image_url", "icon_image_url"),
    ),
    (Kind.SPEAKER, "photo_url"): (*("thumbnail_image_url", "small_image_url", "icon_image_url"),),
}
"""The columns with an image's smaller sizes, by the column of the image."""


@dataclass(slots=True)
class Written:
    """A row as it was written, and what its `meta` says: what was found, what was ignored, and the
    tasks that make the sizes of new images."""

    row: Row
    tasks: list[UUID] = field(default_factory=list)
    findings: list[dict[str, Any]] = field(default_factory=list)
    warnings: list[dict[str, Any]] = field(default_factory=list)

    def meta(self) -> dict[str, Any] | None:
        """The `meta` of the response; None if there is nothing to say."""
        said = {
            "tasks": [f"/v1/tasks/{task_id}" for task_id in self.tasks],
            "findings": self.findings,
            "warnings": self.warnings,
        }
        return {name: value for name, value in said.items() if value} or None


async def apply_patch(
    connection: AsyncConnection,
    resource: ResourceType,
    row: Row,
    data: Any,
    *,
    limits: WriteLimits,
    user_id: int,
) -> Written:
    """Change the row as `data`, the valid body of a PATCH, says.

    Raises 403, 404 or 422 for what cannot be changed so, 409 for another id, and 412 if the row has
    changed meanwhile.
    """
    if data.id != str(row["id"]):
        raise refuse(
            409,
            "id-mismatch",
            "Id mismatch",
            f"Expected id {str(row['id'])!r}, got {data.id[:50]!r}.",
            source={"pointer": "/data/id"},
        )
    written = Written(row)
    current = attributes_of(resource, row)
    check = _read(resource, data, data.attributes, current, limits, written)
    linkage = _ours_of_relationships(resource, data.relationships, written)
    event = row
    if resource.kind is not Kind.EVENT:
        needed = depends_on_event(resource.kind, check.changes)
        event = await event_of(connection, row["event_id"]) if needed else {}
    values = await check.values(row, event)
    links_changed = False
    for name, target in linkage.items():
        edge = resource.edges[name]
        if await is_linked_so(connection, edge, row, target):
            continue
        pointer = f"/data/relationships/{name}/data"
        if not is_changeable(edge):
            raise cannot_move(edge, pointer)
        written_here = await relink(
            connection, edge, row, target, how=Linking.REPLACE, pointer=pointer
        )
        values |= written_here or {}
        links_changed = links_changed or (edge.column is None and written_here is not None)
    if values or links_changed:
        written.row = await write(connection, resource, row, values, relinked=links_changed)
    _warn_of_state(resource, values, written)
    written.tasks = await _begin_sizes(connection, resource, row, written.row, user_id)
    return written


async def apply_creation(
    connection: AsyncConnection,
    resource: ResourceType,
    event: Row | None,
    data: Any,
    *,
    limits: WriteLimits,
    user_id: int,
) -> Written:
    """Make a row as `data`, the valid body of a POST, says: a part of the event, or without one an
    event of the user's. Raises 403, 404, 409 or 422 for what cannot be made so."""
    empty: Row = {EXTRA: {}}
    written = Written(empty)
    nothing = dict.fromkeys(resource.attributes)
    given = {n: v for n, v in data.attributes.items() if v is not None}
    check = _read(resource, data, given, nothing, limits, written, is_new=True)
    linkage = _ours_of_relationships(resource, data.relationships, written)
    if event is None:
        values = await check.values(empty, empty)
        if not values.get("name"):
            raise refuse(
                422,
                "no-event-name",
                "Invalid value",
                "The event has no name. Add a name to it.",
                source={"pointer": "/data/attributes/name"},
            )
        written.row = await create_event(connection, new_identifier(), values, user_id)
        _warn_of_state(resource, values, written)
    else:
        values = await check.values(empty, event)
        made = await create_part(connection, resource.node, event["id"], values)
        if made is None:
            what = f"The event already has its {resource.type}. Change it, or delete it first."
            source = {"pointer": "/data"}
            raise refuse(409, "already-exists", "Resource already exists", what, source=source)
        written.row = made
    keys: dict[str, Any] = {}
    for name, target in linkage.items():
        edge = resource.edges[name]
        pointer = f"/data/relationships/{name}/data"
        if target in (None, []):
            continue
        if not is_changeable(edge) and edge.target is not Kind.EVENT:
            raise cannot_move(edge, pointer)
        row = written.row
        keys |= await relink(connection, edge, row, target, how=Linking.ADD, pointer=pointer) or {}
    if keys:
        written.row = await write(connection, resource, written.row, keys)
    before = dict.fromkeys(written.row)
    written.tasks = await _begin_sizes(connection, resource, before, written.row, user_id)
    return written


def _read(  # noqa: PLR0917 - what a body is compared with
    resource: ResourceType,
    data: Any,
    attributes: Mapping[str, Any],
    current: Mapping[str, Any],
    limits: WriteLimits,
    written: Written,
    *,
    is_new: bool = False,
) -> "_Check":
    """The changes that these attributes and the body's `meta` ask for."""
    given = _with_meta(resource, attributes, data.meta or {}, current)
    given = _ours(resource, given, written, current, is_new=is_new)
    changes, problems = changes_of(resource, given, current, limits)
    return _Check(resource, changes, problems, limits, written)


def _warn_of_state(resource: ResourceType, values: Mapping[str, Any], written: Written) -> None:
    """Warn of a new state that does not say whether the event is public: on the reference server,
    the state decides that."""
    state, row = values.get("state"), written.row
    if resource.kind is not Kind.EVENT or state not in {DRAFT, PUBLISHED}:
        return
    is_public = row["published_at"] is not None
    if is_public is (state == PUBLISHED):
        return
    verb, now = ("unpublish", "is still") if is_public else ("publish", "is not")
    what = f"The state is stored, but the event {now} public: POST /v1/events/{row['id']}/{verb}."
    source = {"pointer": "/data/attributes/state"}
    written.warnings.append(reference_api.warning("publication-unchanged", what, source))


def _with_meta(
    resource: ResourceType,
    attributes: Mapping[str, Any],
    meta: Mapping[str, Any],
    current: Mapping[str, Any],
) -> dict[str, Any]:
    """The attributes of a body, with what its `meta` says of them. Clients of the reference server
    write the same name as an attribute, too. What a client sends back unchanged, or as null, does
    not count beside what it changes."""
    given = dict(attributes)
    for name, attribute in resource.meta.items():
        own = current[attribute.name]
        said = [given.pop(name, None), meta.get(name)]
        changed = [each for each in said if each not in (None, own)]
        if changed and given.get(attribute.name, own) == own:
            given[attribute.name] = changed[0]
    return given


def _ours(
    resource: ResourceType,
    given: Mapping[str, Any],
    written: Written,
    current: Mapping[str, Any],
    *,
    is_new: bool = False,
) -> dict[str, Any]:
    """The attributes without those that only the reference server has, which are ignored. So are
    its counters, and those of a new resource that the service itself sets."""
    known = resource.attributes
    given = {n: v for n, v in given.items() if n in known or not _is_of_document(resource, n, v)}
    ignored = [name for name in given if name not in known and name in reference_api.ATTRIBUTES]
    counters = READ_ONLY.get(resource.kind, frozenset())
    ignored += [
        name
        for name, each in known.items()
        if name in given
        and not each.writable
        and (is_new or (each.column in counters and not is_same(given[name], current[name])))
    ]
    if ignored:
        what = f"Ignored, because clients cannot set it here: {', '.join(ignored)}."
        source = {"pointer": "/data/attributes"}
        written.warnings.append(reference_api.warning("ignored-attributes", what, source))
    return {name: value for name, value in given.items() if name not in set(ignored)}


def _is_of_document(resource: ResourceType, name: str, value: Any) -> bool:
    """Whether the value is a member of the document that a client's library has put among the
    attributes: the resource's links, or a relationship without its ids."""
    if name in resource.edges or name in resource.accounts:
        return isinstance(value, dict) and value.keys() <= {"links", "meta"}
    return name in {"links", "meta"} and isinstance(value, (dict, NoneType))


def _ours_of_relationships(
    resource: ResourceType, given: Mapping[str, Any], written: Written
) -> dict[str, Any]:
    """The targets of the relationships with `data`. Those that only the reference server has are
    ignored. Raises 422 for unknown ones."""
    targets = {}
    ignored = []
    for name, members in given.items():
        if name in resource.edges:
            if "data" in members:
                targets[name] = members["data"]
        elif name in resource.accounts and isinstance(members, dict) and "data" not in members:
            continue
        elif name in reference_api.RELATIONSHIPS:
            ignored.append(name)
        else:
            what = f"Unknown relationship of {resource.type}."
            pointer = {"pointer": f"/data/relationships/{name[:MAX_SHOWN_NAME]}"}
            raise refuse(422, "invalid-value", "Invalid value", what, source=pointer)
    if ignored:
        what = f"Ignored, because clients cannot set it here: {', '.join(ignored)}."
        source = {"pointer": "/data/relationships"}
        written.warnings.append(reference_api.warning("ignored-relationships", what, source))
    return targets


@dataclass(frozen=True, slots=True)
class _Check:
    """Checks the changes of a row, by column; `problems` are those of attributes that cannot be
    written at all. What is found goes to `written`."""

    resource: ResourceType
    changes: Mapping[str, Any]
    problems: Sequence[Problem]
    limits: WriteLimits
    written: Written

    async def values(self, row: Row, event: Row) -> dict[str, Any]:
        """The values to be written, by column. A new row has no id. Raises 422."""
        kind, changes = self.resource.kind, self.changes
        is_new = "id" not in row
        if not changes and not is_new and not self.problems:
            return {}
        # In a thread: checking a long text would hold the event loop.
        markup = self.limits.markup
        edit = await anyio.to_thread.run_sync(
            lambda: read_edit(kind, changes, markup, event=event, known=row, is_new=is_new)
        )
        names = {each.column: name for name, each in self.resource.attributes.items()}
        problems = [*self.problems, *_refusals(edit.refused, names)]
        if problems:
            raise ProblemError(tuple(problems))
        self.written.findings += [_described(each, names) for each in edit.findings]
        values = _sizes_cleared(kind, changes) | edit.values
        if is_new:
            given = {name: value for name, value in values.items() if value is not None}
            values = {**LEVELS[kind].defaults, **given}
        extra = _extra_of(row, edit, changes)
        return values if extra == row[EXTRA] else {**values, EXTRA: extra}


def _sizes_cleared(kind: Kind, changes: Mapping[str, Any]) -> dict[str, None]:
    """The columns of the smaller sizes of an image that the changes replace."""
    return {
        size: None
        for (of_kind, image), sizes in DERIVED.items()
        if of_kind is kind and image in changes
        for size in sizes
    }


def _extra_of(row: Mapping[str, Any], edit: Edit, columns: Iterable[str]) -> dict[str, Any]:
    """The row's `extra` after an edit: the original of an earlier value goes with that value."""
    kept = {name: value for name, value in row[EXTRA].items() if name not in set(columns)}
    return {**kept, **edit.extra}


def _refusals(refused: Mapping[str, str], names: Mapping[str, str]) -> list[Problem]:
    return [
        Problem(
            422,
            "invalid-value",
            "Invalid value",
            what,
            {"pointer": f"/data/attributes/{names.get(column, column)}"},
        )
        for column, what in refused.items()
    ]


def _described(finding: Finding, names: Mapping[str, str]) -> dict[str, Any]:
    """A finding as `meta.findings` has it."""
    place = finding.place.field
    described: dict[str, Any] = {
        "severity": finding.severity.value,
        "code": finding.code,
        "message": finding.message,
    }
    if finding.value is not None:
        described["value"] = finding.value
    if place is not None:
        described["source"] = {"pointer": f"/data/attributes/{names.get(place, place)}"}
    return described


async def write(
    connection: AsyncConnection,
    resource: ResourceType,
    row: Row,
    values: Mapping[str, Any],
    *,
    relinked: bool = False,
) -> Row:
    """Write these columns of the row, and return it; `relinked` says that its links have changed.
    Raises 412 if it has changed meanwhile."""
    changed = await change(connection, resource.node, row, values, relinked=relinked)
    if changed is None:
        raise changed_meanwhile()
    return changed


async def _begin_sizes(
    connection: AsyncConnection, resource: ResourceType, before: Row, row: Row, user_id: int
) -> list[UUID]:
    """Make a task for each image that a change of the row has replaced, if sizes of it are missing;
    the tasks of earlier images that wait for a worker are revoked."""
    tasks = []
    for (kind, image), sizes in DERIVED.items():
        if kind is not resource.kind or row[image] == before[image]:
            continue
        event_id = row["id"] if kind is Kind.EVENT else row["event_id"]
        table = resource.node.table.name
        await revoke_waiting(connection, event_id, table, row["id"])
        if row[image] is None or all(row[name] is not None for name in sizes):
            continue
        of = ImageOf(event_id=event_id, table=table, row_id=row["id"], field=image, url=row[image])
        tasks.append(await add_image_job(connection, of, user_id=user_id))
    return tasks
