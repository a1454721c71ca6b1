"""Rows → JSON:API documents."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncConnection

from eventimport.database.event_graph import Edge
from eventimport.database.event_queries import EDITABLE, Row, follow
from eventimport.openevent.order import Kind
from eventimport.routers.documentation import Version
from eventimport.routers.events.queries import Includes, ResourceQuery, bad_parameter
from eventimport.routers.events.schema import TYPES, ResourceType

MAX_INCLUDED: Final = 5_000
"""Resources in `included`; more of them have to be asked for page by page."""

JSONAPI: Final = Version().model_dump()
Json = dict[str, Any]


def time_text(time: datetime) -> str:
    """ISO 8601, in UTC."""
    return time.astimezone(UTC).isoformat().replace("+00:00", "Z")


def identifier(kind: Kind, row_id: int) -> Json:
    """A resource identifier object."""
    return {"type": TYPES[kind].type, "id": str(row_id)}


def relationship_links(resource: ResourceType, row_id: int, name: str) -> dict[str, str]:
    """The links of a relationship."""
    base = resource.self_link(row_id)
    return {"self": f"{base}/relationships/{name}", "related": f"{base}/{name}"}


class Answer:
    """What an answer holds: the rows that were asked for, and those that are to be included."""

    def __init__(self, resource: ResourceType, rows: Sequence[Row], query: ResourceQuery) -> None:
        self._resource = resource
        self._rows = rows
        self._includes = query.includes(resource)
        self._fields = query.fieldsets()
        self._asked = query.include is not None
        self._included: dict[tuple[Kind, int], Row] = {}
        self._linkage: dict[tuple[Edge, int], dict[int, None]] = {}

    async def load(self, connection: AsyncConnection) -> None:
        """Read what is to be included: one statement for each step of a path. Raises 400 where it
        is too much."""
        await self._follow(connection, self._includes, self._rows)
        for row in self._rows:
            self._included.pop((self._resource.kind, row["id"]), None)

    async def _follow(
        self, connection: AsyncConnection, includes: Includes, owners: Sequence[Row]
    ) -> None:
        for edge, further in includes.values():
            left = MAX_INCLUDED + 1 - len(self._included)
            pairs = await follow(connection, edge, owners, limit=left) if left > 0 else []
            for owner in owners:
                self._linkage.setdefault((edge, owner["id"]), {})
            for owner_id, row in pairs:
                self._linkage[edge, owner_id][row["id"]] = None
                self._included[edge.target, row["id"]] = row
            if len(self._included) > MAX_INCLUDED or left <= 0:
                what = f"More than {MAX_INCLUDED:,} resources: ask for them page by page."
                raise bad_parameter("include", what)
            await self._follow(connection, further, list({r["id"]: r for _, r in pairs}.values()))

    def one(self, links: Mapping[str, str]) -> Json:
        """The document of one row, or of none."""
        data = self._object(self._resource, self._rows[0]) if self._rows else None
        return self._document(data, links=dict(links))

    def many(self, links: Mapping[str, str | None], meta: Json) -> Json:
        """The document of a list."""
        data = [self._object(self._resource, row) for row in self._rows]
        return self._document(data, links=dict(links), meta=meta)

    def _document(self, data: Any, **members: Any) -> Json:
        included = {}
        if self._asked:
            rows = self._included.items()
            included["included"] = [self._object(TYPES[kind], row) for (kind, _), row in rows]
        return {"data": data, **included, **members, "jsonapi": JSONAPI}

    def _object(self, resource: ResourceType, row: Row) -> Json:
        wanted = self._fields.get(resource.kind)
        return {
            **identifier(resource.kind, row["id"]),
            "attributes": {
                name: _plain(row[attribute.column])
                for name, attribute in resource.attributes.items()
                if (wanted is None or name in wanted) and (row[EDITABLE] or not attribute.private)
            },
            "relationships": {
                name: self._relationship(resource, row, name, edge)
                for name, edge in resource.edges.items()
                if wanted is None or name in wanted or (edge, row["id"]) in self._linkage
            },
            "links": {"self": resource.self_link(row["id"])},
        }

    def _relationship(self, resource: ResourceType, row: Row, name: str, edge: Edge) -> Json:
        links = relationship_links(resource, row["id"], name)
        if edge.column is not None:
            target = row[edge.column]
            data: Any = None if target is None else identifier(edge.target, target)
        elif (edge, row["id"]) in self._linkage:
            ids = [identifier(edge.target, target) for target in self._linkage[edge, row["id"]]]
            data = ids if edge.many else next(iter(ids), None)
        else:
            return {"links": links}
        return {"data": data, "links": links}


def _plain(value: Any) -> Any:
    return time_text(value) if isinstance(value, datetime) else value
