"""How the service is watched: logs, metrics, traces."""

from typing import Literal, Self

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import BaseSettings

from eventimport.observability.logs import LogConfig
from eventimport.observability.tracing import TracingConfig, can_export
from eventimport.settings.values import WebAddress


class ObservationSettings(BaseSettings):
    """Logs, metrics, traces."""

    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="How much is logged: `debug`, `info`, `warning` or `error`."
    )
    log_format: Literal["auto", "json", "console"] = Field(
        "auto",
        description="How logs are written: `json`, `console`, or `auto`: for people on a terminal,"
        " as JSON elsewhere.",
    )
    metrics_enabled: bool = Field(True, description="Whether there is `/metrics`.")
    metrics_token: SecretStr | None = Field(
        None,
        description="The bearer token that `/metrics` asks for. Without it, `/metrics` answers this"
        " machine alone.",
    )
    readiness_timeout: float = Field(
        2.0, gt=0, description="How long each check of `/readyz` may take, in seconds."
    )
    otel_exporter_otlp_endpoint: WebAddress | None = Field(
        None,
        description="Where traces go, as OTLP over HTTP: `http://collector:4318`. Needs the extra"
        " `otel`. Without it, nothing is traced.",
    )

    @model_validator(mode="after")
    def _traces_can_be_sent(self) -> Self:
        if self.otel_exporter_otlp_endpoint and not can_export():
            raise ValueError(
                "OTEL_EXPORTER_OTLP_ENDPOINT needs the extra `otel`: pip install eventimport[otel]"
            )
        return self

    @property
    def logging(self) -> LogConfig:
        """What logs need."""
        return LogConfig(level=self.log_level, format=self.log_format)

    @property
    def tracing(self) -> TracingConfig | None:
        """What traces need; None where nothing is traced."""
        return (
            TracingConfig(endpoint=self.otel_exporter_otlp_endpoint)
            if self.otel_exporter_otlp_endpoint
            else None
        )
