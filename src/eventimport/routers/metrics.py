"""Metrics for Prometheus: this process's requests, and what the database knows of all imports."""

import asyncio
import hmac
from collections.abc import Iterable, Iterator
from ipaddress import IPv6Address, ip_address

from fastapi import Request
from fastapi.responses import Response
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    InfoMetricFamily,
    SummaryMetricFamily,
)
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from eventimport import __version__
from eventimport.database.engine import connections_in_use
from eventimport.database.statistics import ImportStatistics
from eventimport.errors import refuse
from eventimport.http.dependencies import ResourcesDep, unauthorized
from eventimport.http.readiness import Checks, run_checks
from eventimport.http.routing import Router
from eventimport.resources import Resources
from eventimport.settings import Settings

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
FORWARDED = {
    "forwarded",
    "via",
    "x-real-ip",
    "x-client-ip",
    "x-cluster-client-ip",
    "true-client-ip",
}

router = Router(tags=["health"])


@router.get("/metrics", include_in_schema=False)
async def get_metrics(request: Request, resources: ResourcesDep) -> Response:
    """What Prometheus scrapes. While the database is unavailable, it has nothing of the imports."""
    _check_access(request, resources.settings)
    statistics, checks = await asyncio.gather(resources.statistics.read(), run_checks(resources))
    registry = CollectorRegistry(auto_describe=False)
    registry.register(ServiceCollector(resources, checks))
    registry.register(StatisticsCollector(statistics))
    content = generate_latest(resources.metrics.registry) + generate_latest(registry)
    return Response(content, media_type=CONTENT_TYPE, headers={"Cache-Control": "no-store"})


def _check_access(request: Request, settings: Settings) -> None:
    if not settings.metrics_enabled:
        raise refuse(404, "not-found", "Not Found", "Unknown path /metrics.")
    if settings.metrics_token is None:
        if not _is_local(request):
            raise refuse(
                403,
                "forbidden",
                "Not allowed",
                "Without METRICS_TOKEN, metrics are served only to this machine."
                " Set it, and send it as a bearer token.",
            )
        return
    given = request.headers.get("authorization", "").encode()
    wanted = f"Bearer {settings.metrics_token.get_secret_value()}".encode()
    if not hmac.compare_digest(given, wanted):
        raise unauthorized()


def _is_local(request: Request) -> bool:
    """Whether the request comes from this machine; over a Unix socket it has no address. What a
    proxy has forwarded does not, wherever the proxy is."""
    if any(name in FORWARDED or name.startswith("x-forwarded") for name in request.headers):
        return False
    if request.client is None:
        return True
    try:
        address = ip_address(request.client.host)
    except ValueError:
        return False
    if isinstance(address, IPv6Address):
        address = address.ipv4_mapped or address
    return address.is_loopback


class ServiceCollector(Collector):
    """The checks of `/readyz`, and this process's connections to PostgreSQL."""

    def __init__(self, resources: Resources, checks: Checks) -> None:
        self._resources = resources
        self._checks = checks

    def collect(self) -> Iterator[Metric]:
        """All of it. What could not be measured is left out."""
        build = InfoMetricFamily("eventimport_build", "Version of the service.")
        build.add_metric((), {"version": __version__})
        yield build
        yield _gauges(
            "eventimport_check_ok",
            "Whether a check of /readyz succeeds. A check that cannot be made is left out.",
            ("check",),
            [
                ((name,), float(result == "ok"))
                for name, result in self._checks.results.items()
                if result != "unknown"
            ],
        )
        if self._checks.workers is not None:
            yield _gauge("eventimport_workers", "Workers that are alive.", self._checks.workers)
        if self._checks.free_bytes is not None:
            yield _gauge(
                "eventimport_disk_free_bytes",
                "Free bytes on the disk of LOCAL_STORAGE_PATH.",
                self._checks.free_bytes,
            )
        yield _gauges(
            "eventimport_clock_difference_seconds",
            "Seconds by which this process's clock is ahead of a server's.",
            ("server",),
            [((name,), ahead) for name, ahead in self._checks.clock_differences.items()],
        )
        pools = {"transactions": self._resources.engine, "reads": self._resources.reader}
        yield _gauges(
            "eventimport_database_connections_in_use",
            "Connections to PostgreSQL that this process uses now, by pool.",
            ("pool",),
            [((name,), connections_in_use(engine)) for name, engine in pools.items()],
        )
        yield _gauge(
            "eventimport_database_connections_max",
            "Maximum number of connections of this process to PostgreSQL (DATABASE_POOL_SIZE).",
            self._resources.settings.database_pool_size,
        )


class StatisticsCollector(Collector):
    """A snapshot in Prometheus's terms. All processes of a service report the same figures about
    imports: take the `max` over them, not the `sum`."""

    def __init__(self, statistics: ImportStatistics | None) -> None:
        self._statistics = statistics

    def collect(self) -> Iterator[Metric]:
        """All that the snapshot holds."""
        told = self._statistics
        yield _gauge(
            "eventimport_database_up",
            "Whether the metrics of imports could be read from the database.",
            told is not None,
        )
        if told is None:
            return
        yield _gauges(
            "eventimport_imports",
            "Imports, by status.",
            ("status", "stage"),
            told.imports.items(),
        )
        yield _gauge("eventimport_waiting_imports", "Imports that wait for a worker.", told.waiting)
        yield _gauge(
            "eventimport_oldest_waiting_import_seconds",
            "Time since which the oldest of them waits; 0 if none waits.",
            told.oldest_waiting,
        )
        yield _gauges(
            "eventimport_waiting_tasks",
            "Tasks that wait for a worker, by kind.",
            ("kind",),
            [((kind,), count) for kind, count in told.waiting_tasks.items()],
        )
        yield _gauge(
            "eventimport_oldest_waiting_task_seconds",
            "Time since the oldest of them was made; 0 if none waits.",
            max(0.0, told.oldest_waiting_task),
        )
        stages = SummaryMetricFamily(
            "eventimport_stage_seconds", "Duration of the stages of imports.", labels=("stage",)
        )
        for stage, time in told.stages.items():
            stages.add_metric((stage,), count_value=time.imports, sum_value=time.seconds)
        yield stages
        yield _gauges(
            "eventimport_media",
            "Media files of imports, by outcome.",
            ("outcome", "origin"),
            told.media.items(),
        )
        sizes = {("archive",): told.archive_bytes, ("media",): told.media_bytes}
        yield _gauges("eventimport_stored_bytes", "Bytes stored.", ("kind",), sizes.items())
        removed = CounterMetricFamily(
            "eventimport_cleaned_up",
            "Files and rows that the clean-up removed, by reason; `failed`: not removed.",
            labels=("reason",),
        )
        for reason, count in told.cleaned_up.items():
            removed.add_metric((reason,), count)
        yield removed


def _gauge(name: str, help_: str, value: float) -> Metric:
    return GaugeMetricFamily(name, help_, value=value)


def _gauges(
    name: str,
    help_: str,
    labels: tuple[str, ...],
    values: Iterable[tuple[tuple[str, ...], float]],
) -> Metric:
    family = GaugeMetricFamily(name, help_, labels=labels)
    for named, value in values:
        family.add_metric(named, value)
    return family
