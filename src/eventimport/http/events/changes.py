"""Writing a resource: attributes, links, and the sizes of a new image."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from types import NoneType
from typing import Any, Final
from uuid import UUID

import anyio.to_thread
from sqlalchemy.ext.asyncio import AsyncConnection

from eventimport.conference.edits import depends_on_event, read_edit
from eventimport.conference.kinds import LEVELS, Kind
from eventimport.conference.report import Finding
from eventimport.database.event_changes import (
    add_links,
    add_pointers,
    change,
    create_event,
    create_part,
    event_of,
    remove_links,
    remove_pointers,
    replace_links,
    replace_pointers,
    strangers,
)
from eventimport.database.event_graph import Edge
from eventimport.database.event_queries import LINK_BYTES, ByteBudget, Row, TooLargeError, follow
from eventimport.database.image_jobs import ImageOf, add_image_job, revoke_waiting
from eventimport.database.publication import DRAFT, PUBLISHED
from eventimport.database.visibility import Viewer
from eventimport.errors import Problem, ProblemError, refuse
from eventimport.http import reference_api
from eventimport.http.events.patches import (
    DERIVED,
    MAX_LINKS,
    MAX_SHOWN_NAME,
    WriteLimits,
    changes_of,
    extra_of,
    is_changeable,
    is_same,
    sizes_cleared,
)
from eventimport.http.events.requests import changed_meanwhile, parse_id
from eventimport.http.events.schema import EXTRA, READ_ONLY, TYPES, ResourceType, kebab
from eventimport.http.events.serializer import attributes_of
from eventimport.imports.run import new_identifier
from eventimport.observability import logs
from eventimport.observability.tracing import current_parent


class Linking(Enum):
    """What to do with the resources that a request names."""

    REPLACE = auto()
    ADD = auto()
    REMOVE = auto()


@dataclass(slots=True)
class Written:
    """A row as it was written, and what its `meta` says: what was found, and what was ignored."""

    row: Row
    findings: list[dict[str, Any]] = field(default_factory=list)
    warnings: list[dict[str, Any]] = field(default_factory=list)

    def meta(self, tasks: Sequence[UUID] = ()) -> dict[str, Any] | None:
        """The `meta` of the response; None if there is nothing to say."""
        said = {
            "tasks": [f"/v1/tasks/{task_id}" for task_id in tasks],
            "findings": self.findings,
            "warnings": self.warnings,
        }
        return {name: value for name, value in said.items() if value} or None


async def apply_patch(
    connection: AsyncConnection, resource: ResourceType, row: Row, data: Any, limits: WriteLimits
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
    given = _with_meta(resource, data.attributes, data.meta or {}, current)
    given = _ours(resource, given, written, current)
    linkage = _ours_of_relationships(resource, data.relationships, written)
    changes, problems = changes_of(resource, given, current, limits)
    event = row
    if resource.kind is not Kind.EVENT:
        needed = depends_on_event(resource.kind, changes)
        event = await event_of(connection, row["event_id"]) if needed else {}
    check = _Check(resource, changes, problems, limits, written)
    values = await check.values(row, event)
    links_changed = False
    for name, target in linkage.items():
        edge = resource.edges[name]
        if await _is_linked_so(connection, edge, row, target):
            continue
        if not is_changeable(edge):
            raise _read_only(edge)
        pointer = f"/data/relationships/{name}/data"
        values |= await relink(connection, edge, row, target, how=Linking.REPLACE, pointer=pointer)
        links_changed = links_changed or edge.column is None
    if values or links_changed:
        written.row = await write(connection, resource, row, values, relinked=links_changed)
    _warn_of_state(resource, values, written)
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
    given = _with_meta(resource, given, data.meta or {}, nothing)
    given = _ours(resource, given, written, nothing, is_new=True)
    linkage = _ours_of_relationships(resource, data.relationships, written)
    changes, problems = changes_of(resource, given, nothing, limits)
    check = _Check(resource, changes, problems, limits, written)
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
            raise refuse(409, "already-exists", "Resource already exists", what)
        written.row = made
    keys: dict[str, Any] = {}
    for name, target in linkage.items():
        edge = resource.edges[name]
        pointer = f"/data/relationships/{name}/data"
        if target in (None, []):
            continue
        if not is_changeable(edge) and edge.target is not Kind.EVENT:
            raise _read_only(edge)
        row = written.row
        keys |= await relink(connection, edge, row, target, how=Linking.ADD, pointer=pointer)
    if keys:
        written.row = await write(connection, resource, written.row, keys)
    return written


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
        elif name in reference_api.RELATIONSHIPS:
            ignored.append(name)
        else:
            what = f"Unknown relationship of {resource.type}."
            pointer = {"pointer": f"/data/relationships/{name[:MAX_SHOWN_NAME]}"}
            raise refuse(422, "invalid-value", "Invalid value", what, source=pointer)
    if ignored:
        what = f"Ignored, because the service does not store it: {', '.join(ignored)}."
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
        values = sizes_cleared(kind, changes) | edit.values
        if is_new:
            given = {name: value for name, value in values.items() if value is not None}
            values = {**LEVELS[kind].defaults, **given}
        extra = extra_of(row, edit, changes)
        return values if extra == row[EXTRA] else {**values, EXTRA: extra}


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


async def _is_linked_so(connection: AsyncConnection, edge: Edge, row: Row, data: Any) -> bool:
    """Whether the row is linked with what `data` names, and nothing else."""
    given = data if isinstance(data, list) else [data] if data is not None else []
    enough = ByteBudget(MAX_LINKS * LINK_BYTES)
    try:
        linked = await follow(connection, edge, [row], Viewer(is_admin=True), enough)
    except TooLargeError:
        return False
    return {each.id for each in given} == set(map(str, linked.get(row["id"], ())))


def _read_only(edge: Edge) -> ProblemError:
    name = kebab(edge.name)
    what = "A resource cannot move to another event."
    if edge.source is Kind.EVENT:
        what += f" Make and delete {name} instead."
    pointer = {"pointer": f"/data/relationships/{name}/data"}
    return refuse(403, "forbidden", "Not allowed", what, source=pointer)


_LINKED: Final = {
    Linking.REPLACE: replace_links,
    Linking.ADD: add_links,
    Linking.REMOVE: remove_links,
}
_POINTED: Final = {
    Linking.REPLACE: replace_pointers,
    Linking.ADD: add_pointers,
    Linking.REMOVE: remove_pointers,
}
"""For edges whose targets' own rows say what they are linked with."""


async def relink(
    connection: AsyncConnection,
    edge: Edge,
    row: Row,
    data: Any,
    *,
    how: Linking,
    pointer: str,
) -> dict[str, Any]:
    """Link the row with what `data`, valid linkage, names. Returns what is to be written to the
    row itself. Raises 404 for what is not in the row's event, 403 for another event."""
    if edge.target is Kind.EVENT:
        _check_event(row, data, pointer)
        return {}
    if edge.source is Kind.EVENT:
        raise _read_only(edge)
    given = data if isinstance(data, list) else [data] if data is not None else []
    ids = [parse_id(target.id) for target in given]
    known = {number for number in ids if number is not None}
    # What is taken away need not be there.
    if ids and how is not Linking.REMOVE:
        unknown = await strangers(connection, edge, row["event_id"], known)
        _refuse_strangers(edge, ids, unknown, pointer)
    if edge.column is not None:
        return {edge.column: ids[0] if ids else None}
    act = (_LINKED if edge.linked else _POINTED)[how]
    await act(connection, edge, row["id"], known)
    return {}


def _check_event(row: Row, data: Any, pointer: str) -> None:
    if data is None or data.id != str(row["event_id"]):
        raise refuse(
            403,
            "forbidden",
            "Not allowed",
            "A resource cannot move to another event.",
            source={"pointer": pointer},
        )


def _refuse_strangers(edge: Edge, ids: list[int | None], unknown: set[int], pointer: str) -> None:
    problems = [
        Problem(
            404,
            "related-not-found",
            "Unknown related resource",
            f"The event has no {TYPES[edge.target].type} with this id.",
            {"pointer": f"{pointer}/{index}" if edge.many else pointer},
        )
        for index, number in enumerate(ids)
        if number is None or number in unknown
    ]
    if problems:
        raise ProblemError(tuple(problems))


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


async def begin_sizes(
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
        tasks.append(
            await add_image_job(
                connection,
                of,
                user_id=user_id,
                trace_parent=current_parent(),
                request_id=logs.request_id(),
            )
        )
    return tasks
