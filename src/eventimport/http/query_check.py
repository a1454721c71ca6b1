"""One rule for query parameters under `/v1`: a route that doesn't know one answers 400.

Pages and media ignore parameters that they don't know: other sites and mail programs add theirs.
"""

from collections.abc import Iterator
from typing import Any, Final

from fastapi import Request
from fastapi.routing import APIRoute

from eventimport.errors import Problem, ProblemError

PREFIX: Final = "/v1/"
MAX_NAME: Final = 100


async def check_query(request: Request) -> None:
    """Refuse a request with parameters that its route doesn't have. Raises 400, with the name of
    each."""
    route = request.scope.get("route")
    if not isinstance(route, APIRoute) or not request.url.path.startswith(PREFIX):
        return
    known = set(_names(route.dependant)) if request.query_params else set[str]()
    unknown = [name for name in dict.fromkeys(request.query_params) if name not in known]
    if unknown:
        raise ProblemError(tuple(_problem(name[:MAX_NAME]) for name in unknown))


def _names(dependant: Any) -> Iterator[str]:
    """The parameters of a route and of what it depends on; of a model, those of its fields."""
    for parameter in dependant.query_params:
        fields = getattr(parameter.field_info.annotation, "model_fields", None)
        if fields is None:
            yield parameter.alias
        else:
            yield from (field.alias or name for name, field in fields.items())
    for further in dependant.dependencies:
        yield from _names(further)


def _problem(name: str) -> Problem:
    what = f"Unknown query parameter {name!r}."
    return Problem(400, "invalid-parameter", "Invalid parameter", what, {"parameter": name})
