"""Whether the service is alive and ready."""

from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel
from sqlalchemy import text

from eventimport.dependencies import ResourcesDep

router = APIRouter(tags=["health"])


class Health(BaseModel):
    """The service answers."""

    status: Literal["ok"] = "ok"


@router.get("/healthz")
async def check_alive() -> Health:
    """The process answers. Asks nothing of anyone else."""
    return Health()


@router.get("/readyz")
async def check_ready(resources: ResourcesDep) -> Health:
    """The service can do its work: it reaches its database. 503 otherwise.

    The queue is not asked: imports are accepted while it is away.
    """
    async with resources.reader.connect() as connection:
        await connection.execute(text("SELECT 1"))
    return Health()
