"""Public feeds of published events, which apps for conferences and calendars poll: no token, any
origin, and a 304 while nothing has changed."""

import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime
from typing import Annotated, Any, Final

from fastapi import Depends, Header, Path, Query, Request, Response
from fastapi.responses import StreamingResponse

from eventimport.database.feeds import Chosen, PublishedEvent, find_feed
from eventimport.errors import ProblemError, refuse
from eventimport.exports.feeds import etag_of, public_feed
from eventimport.formats import Format
from eventimport.formats.ical import ICAL
from eventimport.formats.schedule_json import SCHEDULE_JSON
from eventimport.formats.schedule_xml import SCHEDULE_XML
from eventimport.formats.xcal import XCAL
from eventimport.http.dependencies import ResourcesDep
from eventimport.http.headers import names_etag, not_modified, split
from eventimport.http.openapi import problems
from eventimport.http.routing import Router

MAX_AGE: Final = 60
"""Seconds for which a client may use a feed without asking again."""

MAX_ID: Final = 2**63 - 1
IDENTIFIER: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")

router = Router(tags=["feeds"])

Identifier = Annotated[str, Path(description="The event's identifier.", examples=["ab3de6f0"])]
PartId = Annotated[int, Path(ge=1, le=MAX_ID, description="The id of the record.", examples=[7])]
SessionIds = Annotated[
    str | None,
    Query(
        description="Ids of the sessions that the feed has, separated by commas. Default: all.",
        examples=["12,15"],
        max_length=4_000,
    ),
]
OfTrack = Annotated[
    int | None, Query(ge=1, le=MAX_ID, description="The id of the track that the feed is about.")
]
OfSpeaker = Annotated[
    int | None, Query(ge=1, le=MAX_ID, description="The id of the speaker that the feed is about.")
]


def chosen_sessions(
    sessions: SessionIds = None, track: OfTrack = None, speaker: OfSpeaker = None
) -> Chosen:
    """The sessions that the query names. Raises 400."""
    return Chosen(sessions=_ids(sessions), track=track, speaker=speaker)


ChosenDep = Annotated[Chosen, Depends(chosen_sessions)]
IfNoneMatch = Annotated[
    str | None, Header(description="The `ETag` of the version that the client has.")
]
IfModifiedSince = Annotated[
    str | None, Header(description="The `Last-Modified` of the version that the client has.")
]


class FeedRequest:
    """What a client says of the version that it has, and of the encodings that it accepts."""

    def __init__(
        self,
        request: Request,
        resources: ResourcesDep,
        identifier: Identifier,
        if_none_match: IfNoneMatch = None,
        if_modified_since: IfModifiedSince = None,
    ) -> None:
        self._resources = resources
        self._identifier = identifier
        self._if_none_match = if_none_match
        self._if_modified_since = if_modified_since
        self._packed = _accepts_gzip(request.headers.getlist("accept-encoding"))

    async def answer(
        self, written: Format, chosen: Chosen, *, must_exist: bool = False
    ) -> Response:
        """The feed, or a 304. With `must_exist`, a feed without sessions is a 404."""
        event = None
        if IDENTIFIER.fullmatch(self._identifier):
            async with self._resources.reader.connect() as connection:
                event = await find_feed(connection, self._identifier)
        if event is None:
            raise self._not_found()
        tag = etag_of(self._resources, event, written, chosen)
        headers = self._headers(event, tag)
        if self._has(event, tag):
            return not_modified(Response(headers=headers))
        feed = await public_feed(self._resources, event, written, chosen)
        if feed is None or (must_exist and not feed.sessions):
            raise self._not_found()
        content = feed.compressed if self._packed else feed.plain
        headers["Content-Length"] = str(content.size)
        if self._packed:
            headers["Content-Encoding"] = "gzip"
        media_type = f"{written.media_type}; charset=utf-8"
        if content.data is not None:
            return Response(content.data, headers=headers, media_type=media_type)
        return StreamingResponse(content.chunks(), headers=headers, media_type=media_type)

    def _headers(self, event: PublishedEvent, tag: str) -> dict[str, str]:
        return {
            "ETag": f'"{tag}-gzip"' if self._packed else f'"{tag}"',
            "Last-Modified": format_datetime(event.updated_at.astimezone(UTC), usegmt=True),
            "Cache-Control": f"public, max-age={MAX_AGE}",
            "Vary": "Accept-Encoding",
            "Access-Control-Allow-Origin": "*",
            "Access-Control-Expose-Headers": "ETag, Last-Modified",
            "Cross-Origin-Resource-Policy": "cross-origin",
        }

    def _has(self, event: PublishedEvent, tag: str) -> bool:
        """Whether the client has this version. Both encodings are of the same version."""
        if self._if_none_match is not None:
            tags = (f'"{tag}"', f'"{tag}-gzip"')
            return any(names_etag(self._if_none_match, each) for each in tags)
        since = _moment(self._if_modified_since)
        return since is not None and event.updated_at.replace(microsecond=0) <= since

    def _not_found(self) -> ProblemError:
        return refuse(
            404,
            "not-found",
            "Not Found",
            f"No published event {self._identifier[:64]} has this feed.",
            headers={"Access-Control-Allow-Origin": "*"},
        )


FeedRequestDep = Annotated[FeedRequest, Depends()]


def described(written: Format) -> dict[int | str, dict[str, Any]]:
    """The responses of a feed's route."""
    return {
        200: {
            "description": f"The feed as {written.title}.",
            "content": {
                written.media_type: {
                    "schema": {"type": "object" if written is SCHEDULE_JSON else "string"}
                }
            },
        },
        304: {"description": "The client has the current version."},
        **problems(400, 404),
    }


def _schedule(written: Format) -> Callable[..., Any]:
    async def get(asked: FeedRequestDep, chosen: ChosenDep) -> Response:
        return await asked.answer(written, chosen)

    return get


def _calendar(choose: Callable[[int], Chosen]) -> Callable[..., Any]:
    async def get(asked: FeedRequestDep, id: PartId) -> Response:  # noqa: A002
        return await asked.answer(ICAL, choose(id), must_exist=True)

    return get


_Route = tuple[str, Format, Callable[..., Any], str, str, str]
"""A feed's path after the event's, its format, the function that answers, the function's name, and
the route's summary and description."""

_ROUTES: Final[tuple[_Route, ...]] = (
    (
        "schedule.xml",
        SCHEDULE_XML,
        _schedule(SCHEDULE_XML),
        "get_schedule_xml",
        "Get Schedule as schedule.xml",
        "Get the programme of a published event as schedule.xml, for apps such as EventFahrplan and"
        "\ngiggity.",
    ),
    (
        "schedule.json",
        SCHEDULE_JSON,
        _schedule(SCHEDULE_JSON),
        "get_schedule_json",
        "Get Schedule as schedule.json",
        "Get the programme of a published event as schedule.json.",
    ),
    (
        "schedule.ics",
        ICAL,
        _schedule(ICAL),
        "get_schedule_calendar",
        "Get Schedule as a Calendar",
        "Get the programme of a published event as a calendar to subscribe to.",
    ),
    (
        "schedule.xcal",
        XCAL,
        _schedule(XCAL),
        "get_schedule_xcal",
        "Get Schedule as xCal",
        "Get the programme of a published event as xCal.",
    ),
    (
        "sessions/{id}.ics",
        ICAL,
        _calendar(lambda number: Chosen(sessions=(number,))),
        "get_session_calendar",
        "Get Session as a Calendar",
        "Get one session of a published event as a calendar.",
    ),
    (
        "speakers/{id}.ics",
        ICAL,
        _calendar(lambda number: Chosen(speaker=number)),
        "get_speaker_calendar",
        "Get Speaker's Sessions as a Calendar",
        "Get the sessions of one speaker of a published event as a calendar to subscribe to.",
    ),
    (
        "tracks/{id}.ics",
        ICAL,
        _calendar(lambda number: Chosen(track=number)),
        "get_track_calendar",
        "Get Track's Sessions as a Calendar",
        "Get the sessions of one track of a published event as a calendar to subscribe to.",
    ),
)

for _path, _written, _answer, _name, _summary, _description in _ROUTES:
    router.add_api_route(
        f"/events/{{identifier}}/{_path}",
        _answer,
        name=_name,
        summary=_summary,
        description=_description,
        response_class=Response,
        responses=described(_written),
    )


def _ids(text: str | None) -> tuple[int, ...] | None:
    """Ids that commas separate, each once. Raises 400."""
    if text is None:
        return None
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if not all(part.isascii() and part.isdigit() and int(part) <= MAX_ID for part in parts):
        raise refuse(
            400,
            "invalid-parameter",
            "Invalid parameter",
            "`sessions` must be ids of sessions, separated by commas, such as 12,15.",
            source={"parameter": "sessions"},
        )
    return tuple(sorted({int(part) for part in parts}))


def _accepts_gzip(given: Sequence[str]) -> bool:
    """Whether a client accepts gzip, by its `Accept-Encoding` headers."""
    for text in given:
        for part in split(text, ","):
            name, _, rest = part.partition(";")
            if name.strip().lower() in {"gzip", "*"}:
                weight = rest.replace(" ", "").lower().removeprefix("q=")
                return re.fullmatch(r"0(?:\.0*)?", weight) is None
    return False


def _moment(text: str | None) -> datetime | None:
    try:
        found = parsedate_to_datetime(text) if text else None
    except ValueError:
        return None
    return found if found is None or found.tzinfo else found.replace(tzinfo=UTC)
