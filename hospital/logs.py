"""Logging: one JSON object a line, with the request's id, and never a word about a patient.

Query strings, object names and exception texts stay out: any of them may hold a name.
"""

from __future__ import annotations

import logging.config
from typing import Any

import structlog

_SHARED: list[Any] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.stdlib.ExtraAdder(),
    structlog.processors.TimeStamper(fmt="iso", utc=True),
]


def _without_values(_logger: Any, _name: str, event: dict[str, Any]) -> dict[str, Any]:
    """Keep where an exception came from and drop what it says: databases quote rows."""
    if info := event.pop("exc_info", None):
        frames = structlog.tracebacks.extract(*info, show_locals=False) if info is not True else []
        event["exception"] = [
            {
                "type": stack.exc_type,
                "at": [
                    f"{frame.filename}:{frame.lineno} {frame.name}" for frame in stack.frames[-8:]
                ],
            }
            for stack in frames[0:1] and frames
        ]
    if isinstance(event.get("request"), str):
        event["request"] = event["request"].split("?", 1)[0]
    return event


def configure(config: dict[str, Any]) -> None:
    """Set logging up; Django calls this with the LOGGING setting."""
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
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
            "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "json"}},
            "root": {"handlers": ["stderr"], "level": config["level"]},
            "loggers": {
                # These quote statements, parameters and sign-in names.
                "django.db.backends": {"level": "WARNING"},
                "axes": {"level": "ERROR"},
            },
        }
    )
