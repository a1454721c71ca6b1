"""Traces, by OpenTelemetry's API; its SDK is there where the extra `otel` is installed."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from opentelemetry import trace
from opentelemetry.trace import NoOpTracerProvider, SpanKind, StatusCode, TracerProvider
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from eventimport.errors import EventImportError

NO_TRACES: Final = NoOpTracerProvider()
HEADER: Final = "traceparent"

_propagator = TraceContextTextMapPropagator()


class TracingConfigError(EventImportError):
    """Traces are wanted, but cannot be sent."""


@dataclass(frozen=True, slots=True)
class TracingConfig:
    """Where traces go: the address of an OTLP collector, without `/v1/traces`."""

    endpoint: str


def create_tracer_provider(config: TracingConfig | None, *, service: str) -> TracerProvider:
    """What makes spans and sends them in the background, under this service's name.

    Without a configuration it does nothing, at no cost. Raises TracingConfigError.
    """
    if config is None:
        return NO_TRACES
    try:
        from eventimport.tracing_export import create_exporting_provider  # noqa: PLC0415
    except ImportError:
        raise TracingConfigError(
            "OTEL_EXPORTER_OTLP_ENDPOINT is set, but OpenTelemetry is not installed:"
            " pip install 'eventimport[otel]'"
        ) from None
    return create_exporting_provider(config.endpoint, service)


def current_parent() -> str | None:
    """The current span, as a `traceparent`; None where nothing is traced."""
    carrier: dict[str, str] = {}
    _propagator.inject(carrier)
    return carrier.get(HEADER)


@contextmanager
def job_span(
    provider: TracerProvider, name: str, *, parent: str | None, task_id: str
) -> Iterator[trace.Span]:
    """A span of a job, in the trace of the request that asked for it. What is raised in it marks
    it as failed; the message stays out, since it may hold personal data."""
    context = _propagator.extract({HEADER: parent} if parent else {})
    with provider.get_tracer("eventimport").start_as_current_span(
        name,
        context=context,
        kind=SpanKind.CONSUMER,
        attributes={"task.id": task_id},
        record_exception=False,
        set_status_on_exception=False,
    ) as span:
        try:
            yield span
        except BaseException as error:
            span.set_attribute("error.type", type(error).__qualname__)
            span.set_status(StatusCode.ERROR)
            raise
