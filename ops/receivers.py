"""What the queue tells of itself: a job that failed is an incident for operators."""

from __future__ import annotations

import logging
from typing import Any

from celery.signals import task_failure

from ops.services.incidents import open_incident

log = logging.getLogger(__name__)


@task_failure.connect
def tell_of_a_failed_job(sender: Any = None, exception: Any = None, **_more: Any) -> None:
    """Open an incident for the job, once; a person closes it. An error's text stays out of it."""
    name = getattr(sender, "name", "unknown")
    words = (
        f"It ended with {type(exception).__name__}. The worker's log says where. Jobs are safe to"
        " repeat, and the clock calls them again: see whether it has recovered, then close this."
    )
    try:
        open_incident(component="workers", title=f"A job failed: {name}", words=words)
    except Exception as error:  # pylint: disable=broad-exception-caught
        # Mostly the database is what failed, and its own state says so. The queue would write an
        # error's text into the log, and that may quote a row.
        log.warning("failed job cannot be put on record", extra={"error": type(error).__name__})
