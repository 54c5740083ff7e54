"""Ingestion by message: a message only makes quick what the database already holds as work."""

import logging

from celery import shared_task
from django.utils import timezone
from kombu.exceptions import OperationalError as QueueError

from ingestion.services.books import balance_if_due
from ingestion.services.draining import drain
from ingestion.services.reconciling import reconcile
from ingestion.storage import Places
from ops.services.muting import is_muted

log = logging.getLogger(__name__)


@shared_task
def ingest_received() -> int:
    """Ingest whatever any place has on record as received. Safe to run twice, or at once."""
    return 0 if is_muted() else drain()


@shared_task
def reconcile_buckets() -> int:
    """Find what no notice told of, and wake a worker for it. Returns how many that were."""
    if is_muted():
        return 0
    found = sum(one.found for one in reconcile(Places.from_settings(), now=timezone.now()) or ())
    if found:
        wake_a_worker()
    return found


@shared_task
def balance_books() -> bool:
    """Hold every row against the books, if it is due. Safe to run twice."""
    return balance_if_due(timezone.now())


def wake_a_worker() -> None:
    """Say that something was put on record. Without a queue, the clock finds it a little later."""
    try:
        ingest_received.delay()
    except QueueError:
        log.exception("queue cannot be reached; the beat will find what was registered")
