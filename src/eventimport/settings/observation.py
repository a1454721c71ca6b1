"""Logs, metrics and traces."""

from typing import Literal, Self

from pydantic import Field, NonNegativeInt, PositiveFloat, SecretStr, model_validator
from pydantic_settings import BaseSettings

from eventimport.observability.logs import LogConfig
from eventimport.observability.tracing import TracingConfig, can_export
from eventimport.settings.values import GIB, WebAddress


class ObservationSettings(BaseSettings):
    """Logs, metrics and traces."""

    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="Lowest level that is logged: `debug`, `info`, `warning` or `error`."
    )
    log_format: Literal["auto", "json", "console"] = Field(
        "auto",
        description="Format of the logs: `json`, `console`, or `auto`, which means `console`"
        " on a terminal and `json` elsewhere.",
    )
    metrics_enabled: bool = Field(True, description="Whether to serve `/metrics`.")
    metrics_token: SecretStr | None = Field(
        None,
        description="Bearer token that `/metrics` requires. Without it, `/metrics` is served"
        " only to this machine.",
    )
    readiness_timeout: float = Field(
        2.0, gt=0, description="Maximum time for each check of `/readyz`, in seconds."
    )
    min_free_disk_bytes: NonNegativeInt = Field(
        GIB,
        description="Free bytes on the disk of LOCAL_STORAGE_PATH below which `/readyz` reports"
        " the disk as failed. 0: never.",
    )
    max_queue_wait: PositiveFloat = Field(
        300.0,
        description="Seconds that the oldest task may wait while no worker runs or starts a task."
        " Then `/readyz` reports the backlog as failed.",
    )
    max_clock_difference: PositiveFloat = Field(
        10.0,
        description="Seconds by which the clock of an API process may differ from those of"
        " PostgreSQL and Redis. Beyond that, `/readyz` reports the clocks as failed.",
    )
    otel_exporter_otlp_endpoint: WebAddress | None = Field(
        None,
        description="URL that traces are sent to, as OTLP over HTTP: `http://collector:4318`."
        " Requires the extra `otel`. Without it, nothing is traced.",
    )

    @model_validator(mode="after")
    def _traces_can_be_sent(self) -> Self:
        if self.otel_exporter_otlp_endpoint and not can_export():
            raise ValueError(
                "OTEL_EXPORTER_OTLP_ENDPOINT requires the extra `otel`: pip"
                " install eventimport[otel]"
            )
        return self

    @property
    def logging(self) -> LogConfig:
        """What logs need."""
        return LogConfig(level=self.log_level, format=self.log_format)

    @property
    def tracing(self) -> TracingConfig | None:
        """What traces need; None if nothing is traced."""
        return (
            TracingConfig(endpoint=self.otel_exporter_otlp_endpoint)
            if self.otel_exporter_otlp_endpoint
            else None
        )
