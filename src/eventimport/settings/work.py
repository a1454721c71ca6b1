"""The settings of workers."""

from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt
from pydantic_settings import BaseSettings


class WorkSettings(BaseSettings):
    """Workers and recovery."""

    worker_jobs: PositiveInt = Field(
        2, description="Number of tasks that one worker runs at the same time."
    )
    max_running_per_user: NonNegativeInt = Field(
        0,
        description="Maximum number of tasks of one user that one worker runs at the same"
        " time. 0: WORKER_JOBS minus 1, so that no user occupies a whole worker.",
    )
    task_poll_interval: PositiveFloat = Field(
        2.0,
        description="Seconds between two searches of a free worker for tasks. A wake-up"
        " through Redis is faster.",
    )
    import_timeout: PositiveInt = Field(
        3600, description="Maximum time for one attempt at an import, in seconds."
    )
    heartbeat_interval: PositiveFloat = Field(
        5.0, description="Seconds between two heartbeats of a worker."
    )
    heartbeat_timeout: PositiveFloat = Field(
        30.0,
        description="Seconds without a heartbeat after which another worker resumes an import.",
    )
    recovery_interval: PositiveFloat = Field(
        10.0, description="Seconds between two checks of other workers' heartbeats."
    )
    max_attempts: PositiveInt = Field(
        5,
        description="Maximum number of failed attempts at an import. Attempts that failed"
        " only because a server was unavailable do not count.",
    )
    storage_patience: PositiveFloat = Field(
        60.0, description="Seconds that an import waits for an unavailable storage."
    )
    database_patience: PositiveFloat = Field(
        900.0,
        description="Seconds that an import waits for a database that rejects writes, for"
        " example because its disk is full.",
    )
    shutdown_grace: float = Field(
        20.0,
        ge=0,
        description="Seconds that a stopping worker has to finish its imports.",
    )

    @property
    def running_per_user(self) -> int:
        """How many tasks of one user a worker runs at once."""
        return self.max_running_per_user or max(1, self.worker_jobs - 1)
