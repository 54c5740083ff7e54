"""The place by the clock. All of it runs on the queue of the keeper."""

from celery import shared_task
from django.utils import timezone

from ops.services.log_shipping import ship
from ops.services.nightly import keep_up


@shared_task
def ship_log() -> int:
    """Keep what the database's log has gained. Safe to run twice, or at once."""
    return ship()


@shared_task
def keep_backups() -> list[str]:
    """Make the backups that are due, give up the old, and drill. Returns what was done."""
    return keep_up(now=timezone.now())
