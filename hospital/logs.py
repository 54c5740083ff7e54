"""Logging: one JSON object a line, with the request's id, and never a word about a patient.

Query strings, object names and exception texts stay out: any of them may hold a name. So does
whatever a library hands over that is no plain value: a request, shown, shows its address.
"""

from __future__ import annotations

import logging.config
import sys
import traceback
from collections.abc import Mapping
from typing import Any

import structlog

_FRAMES = 8
_PLAIN = (str, int, float, bool, type(None))


def _one_line_a_request(_logger: Any, _name: str, event: Any) -> Any:
    """Let a request be told once, when it has ended: boards ask every other second."""
    if event.get("event") == "request_started":
        raise structlog.DropEvent
    return event


def _without_values(_logger: Any, _name: str, event: Any) -> Any:
    """Keep where an exception came from and drop what it says: databases quote rows."""
    info = event.pop("exc_info", None)
    event.pop("stack_info", None)
    kept: dict[str, Any] = {n: value for n, value in event.items() if isinstance(value, _PLAIN)}
    if "request" in kept:
        kept["request"] = str(kept["request"]).partition("?")[0]
    if info and (error := _error_in(info)) is not None:
        kept["exception"] = _told(error)
    return kept


def _error_in(info: Any) -> BaseException | None:
    """Find the exception in any of the forms in which logging calls pass one."""
    if isinstance(info, BaseException):
        return info
    error: BaseException | None = (info if isinstance(info, tuple) else sys.exc_info())[1]
    return error


def _told(first: BaseException) -> list[dict[str, Any]]:
    """Name the types of an exception and of its causes, and where each came from."""
    told: list[dict[str, Any]] = []
    error: BaseException | None = first
    while error is not None and len(told) < _FRAMES:
        frames = traceback.extract_tb(error.__traceback__)[-_FRAMES:]
        places = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames]
        told.append({"type": type(error).__name__, "at": places})
        error = error.__cause__ or error.__context__
    return told


class TaskFailuresWithoutWords(logging.Filter):
    """Takes the exception's text out of what Celery writes about a task that failed."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Rewrite such a record; let every record through."""
        if record.name == "celery.app.trace" and record.levelno >= logging.WARNING:
            said = record.args if isinstance(record.args, Mapping) else {}
            record.msg = f"task {said.get('name')} {said.get('description', 'failed')}"
            record.args = ()
        return True


_SHARED: list[Any] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.stdlib.ExtraAdder(),
    structlog.processors.TimeStamper(fmt="iso", utc=True),
]


def configure(config: dict[str, Any]) -> None:
    """Set logging up; Django calls this with the LOGGING setting."""
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            _one_line_a_request,
            *_SHARED,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "filters": {"tasks": {"()": TaskFailuresWithoutWords}},
            "formatters": {
                "json": {
                    "()": structlog.stdlib.ProcessorFormatter,
                    "foreign_pre_chain": _SHARED,
                    "processors": [
                        structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                        _without_values,
                        structlog.processors.JSONRenderer(),
                    ],
                }
            },
            "handlers": {
                "stderr": {
                    "class": "logging.StreamHandler",
                    "formatter": "json",
                    "filters": ["tasks"],
                }
            },
            "root": {"handlers": ["stderr"], "level": config["level"]},
            "loggers": {
                # These quote statements, parameters and sign-in names.
                "django.db.backends": {"level": "WARNING"},
                "axes": {"level": "ERROR"},
                # These tell the names of objects, and each question that is asked.
                "boto3": {"level": "WARNING"},
                "botocore": {"level": "WARNING"},
                "s3transfer": {"level": "WARNING"},
                "urllib3": {"level": "ERROR"},
            },
        }
    )
