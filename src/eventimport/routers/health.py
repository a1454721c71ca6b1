"""Whether the service is alive and ready."""

from typing import Literal

from fastapi import Response
from pydantic import BaseModel, Field

from eventimport.errors import refuse
from eventimport.http.dependencies import ResourcesDep
from eventimport.http.openapi import ALL_SENT
from eventimport.http.readiness import CheckResult, run_checks
from eventimport.http.routing import Router

router = Router(tags=["health"])


class Health(BaseModel):
    """The process answers."""

    model_config = ALL_SENT

    status: Literal["ok"] = "ok"


class Readiness(BaseModel):
    """The state of everything that the service needs, by name."""

    model_config = ALL_SENT

    status: Literal["ok"] = "ok"
    checks: dict[str, CheckResult]
    confirmation: Literal["on", "off"] = Field(
        description="Whether addresses are confirmed, and passwords reset, by mail. `off` if"
        " SMTP_URL is not set."
    )


@router.get("/healthz")
async def check_alive() -> Health:
    """Check that the process answers. No other server is asked."""
    return Health()


@router.get("/readyz")
async def check_ready(resources: ResourcesDep, response: Response) -> Readiness:
    """Check all that an import needs: the database and its schema, the queue, the storage, and a
    worker that is alive. Also checks that the disk has free space, that a worker empties the queue,
    and that the clocks agree. If any check fails, the response is a 503. Its `meta` has the results
    and the reasons. READINESS_TIMEOUT limits each check."""
    checks = await run_checks(resources)
    confirmation: Literal["on", "off"] = "off" if resources.settings.mail is None else "on"
    if checks.failed:
        reasons = [checks.reasons[name] for name in checks.failed]
        raise refuse(
            503,
            "not-ready",
            "Service not ready",
            " ".join([f"Failed: {', '.join(checks.failed)}.", *reasons]),
            headers={"Retry-After": "5"},
            meta={
                "checks": checks.results,
                "reasons": checks.reasons,
                "confirmation": confirmation,
            },
        )
    response.headers["Cache-Control"] = "no-store"
    return Readiness(checks=checks.results, confirmation=confirmation)
