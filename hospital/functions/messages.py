"""Celery's messages as they lie in a queue of SQS, run without a worker.

Knows kombu's envelope. Waiting times and retries of Celery do not hold here: a task that fails
stays in the queue, which hands it out again and puts it aside at last.
"""

from __future__ import annotations

import base64
import json
from typing import Any

from hospital.celery import app


class TaskNotKnown(Exception):
    """A message names a task that there is not, or is none at all."""


def run_message(body: str) -> None:
    """Run the task of a message. Raises TaskNotKnown, and what the task raises."""
    name, arguments, words = _read(body)
    if name not in app.tasks:
        raise TaskNotKnown("A message of the queue names a task that there is not.")
    app.tasks[name].apply(args=tuple(arguments), kwargs=words, throw=True)


def _read(body: str) -> tuple[str, list[Any], dict[str, Any]]:
    try:
        envelope = json.loads(body if body.lstrip().startswith("{") else base64.b64decode(body))
        inner = envelope["body"]
        if envelope["properties"].get("body_encoding") == "base64":
            inner = base64.b64decode(inner)
        arguments, words, _ = json.loads(inner)
        return str(envelope["headers"]["task"]), list(arguments), dict(words)
    except (ValueError, KeyError, TypeError, AttributeError):
        raise TaskNotKnown("A message of the queue is none of Celery's.") from None
