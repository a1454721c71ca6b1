"""How workers work."""

from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt
from pydantic_settings import BaseSettings


class WorkSettings(BaseSettings):
    """Workers, their heartbeat, and the recovery of lost imports."""

    worker_jobs: PositiveInt = Field(2, description="Tasks that one worker runs at once.")
    max_running_per_user: NonNegativeInt = Field(
        0,
        description="Tasks of one user that one worker runs at once."
        " 0: one less than WORKER_JOBS, so that no user holds all of a worker's slots.",
    )
    task_poll_interval: PositiveFloat = Field(
        2.0,
        description="Seconds after which a free worker looks for tasks by itself."
        " A wake-up through Redis is faster.",
    )
    import_timeout: PositiveInt = Field(
        3600, description="How long one attempt at an import may take, in seconds."
    )
    heartbeat_interval: PositiveFloat = Field(
        5.0, description="How often a worker shows that it is alive, in seconds."
    )
    heartbeat_timeout: PositiveFloat = Field(
        30.0,
        description="Seconds without a heartbeat after which another worker takes an import over.",
    )
    recovery_interval: PositiveFloat = Field(
        10.0, description="Seconds between two checks of other workers' heartbeats."
    )
    max_attempts: PositiveInt = Field(
        5,
        description="Attempts that may fail before an import ends. Attempts that only found a"
        " server unavailable don't count.",
    )
    storage_patience: PositiveFloat = Field(
        60.0, description="Seconds that an import waits for an unavailable storage."
    )
    database_patience: PositiveFloat = Field(
        900.0,
        description="Seconds that an import waits for a database that refuses its writes,"
        " for example because its disk is full.",
    )
    shutdown_grace: float = Field(
        20.0,
        ge=0,
        description="How long a worker that is told to stop may finish its imports, in seconds.",
    )

    @property
    def running_per_user(self) -> int:
        """How many tasks of one user a worker runs at once."""
        return self.max_running_per_user or max(1, self.worker_jobs - 1)
