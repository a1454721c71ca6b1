"""What this process counts of its requests, for Prometheus."""

from typing import Final

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
)

# Prometheus would store each as a series of its own, which no query uses.
disable_created_metrics()  # type: ignore[no-untyped-call]

METHODS: Final = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
OTHER: Final = "other"
"""Stands for whatever a stranger may make up: a label has few values, always."""

BUCKETS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60, 600)


class RequestMetrics:
    """Requests by method, route template and status, their latency, and what the process uses. Its
    registry is its own, so that two applications in one process do not count together."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self._requests = Counter(
            "eventimport_http_requests",
            "Requests that were answered.",
            ("method", "route", "status"),
            registry=self.registry,
        )
        self._seconds = Histogram(
            "eventimport_http_request_seconds",
            "Time from the head of the request to the last byte of the response.",
            ("method", "route"),
            buckets=BUCKETS,
            registry=self.registry,
        )

    def count(self, method: str, route: str | None, status: int, seconds: float) -> None:
        """Count one request. `route` is the template of its path, None where there was no route."""
        method = method if method in METHODS else OTHER
        route = route or OTHER
        self._requests.labels(method, route, str(status)).inc()
        self._seconds.labels(method, route).observe(seconds)
