"""JSON:API documents: their models, so that OpenAPI knows them, and their media type."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, Self, TypeVar
from urllib.parse import urlencode

from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from eventimport.http.openapi import ALL_SENT, JsonapiVersion
from eventimport.http.problems import MEDIA_TYPE

DEFAULT_PAGE_SIZE = 20
MAX_PAGE_SIZE = 100
MAX_PAGE_NUMBER = 1_000_000


class JSONAPIResponse(JSONResponse):
    """An answer in JSON:API's media type."""

    media_type = MEDIA_TYPE


def _kebab_case(name: str) -> str:
    return name.replace("_", "-")


class Attributes(BaseModel):
    """The attributes of a resource: kebab-case on the wire, read from a row's columns."""

    model_config = ConfigDict(
        alias_generator=_kebab_case, populate_by_name=True, from_attributes=True
    )


AttributesT = TypeVar("AttributesT", bound=Attributes)


class SelfLink(BaseModel):
    """The URL of the resource."""

    self: str


class Resource(BaseModel, Generic[AttributesT]):
    """One resource object."""

    type: str
    id: str
    attributes: AttributesT
    links: SelfLink


class Document(BaseModel, Generic[AttributesT]):
    """One resource, and which JSON:API it is spelled in."""

    model_config = ALL_SENT

    data: Resource[AttributesT]
    jsonapi: JsonapiVersion = JsonapiVersion()


class PageMeta(BaseModel):
    """The number of resources on all pages, as `total` and, for existing clients, as `count`."""

    total: int
    count: int
    pages: int


class PageLinks(BaseModel):
    """The URLs of this page and its neighbours, or null if there is none."""

    self: str
    first: str
    last: str
    prev: str | None
    next: str | None


class Collection(BaseModel, Generic[AttributesT]):
    """One page of resources."""

    model_config = ALL_SENT

    data: list[Resource[AttributesT]]
    meta: PageMeta
    links: PageLinks
    jsonapi: JsonapiVersion = JsonapiVersion()

    @classmethod
    def page(
        cls,
        path: str,
        page: "Page",
        total: int,
        data: Iterable[Resource[AttributesT]],
        **meta: Any,
    ) -> Self:
        """This page of the list at `path`; `meta` is added to its counts."""
        return cls(
            data=list(data),
            meta={**page.meta(total).model_dump(), **meta},
            links=page.links(path, total),
        )


class PageQuery(BaseModel):
    """Which page a client wants. A subclass adds what else the query may say. `check_query` rejects
    what no field names."""

    number: int = Field(
        1, alias="page[number]", ge=1, le=MAX_PAGE_NUMBER, description="Number of the page, from 1."
    )
    size: int = Field(
        DEFAULT_PAGE_SIZE,
        alias="page[size]",
        ge=0,
        le=MAX_PAGE_SIZE,
        description="Number of resources on a page. `0` returns all of them, up to MAX_LIST_SIZE;"
        " if there are more, they come in pages of that size.",
    )

    def page(self, max_list_size: int) -> "Page":
        """The page that the client wants, if a list of all resources has at most this many."""
        given = self.model_dump(by_alias=True, exclude_none=True, mode="json")
        return Page(self.number, self.size or max_list_size, given)


@dataclass(frozen=True, slots=True)
class Page:
    """A page of a list, `number` counted from 1. `parameters` are those of the request, which the
    links repeat."""

    number: int
    limit: int
    parameters: Mapping[str, Any]

    @property
    def offset(self) -> int:
        """How many resources come before this page."""
        return (self.number - 1) * self.limit

    def meta(self, total: int) -> PageMeta:
        """The page's `meta` for this total number of resources."""
        return PageMeta(total=total, count=total, pages=self._pages(total))

    def links(self, path: str, total: int) -> PageLinks:
        """The page's `links`; they repeat what else the client asked for."""

        def link(number: int) -> str:
            return f"{path}?{urlencode({**self.parameters, 'page[number]': number})}"

        last = max(self._pages(total), 1)
        return PageLinks(
            self=link(self.number),
            first=link(1),
            last=link(last),
            prev=link(min(self.number - 1, last)) if self.number > 1 else None,
            next=link(self.number + 1) if self.number < last else None,
        )

    def _pages(self, total: int) -> int:
        return -(-total // self.limit)
