"""How workers work."""

from datetime import timedelta

from pydantic import Field, PositiveFloat, PositiveInt
from pydantic_settings import BaseSettings


class WorkSettings(BaseSettings):
    """Workers, their heartbeat, and the recovery of lost imports."""

    worker_jobs: PositiveInt = Field(2, description="Imports that one worker runs at once.")
    import_timeout: PositiveInt = Field(
        3600, description="How long one attempt at an import may take, in seconds."
    )
    heartbeat_interval: PositiveFloat = Field(
        5.0, description="How often a worker shows that it is alive, in seconds."
    )
    heartbeat_timeout: PositiveFloat = Field(
        30.0, description="After how long without a heartbeat an import is run again, in seconds."
    )
    recovery_interval: PositiveFloat = Field(
        10.0, description="How often lost imports are looked for, in seconds."
    )
    max_attempts: PositiveInt = Field(
        5, description="How often an import is begun before it is given up."
    )
    storage_patience: PositiveFloat = Field(
        60.0, description="How long an import waits for a storage that is away, in seconds."
    )
    shutdown_grace: float = Field(
        20.0,
        ge=0,
        description="How long a worker that is told to stop may finish its imports, in seconds.",
    )

    @property
    def heartbeat_stale_after(self) -> timedelta:
        """After how long without a heartbeat an attempt counts as dead."""
        return timedelta(seconds=self.heartbeat_timeout)
