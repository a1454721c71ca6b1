"""The web application."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from fastapi import Depends, FastAPI
from opentelemetry.trace import TracerProvider

from eventimport import __version__, pages
from eventimport.http.dependencies import State, check_query
from eventimport.http.events.schema import EVENT, TYPES
from eventimport.http.middleware import add_middleware
from eventimport.http.openapi import describe, operation_id
from eventimport.http.problems import add_problem_handlers
from eventimport.observability import logs
from eventimport.observability.tracing import NO_TRACES, create_tracer_provider
from eventimport.pages import api_docs
from eventimport.resources import open_resources
from eventimport.routers import (
    account,
    audit_log,
    events,
    exports,
    feeds,
    health,
    images,
    import_jobs,
    imports,
    media,
    metrics,
    notifications,
    personal_access_tokens,
    service_settings,
    sign_in,
    stored_uploads,
    take_downs,
    tasks,
    uploads,
    users,
)
from eventimport.settings import Settings, load_settings

DESCRIPTION = """\
Imports whole conferences (archives, schedules and calendars), serves them, and exports them.

1. Create an account with `POST /v1/users`. Get an `access_token` from `POST /v1/auth/session`, and
   enter it under **Authorize**.
2. Upload a file with `POST /v1/events/import/auto`. The response has a `task_url`.
3. Poll `GET /v1/tasks/{id}` to follow the import. Finally, it has the event, or all errors of the
   file with their places.

Every error is a JSON:API document.
"""

PART_TAGS = [
    (resource.tag, f"{resource.type.replace('-', ' ')}s")
    for resource in TYPES.values()
    if resource is not EVENT
]
TAGS = [
    {"name": "accounts", "description": "Accounts and access tokens."},
    {"name": "imports", "description": "Importing archives, and following the imports."},
    {
        "name": "notifications",
        "description": "Messages about finished imports, which are also sent by e-mail.",
    },
    {"name": "events", "description": "Events, and who may do what with them."},
    *({"name": name, "description": f"The {words} of events."} for name, words in PART_TAGS),
    {"name": "exports", "description": "Events as files in many formats."},
    {"name": "members", "description": "Who works on an event: owner, editors, viewers."},
    {"name": "moderation", "description": "Hiding abuse; only for admins."},
    {
        "name": "feeds",
        "description": "Schedules and calendars of published events, for apps. No token is needed.",
    },
    {"name": "files", "description": "Uploads and public files."},
    {"name": "audit log", "description": "Who did what; only for admins."},
    {"name": "settings", "description": "Settings that admins change while the service runs."},
    {"name": "health", "description": "Checks and metrics for operators."},
]


def create_app(settings: Settings, tracer_provider: TracerProvider = NO_TRACES) -> FastAPI:
    """The application, not yet started: its lifespan opens the resources.

    Nothing is shared between two applications, so that tests may have many.
    """

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[State]:
        async with open_resources(settings, tracer_provider) as resources:
            yield {"resources": resources}

    app = FastAPI(
        title="eventimport",
        version=__version__,
        description=DESCRIPTION,
        openapi_tags=TAGS,
        servers=[{"url": settings.public_url}],
        license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
        generate_unique_id_function=operation_id,
        lifespan=lifespan,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        dependencies=[Depends(check_query)],
        telemetry={
            "tracing": tracer_provider is not NO_TRACES,
            "tracer_provider": tracer_provider,
            # What FastAPI would log holds the values that were refused; metrics are Prometheus's.
            "logs": False,
            "metrics": False,
            "operation_spans": False,
            "auto_configure": False,
        },
    )
    for module in (
        sign_in,
        users,
        account,
        personal_access_tokens,
        imports,
        tasks,
        import_jobs,
        notifications,
        events,
        exports,
        stored_uploads,
        take_downs,
        uploads,
        images,
        media,
        service_settings,
        audit_log,
        health,
        metrics,
        api_docs,
        feeds,
        pages,
    ):
        app.include_router(module.router)
    add_middleware(app, settings)
    add_problem_handlers(app)
    app.openapi = partial(describe, app)  # type: ignore[method-assign]  # FastAPI's own way to extend it
    return app


def app_from_environment() -> FastAPI:
    """For uvicorn's `--factory`: the application of the environment's settings, and their logs."""
    settings = load_settings()
    logs.configure(settings.logging)
    app = create_app(settings, create_tracer_provider(settings.tracing, service="eventimport-api"))
    api_docs.prepare(app)
    return app
