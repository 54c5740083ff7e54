"""Find what lies in the declared buckets and is not on record, and put it there as received."""

import sys
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError
from django.utils import timezone

from ingestion.services.reconciling import Reconciled, reconcile
from ingestion.storage import Places
from ingestion.tasks import wake_a_worker
from ops.management.manners import MannerlyCommand
from ops.services.muting import require_acting


class Command(MannerlyCommand):
    """`manage.py reconcile`: what the clock does every few minutes, now."""

    help = (
        "List every declared bucket, put on record what no notice told of, and wake a worker. Exits"
        " with 1 if a bucket could not be listed."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        """Reconcile, and say how many were found in each source."""
        if not settings.BUCKETS:
            raise CommandError("No bucket is declared: set HOSPITAL_BUCKETS.")
        require_acting()
        told = reconcile(Places.from_settings(), now=timezone.now())
        if told is None:
            raise CommandError("Another process is at it just now. Nothing was done here.")
        if any(one.found for one in told):
            wake_a_worker()
        for one in told:
            self.stdout.write(_line(one))
        if any(one.error for one in told):
            sys.exit(1)


def _line(one: Reconciled) -> str:
    counted = f"{one.source}: {one.listed} listed, {one.found} of which no notice told"
    return f"{counted}. It could not be listed to its end: {one.error}" if one.error else counted
