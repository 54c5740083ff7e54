"""The function that generates alerts and keeps the place: by the clock, and by tasks in queues."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from hospital.functions.start import Event, EventNotKnown, is_tick, roll_call, start

start()

# pylint: disable=wrong-import-position
from django.db import close_old_connections, connection

from hospital.celery import app
from hospital.functions.clock import due
from hospital.functions.messages import run_message
from hospital.functions.retrying import come_again_soon

log = logging.getLogger(__name__)
# No worker does it here: a task that nobody imported is not known.
app.loader.import_default_modules()


def handler(event: Event, context: object = None) -> dict[str, Any]:
    """Do what is due at a tick of the clock, or the tasks of a batch. Raises EventNotKnown.

    Of a batch, the answer names the messages whose tasks failed. Of a tick, everything due is tried
    before a failure is raised: one task must not keep the others from running.
    """
    if answer := roll_call(event):
        return answer
    if not connection.in_atomic_block:
        # A function that was frozen between two events may hold a connection that is long gone.
        close_old_connections()
    if is_tick(event):
        return tick(event, context)
    records = event.get("Records") if isinstance(event, Mapping) else None
    if not records or any(
        not isinstance(each, Mapping) or each.get("eventSource") != "aws:sqs" for each in records
    ):
        raise EventNotKnown("The alerts' function knows the clock and queues of tasks, no other.")
    failed = [each["messageId"] for each in records if not _is_done(each)]
    failures = {"batchItemFailures": [{"itemIdentifier": each} for each in failed]}
    return come_again_soon(records, failures)


def tick(event: Event, context: object = None) -> dict[str, Any]:
    """Run what is due in this minute; what takes long is put into its queue."""
    at = datetime.fromisoformat(str(event["time"]))
    failures: dict[str, Exception] = {}
    done = []
    for entry in due(at):
        try:
            entry.run()
            done.append(entry.name)
        except Exception as error:  # pylint: disable=broad-exception-caught
            log.exception("what was due failed", extra={"task": entry.task})
            failures[entry.name] = error
    if failures:
        raise ExceptionGroup(f"Of what was due failed: {', '.join(failures)}", [*failures.values()])
    return {"done": done}


def _is_done(record: Event) -> bool:
    try:
        run_message(record["body"])
    except Exception as error:  # pylint: disable=broad-exception-caught
        log.exception(
            "task stays in the queue",
            extra={"id": record["messageId"], "error": type(error).__name__},
        )
        return False
    return True
