"""The place by the clock.

Sampled by any worker, so that a sample says that one is alive; all else runs on the queue of the
keeper: the routes stand in the settings.
"""

from __future__ import annotations

import sys

from celery import shared_task
from django.conf import settings
from django.utils import timezone

from ops.choices import BackupKind
from ops.metrics import embedded
from ops.services.backing_up import back_up
from ops.services.configuration import back_up_configuration
from ops.services.drilling import drill
from ops.services.log_shipping import back_up_base, ship
from ops.services.nightly import keep_up
from ops.services.restoring import kept_archive
from ops.services.sampling import fold_days, sample


@shared_task
def ship_log() -> int:
    """Keep what the database's log has gained. Safe to run twice, or at once."""
    return ship()


@shared_task
def keep_backups() -> list[str]:
    """Make the backups that are due, give up the old, and drill. Returns what was done."""
    return keep_up(now=timezone.now())


@shared_task
def make_backup(kind: str, by: str, why: str) -> str:
    """Make a backup that somebody asked for. Returns its name."""
    how = {
        BackupKind.CONFIGURATION: back_up_configuration,
        BackupKind.BASE: back_up_base,
    }.get(BackupKind(kind), back_up)
    return how(BackupKind(kind), by=by, why=why).name


@shared_task
def drill_backup(name: str, by: str) -> str:
    """Prove a backup because somebody asked for it. Returns how that ended."""
    with kept_archive(name) as archive:
        return str(drill(archive, by=by).status)


@shared_task(soft_time_limit=45, time_limit=55)
def sample_components() -> None:
    """Ask every component and put on record what was found. Safe to run twice, or at once."""
    now = timezone.now()
    found = sample(now)
    if settings.METRICS == "emf":
        figures = {name: finding.figures for name, finding in found.items()}
        for document in embedded(figures, stage=settings.STAGE, at=now):
            sys.stdout.write(f"{document}\n")
        sys.stdout.flush()


@shared_task
def fold_samples() -> int:
    """Count the days that are over, and let go of old samples. Safe to run twice."""
    return fold_days(timezone.now())
