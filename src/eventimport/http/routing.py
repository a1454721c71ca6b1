"""Routers that are passed over at once if a request is not theirs."""

import re
from collections.abc import Sequence
from functools import cached_property
from typing import Final

from fastapi import APIRouter
from fastapi.routing import iter_route_contexts
from starlette.routing import BaseRoute, Match
from starlette.types import Scope

_GROUP_NAME: Final = re.compile(r"\?P<\w+>")


class Router(APIRouter):
    """FastAPI's router, which is searched only if one of its routes has the request's path.

    FastAPI keeps a tree of routers, and tries each route of it in turn: for a service of 130 routes
    that takes longer than most of its queries. All routes must be added before the first request.
    """

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Whether a route of this router has the request's path, and its method."""
        if not scope.get("root_path") and not self._paths.match(scope["path"]):
            return Match.NONE, {}
        return super().matches(scope)

    @cached_property
    def _paths(self) -> re.Pattern[str]:
        """The paths of all routes in one expression, which needs no Python call for each."""
        patterns = {
            context.path_regex.pattern: None for context in iter_route_contexts(self.routes)
        }
        return re.compile("|".join(_GROUP_NAME.sub("?:", pattern) for pattern in patterns))


def methods_of(routes: Sequence[BaseRoute], path: str) -> set[str]:
    """The methods of a path, which several routes may share. Whatever has GET has HEAD."""
    found: set[str] = set()
    for context in iter_route_contexts(routes):
        pattern = getattr(context, "path_regex", None)
        if pattern is not None and pattern.match(path):
            found |= set(context.methods or ())
    return found | {"HEAD"} if "GET" in found else found
