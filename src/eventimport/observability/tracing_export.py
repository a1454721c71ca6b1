"""Spans on their way out. Imported only where the extra `otel` is installed and asked for."""

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import Span, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

REDACTED = "REDACTED"


class Redaction(SpanProcessor):
    """Removes from spans what FastAPI adds and operators must not read: queries, which may hold a
    token, and the paths of files, which end with the names that their owners gave them."""

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:  # noqa: ARG002
        """Overwrite the attributes; the SDK has no way to remove one."""
        attributes = span.attributes or {}
        if "url.query" in attributes:
            span.set_attribute("url.query", REDACTED)
        if str(attributes.get("url.path", "")).startswith("/media/"):
            span.set_attribute("url.path", f"/media/{REDACTED}")


def create_exporting_provider(endpoint: str, service: str) -> TracerProvider:
    """Makes spans, and sends them in the background and at the end of the process."""
    provider = TracerProvider(resource=Resource.create({SERVICE_NAME: service}))
    provider.add_span_processor(Redaction())
    exporter = OTLPSpanExporter(endpoint=f"{endpoint}/v1/traces")
    provider.add_span_processor(BatchSpanProcessor(exporter))
    return provider
