"""Every error of every route, as a JSON:API document."""

import http
import json
import logging
from collections.abc import Iterable, Mapping
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from eventimport.conference.report import UNSTORABLE
from eventimport.database.engine import explain, is_unavailable
from eventimport.database.migrations import is_mismatch
from eventimport.errors import (
    MAX_SHOWN,
    Problem,
    ProblemError,
    document,
    pointer_to,
    refuse,
    shorten,
)
from eventimport.http.routing import methods_of
from eventimport.storage.protocol import StorageError

MEDIA_TYPE = "application/vnd.api+json"
RETRY_AFTER = {"Retry-After": "5"}

RENAMED_PHRASES = {
    413: "Content Too Large",
    414: "URI Too Long",
    416: "Range Not Satisfiable",
    422: "Unprocessable Content",
}
"""Python 3.13 took over the names of RFC 9110."""

PATH, QUERY, HEADER, BODY = "path", "query", "header", "body"

_OBJECT = "Expected an object."
_MISSING = "A value is required."
_WORDS: Mapping[str, str] = {
    **dict.fromkeys(("bool_parsing", "bool_type"), "Expected true or false."),
    **dict.fromkeys(("dict_type", "model_attributes_type", "model_type"), _OBJECT),
    **dict.fromkeys(("float_parsing", "float_type"), "Expected a number."),
    "greater_than_equal": "The value must be at least {ge}.",
    **dict.fromkeys(
        ("int_from_float", "int_parsing", "int_parsing_size", "int_type"),
        "Expected a whole number.",
    ),
    "less_than_equal": "The value must be at most {le}.",
    "list_type": "Expected a list.",
    **dict.fromkeys(("enum", "literal_error"), "Expected {expected}."),
    "missing": _MISSING,
    "string_too_long": "The text must have at most {max_length:,} characters.",
    "string_too_short": "The text must have at least {min_length:,} characters.",
    "string_type": "Expected a text.",
    "string_unicode": "The text has half of a surrogate pair.",
}
"""What errors of pydantic say, by their types. All other errors say it themselves."""

logger = logging.getLogger(__name__)


class ProblemResponse(JSONResponse):
    """An errors document."""

    media_type = MEDIA_TYPE

    def __init__(self, error: ProblemError, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(
            document(error.problems),
            status_code=error.status,
            headers={"Cache-Control": "no-store", **error.headers, **(headers or {})},
        )

    def render(self, content: Any) -> bytes:
        """The document in UTF-8, which has no halves of surrogate pairs: they are escaped."""
        text = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
        return UNSTORABLE.sub(lambda found: "\\" + ascii(found[0])[1:-1], text).encode()


def add_problem_handlers(app: FastAPI) -> None:
    """Have the application answer with problems, whatever goes wrong."""
    app.exception_handler(ProblemError)(_problem)
    app.exception_handler(HTTPException)(_http_exception)
    app.exception_handler(RequestValidationError)(_validation)
    app.exception_handler(StorageError)(_storage)
    app.exception_handler(ClientDisconnect)(_disconnect)
    for away in (DBAPIError, PoolTimeoutError, ConnectionError):
        app.exception_handler(away)(_database)


async def _problem(_request: Request, error: ProblemError) -> Response:
    return ProblemResponse(error)


async def _http_exception(request: Request, error: HTTPException) -> Response:
    path = shorten(request.url.path, MAX_SHOWN)
    if error.status_code == 404:
        detail = f"Unknown path {path}."
    elif error.status_code == 405:
        detail = f"{path} does not support {shorten(request.method, MAX_SHOWN)}."
    else:
        detail = str(error.detail)
    headers = dict(error.headers or {})
    if error.status_code == 405:
        headers["Allow"] = ", ".join(sorted(methods_of(request.app.routes, request.url.path)))
    title = phrase(error.status_code)
    code = title.lower().replace(" ", "-").replace("'", "")
    return ProblemResponse(refuse(error.status_code, code, title, detail, headers=headers))


def phrase(status: int) -> str:
    """The name of an HTTP status, the same with every Python."""
    return RENAMED_PHRASES.get(status) or http.HTTPStatus(status).phrase


async def _validation(_request: Request, error: RequestValidationError) -> Response:
    return ProblemResponse(ProblemError(tuple(validation_problems(error.errors()))))


def validation_problems(errors: Iterable[Mapping[str, Any]]) -> list[Problem]:
    """pydantic's errors as problems: 404 for a path that cannot name anything, 400 for a
    parameter, a header or invalid JSON, 422 for a value in the body."""
    found = list(errors)
    at_path = [error for error in found if error["loc"][:1] == (PATH,)]
    return [_validation_problem(error) for error in at_path[:1] or found]


def _words_of(error: Mapping[str, Any]) -> str:
    words = _WORDS.get(error["type"])
    if error["type"] == "too_long":
        unit = "characters" if isinstance(error.get("input"), str) else "entries"
        return f"At most {error['ctx']['max_length']:,} {unit} are allowed."
    if words is not None:
        return words.format_map(error.get("ctx", {}))
    said = str(error["msg"]).removeprefix("Value error, ")
    if said == "Extra inputs are not permitted":
        return "Unknown member."
    return f"The {said}" if said.startswith("value is ") else said


def _validation_problem(error: Mapping[str, Any]) -> Problem:
    place, *rest = [str(part) for part in error["loc"]] or [BODY]
    detail = _words_of(error)
    name = rest[0] if rest else ""
    if place == PATH:
        kind = name.removesuffix("_id").replace("_", " ")
        return Problem(404, "not-found", "Not Found", f"Unknown {kind}: not a valid id.")
    if place == QUERY:
        return Problem(400, "invalid-parameter", "Invalid parameter", detail, {"parameter": name})
    if place == HEADER:
        return Problem(400, "invalid-header", "Invalid header", detail, {"header": name})
    if error["type"] == "json_invalid":
        reason = error.get("ctx", {}).get("error", detail)
        return Problem(400, "invalid-json", "Invalid JSON", f"{reason} at {name}.")
    if not rest and _WORDS.get(error["type"]) in {_OBJECT, _MISSING}:
        detail = "Expected a JSON object. Send it with the Content-Type application/json."
    pointer = pointer_to(*rest)
    return Problem(422, "invalid-value", "Invalid value", detail, {"pointer": pointer})


async def _storage(_request: Request, error: StorageError) -> Response:
    logger.warning("storage unavailable: %s", error)
    return ProblemResponse(
        refuse(
            503,
            "storage-unavailable",
            "Storage unavailable",
            "The file storage cannot be used for now. Try again later.",
            headers=RETRY_AFTER,
        )
    )


async def _database(_request: Request, error: Exception) -> Response:
    if isinstance(error, DBAPIError) and is_mismatch(error):
        logger.error("A table or a column is missing. Run `eventimport migrate`.")
        return ProblemResponse(
            refuse(
                503,
                "schema-outdated",
                "Database schema outdated",
                "The database schema belongs to another version of the service."
                " An administrator must run `eventimport migrate`.",
                headers=RETRY_AFTER,
            )
        )
    if isinstance(error, DBAPIError) and not _is_away(error):
        raise error
    logger.warning("database unavailable: %s", explain(error))
    return ProblemResponse(
        refuse(
            503,
            "database-unavailable",
            "Database unavailable",
            "The service cannot reach its database. Try again later.",
            headers=RETRY_AFTER,
        )
    )


def _is_away(error: DBAPIError) -> bool:
    return is_unavailable(error) or isinstance(error, (InterfaceError, OperationalError))


async def _disconnect(_request: Request, _error: ClientDisconnect) -> Response:
    # The client has gone: this only ends the request without a traceback in the log.
    return Response(status_code=400)


def internal_error() -> ProblemResponse:
    """The answer to an unexpected exception."""
    return ProblemResponse(
        refuse(
            500,
            "internal-error",
            "Internal error",
            "The service failed unexpectedly. The failure was logged.",
            # uvicorn closes the connection because the exception is raised again.
            headers={"Connection": "close"},
        )
    )
