"""Structured logs, with neither secrets nor personal data in them.

Modules log through the standard library; what they say is rendered here. Only the roots call
`configure`: the web application's factory, the command line, the worker.
"""

import logging
import re
import sys
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Final, Literal, TextIO

import structlog
from structlog.contextvars import (
    bind_contextvars,
    bound_contextvars,
    clear_contextvars,
    get_contextvars,
)
from structlog.typing import EventDict, Processor, WrappedLogger

from eventimport.observability.redaction import reason_of, redact, traceback_of
from eventimport.observability.visible_text import visible

FIELDS: Final = {"method", "route", "status", "seconds", "bytes", "stages"}
"""What a record's `extra` may add; what other libraries put there is left out."""

QUIET: Final = (
    "httpx",
    "httpcore",
    "botocore",
    "aiobotocore",
    "boto3",
    "asyncpg",
    "multipart",
    "arq",
)
"""They log every request that they make, URLs included, or every wake-up."""

TRACED_LEVELS: Final = {"error", "critical"}
_ARQ_SYMBOLS: Final = re.compile(r"[^ -~\n]+ ?|(?<=s )! ")
"""Arrows and the like, with which arq decorates its lines."""

bind = bind_contextvars
"""Names (`request_id`, `task_id`, `user_id`) that every line of this request or job bears."""
forget = clear_contextvars


def bound(**names: object) -> AbstractContextManager[None]:
    """Have every line bear these names meanwhile, those that are None left out."""
    return bound_contextvars(**{name: value for name, value in names.items() if value is not None})


def request_id() -> str | None:
    """What the lines of this request bear as `request_id`; None outside of requests."""
    found: Any = get_contextvars().get("request_id")
    return found if isinstance(found, str) else None


@dataclass(frozen=True, slots=True)
class LogConfig:
    """How much is logged, and how; `auto` is for people where the stream is a terminal."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["auto", "json", "console"] = "auto"


def configure(config: LogConfig, stream: TextIO | None = None) -> None:
    """Send the log records of this process to `stream`, by default the standard error."""
    stream = stream or sys.stderr
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[
                structlog.contextvars.merge_contextvars,
                structlog.stdlib.add_log_level,
                structlog.stdlib.add_logger_name,
                structlog.stdlib.ExtraAdder(allow=FIELDS),
                structlog.processors.TimeStamper(fmt="iso", utc=True),
            ],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                _tell_exception,
                _keep_secrets,
                _renderer(config, stream),
            ],
        )
    )
    root = logging.getLogger()
    for old in root.handlers[:]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(config.level.upper())
    for name in QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)


def _renderer(config: LogConfig, stream: TextIO) -> Processor:
    if config.format == "console" or (config.format == "auto" and stream.isatty()):
        return structlog.dev.ConsoleRenderer(colors=stream.isatty())
    return structlog.processors.JSONRenderer(ensure_ascii=False)


def _tell_exception(_logger: WrappedLogger, _method: str, record: EventDict) -> EventDict:
    raised = record.pop("exc_info", None)
    record.pop("stack_info", None)
    error = raised[1] if isinstance(raised, tuple) else raised
    if isinstance(error, BaseException):
        # A warning is about a server that is unavailable, or a client: its stack explains nothing.
        if record.get("level") in TRACED_LEVELS:
            record["exception"] = traceback_of(error)
        else:
            record["reason"] = reason_of(error)
    return record


def _keep_secrets(_logger: WrappedLogger, _method: str, record: EventDict) -> EventDict:
    if str(record.get("logger")).startswith("arq"):
        record["event"] = _ARQ_SYMBOLS.sub("", record["event"]).strip()
    for name, value in record.items():
        if isinstance(value, str):
            redacted = value if name == "exception" else redact(value)
            record[name] = visible(redacted, keep="\n\t")
    if record.get("logger") == "asyncio":
        # Below its first line asyncio shows the task, and with it what was raised.
        record["event"] = record["event"].partition("\n")[0]
    return record
