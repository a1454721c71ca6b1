"""Traces, by OpenTelemetry's API; its SDK is there where the extra `otel` is installed."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Final

from opentelemetry import trace
from opentelemetry.trace import NoOpTracerProvider, SpanKind, StatusCode, TracerProvider
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

NO_TRACES: Final = NoOpTracerProvider()
HEADER: Final = "traceparent"
EXPORTER_MODULES: Final = ("opentelemetry.sdk", "opentelemetry.exporter.otlp.proto.http")

_propagator = TraceContextTextMapPropagator()


@dataclass(frozen=True, slots=True)
class TracingConfig:
    """Where traces go: the address of an OTLP collector, without `/v1/traces`."""

    endpoint: str


def can_export() -> bool:
    """Whether the extra `otel` is installed."""
    try:
        return all(find_spec(name) for name in EXPORTER_MODULES)
    except ModuleNotFoundError:
        return False


def create_tracer_provider(config: TracingConfig | None, *, service: str) -> TracerProvider:
    """What makes spans and sends them in the background, under this service's name.

    Without a configuration it does nothing, at no cost. Raises ImportError unless `can_export`.
    """
    if config is None:
        return NO_TRACES
    from eventimport.observability.tracing_export import create_exporting_provider  # noqa: PLC0415

    return create_exporting_provider(config.endpoint, service)


def annotate(attributes: Mapping[str, float]) -> None:
    """Add numbers to the current span; nothing happens where nothing is traced."""
    trace.get_current_span().set_attributes(attributes)


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
