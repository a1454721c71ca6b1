"""Logs, metrics and traces."""

from typing import Literal, Self

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import BaseSettings

from eventimport.observability.logs import LogConfig
from eventimport.observability.tracing import TracingConfig, can_export
from eventimport.settings.values import WebAddress


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
