"""Rows → JSON:API documents, as bytes, and no more of them than an answer may have."""

import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import anyio.to_thread
from fastapi import Response
from sqlalchemy.ext.asyncio import AsyncConnection

from eventimport.conference.kinds import Kind
from eventimport.database.event_graph import Edge
from eventimport.database.event_queries import (
    EDITABLE,
    ByteBudget,
    Find,
    Order,
    Row,
    TooLargeError,
    Wanted,
    follow,
    read_rows,
)
from eventimport.database.visibility import Viewer
from eventimport.errors import ProblemError, size_in_words
from eventimport.http.events.queries import (
    CollectionQuery,
    Includes,
    ResourceQuery,
    bad_parameter,
)
from eventimport.http.events.requests import HEADERS, etag
from eventimport.http.events.schema import TYPES, ResourceType, kebab
from eventimport.http.jsonapi import Page
from eventimport.http.openapi import JsonapiVersion
from eventimport.http.problems import MEDIA_TYPE
from eventimport.resources import Resources

JSONAPI: Final = JsonapiVersion().model_dump()
Json = dict[str, Any]

INLINE_BYTES: Final = 64 * 1024
"""A larger document is written in a thread, so that other requests go on meanwhile."""


class DocumentResponse(Response):
    """A document that is written already."""

    media_type = MEDIA_TYPE


def time_text(time: datetime) -> str:
    """ISO 8601, in UTC."""
    return time.astimezone(UTC).isoformat().replace("+00:00", "Z")


def identifier(kind: Kind, row_id: int) -> Json:
    """A resource identifier object."""
    return {"type": TYPES[kind].type, "id": str(row_id)}


def attributes_of(resource: ResourceType, row: Row) -> Json:
    """All attributes of a row, as one who may change it reads them."""
    return {name: _plain(row[attribute.column]) for name, attribute in resource.attributes.items()}


def relationship_links(resource: ResourceType, row_id: int, name: str) -> dict[str, str]:
    """The links of a relationship."""
    base = resource.self_link(row_id)
    return {"self": f"{base}/relationships/{name}", "related": f"{base}/{name}"}


class Answer:
    """What an answer holds: the rows that were asked for, and those that are to be included.

    All of it together has at most `max_bytes` bytes; a single resource by itself may have more.
    """

    def __init__(
        self, resource: ResourceType, query: ResourceQuery, viewer: Viewer, max_bytes: int
    ) -> None:
        self._resource = resource
        self._viewer = viewer
        self._includes, self._warnings = query.includes(resource)
        self._fields = query.fieldsets()
        self._asked = query.include is not None
        self._budget = ByteBudget(max_bytes)
        self._rows: Sequence[Row] = ()
        self._included: dict[tuple[Kind, int], Row] = {}
        self._linkage: dict[tuple[Edge, int], list[int]] = {}

    async def load(self, connection: AsyncConnection, ids: Sequence[int]) -> None:
        """Read the rows of these ids, and what is to be included. Raises 400 if it is too much."""
        try:
            rows = await self._read(connection, self._resource.kind, ids)
        except TooLargeError:
            raise self._page_too_large() from None
        await self.load_included(connection, rows)

    async def load_included(self, connection: AsyncConnection, rows: Sequence[Row]) -> None:
        """Read what is to be included with these rows: at most two statements for each step of a
        path, and for each 500 rows. Raises 400 if it is too much."""
        self._rows = rows
        known = {(self._resource.kind, row["id"]): row for row in rows}
        await self._follow(connection, self._includes, rows, known)

    async def _follow(
        self,
        connection: AsyncConnection,
        includes: Includes,
        owners: Sequence[Row],
        known: dict[tuple[Kind, int], Row],
    ) -> None:
        for edge, further in includes.values():
            try:
                linked = await follow(connection, edge, owners, self._viewer, self._budget)
                ids = list(dict.fromkeys(each for targets in linked.values() for each in targets))
                missing = [each for each in ids if (edge.target, each) not in known]
                rows = await self._read(connection, edge.target, missing, included=True)
            except TooLargeError:
                raise self._include_too_large(edge, owners) from None
            for row in rows:
                known[edge.target, row["id"]] = self._included[edge.target, row["id"]] = row
            for owner in owners:
                # A row that is gone since its id was read is not linked with either.
                self._linkage[edge, owner["id"]] = [
                    each for each in linked.get(owner["id"], ()) if (edge.target, each) in known
                ]
            targets = [known[edge.target, each] for each in ids if (edge.target, each) in known]
            await self._follow(connection, further, targets, known)

    async def _read(
        self, connection: AsyncConnection, kind: Kind, ids: Sequence[int], *, included: bool = False
    ) -> list[Row]:
        resource, wanted = TYPES[kind], self._fields.get(kind)
        signed_in = self._viewer.user_id is not None
        columns = {
            attribute.column
            for name, attribute in resource.attributes.items()
            if (wanted is None or name in wanted) and (signed_in or not attribute.private)
        }
        node = resource.node
        rows = await read_rows(connection, node, ids, self._viewer, self._budget, columns=columns)
        if len(ids) > 1 or included:
            self._budget.check()
        return rows

    async def response(self, row: Row, meta: Json | None = None) -> Response:
        """The response with this row, which was loaded. What is included may change without the
        row's version, so a response with `include` has no entity tag."""
        headers = dict(HEADERS) if self._asked else {**HEADERS, "ETag": etag(row)}
        links = {"self": self._resource.self_link(row["id"])}
        document = await self._write(many=False, links=links, meta=meta)
        return DocumentResponse(document, headers=headers)

    async def related(self, path: str) -> Response:
        """The response at `path` with the loaded row, or with null."""
        document = await self._write(many=False, links={"self": path})
        return DocumentResponse(document, headers=HEADERS)

    async def page(self, page: Page, path: str, total: int) -> Response:
        """The response with the loaded rows, as one page of the list at `path`."""
        links = page.links(path, total).model_dump()
        meta = page.meta(total).model_dump()
        document = await self._write(many=True, links=links, meta=meta)
        return DocumentResponse(document, headers=HEADERS)

    async def _write(self, *, many: bool, meta: Json | None = None, **members: Any) -> bytes:
        warnings = {"warnings": self._warnings} if self._warnings else {}
        if meta or warnings:
            members["meta"] = {**(meta or {}), **warnings}
        if self._budget.spent <= INLINE_BYTES:
            return self._document(many, members)
        return await anyio.to_thread.run_sync(self._document, many, members)

    def _document(self, many: bool, members: Json) -> bytes:
        written = 0
        alone = len(self._rows) <= 1 and not self._included

        def objects(rows: Iterator[tuple[ResourceType, Row]]) -> bytes:
            # Piece by piece, because no other thread runs while the encoder does.
            nonlocal written
            pieces = []
            for resource, row in rows:
                pieces.append(_encode(self._object(resource, row)))
                written += len(pieces[-1]) + 1
                if written > self._budget.max_bytes and not alone:
                    raise self._document_too_large()
            return b",".join(pieces)

        data = objects((self._resource, row) for row in self._rows)
        parts = [b'{"data":', b"[%b]" % data if many else data or b"null"]
        if self._asked:
            rows = ((TYPES[kind], row) for (kind, _), row in self._included.items())
            parts += [b',"included":[', objects(rows), b"]"]
        for name, value in {**members, "jsonapi": JSONAPI}.items():
            parts += [b",", _encode(name), b":", _encode(value)]
        return b"".join([*parts, b"}"])

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
            }
            | {
                name: {"links": relationship_links(resource, row["id"], name)}
                for name in resource.accounts
                if wanted is None or name in wanted
            },
            "links": {"self": resource.self_link(row["id"])},
            **self._meta(resource, row),
        }

    def _meta(self, resource: ResourceType, row: Row) -> Json:
        wanted = self._fields.get(resource.kind)
        found = {
            name: row[attribute.column]
            for name, attribute in resource.meta.items()
            if wanted is None or attribute.name in wanted
        }
        return {"meta": found} if found else {}

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

    def _document_too_large(self) -> ProblemError:
        if not self._included:
            return self._page_too_large()
        edge, _ = next(iter(self._includes.values()))
        return self._include_too_large(edge, self._rows)

    def _page_too_large(self) -> ProblemError:
        fields = f"fields[{self._resource.type}]"
        return bad_parameter(
            "page[size]",
            f"The page would be larger than {self._limit()}. Request a smaller"
            f" page[size], or fewer attributes with {fields}.",
        )

    def _include_too_large(self, edge: Edge, owners: Sequence[Row]) -> ProblemError:
        resource = TYPES[edge.source]
        owner = str(owners[0]["id"]) if len(owners) == 1 else "{id}"
        route = f"{resource.path}/{owner}/{kebab(edge.name)}"
        return bad_parameter(
            "include",
            f"The response would be larger than {self._limit()}. Leave out {kebab(edge.name)!r},"
            f" and read it page by page at {route}.",
        )

    def _limit(self) -> str:
        return f"{size_in_words(self._budget.max_bytes)} (MAX_RESPONSE_BYTES)"


def _plain(value: Any) -> Any:
    return time_text(value) if isinstance(value, datetime) else value


def _encode(value: Any) -> bytes:
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.encode()


async def list_page(  # noqa: PLR0917 - what a list depends on
    resources: Resources,
    resource: ResourceType,
    query: CollectionQuery,
    viewer: Viewer,
    path: str,
    find: Find,
    *,
    usual_order: Sequence[Order] = (),
) -> Response:
    """One page of the list at `path`, in `usual_order` if the request names none. Raises 400."""
    settings = resources.settings
    order = query.order(resource) or usual_order
    answer = Answer(resource, query, viewer, settings.max_response_bytes)
    filters = query.filters(resource, settings.max_filter_conditions)
    page = query.page(settings.max_list_size)
    wanted = Wanted(
        viewer=viewer, order=order, filters=filters, limit=page.limit, offset=page.offset
    )
    async with resources.reader.connect() as connection:
        ids, total = await find(connection, wanted)
        await answer.load(connection, ids)
    return await answer.page(page, path, total)
