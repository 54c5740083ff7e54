"""The place by the clock.

Sampled by any worker, so that a sample says that one is alive; all else runs on the queue of the
keeper: the routes stand in the settings.
"""

from __future__ import annotations

import logging
import sys
from datetime import timedelta

from celery import shared_task
from django.conf import settings
from django.utils import timezone

from ops.choices import BackupKind
from ops.errors import PlaceMuted
from ops.metrics import embedded
from ops.services.backup_kinds import back_up_kind
from ops.services.drilling import drill
from ops.services.incidents import open_incident
from ops.services.log_shipping import ship
from ops.services.muting import is_muted
from ops.services.nightly import keep_up
from ops.services.restoring import kept_archive
from ops.services.retention import apply_nightly
from ops.services.sampling import fold_days, sample
from ops.services.sealing import SealsAhead, seal_trail
from ops.services.verifying import verify_trail

log = logging.getLogger(__name__)

_TRAIL = "audit trail"


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
    return back_up_kind(BackupKind(kind), by=by, why=why).name


@shared_task
def drill_backup(name: str, by: str) -> str:
    """Prove a backup because somebody asked for it. Returns how that ended."""
    return str(drill(kept_archive(name), name, by=by).status)


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


@shared_task
def seal() -> int:
    """Seal the trail. Safe to run twice, or at once. Returns how many seals were made.

    Not while the place is muted: of two copies of a hospital one would seal over the other.
    """
    if is_muted():
        return 0
    try:
        return len(seal_trail())
    except PlaceMuted:
        return 0  # since it was asked
    except SealsAhead as error:
        # It stays so until somebody acts.
        log.error("the trail is not sealed: the database was set back, storage holds more")
        open_incident(component=_TRAIL, title="The audit trail is not sealed", words=str(error))
        return 0


@shared_task
def verify_last_week() -> int:
    """Hold a week of the trail against its seals. Returns how many findings there are."""
    report = verify_trail(by="vigil", since=(timezone.now() - timedelta(days=7)).date())
    if report.findings:
        log.error("the trail is not as it was sealed", extra={"findings": len(report.findings)})
        words = (
            f"{len(report.findings)} findings in the last week, the first: {report.findings[0]}."
            " Keep database and storage as they are; see Audit verifications."
        )
        open_incident(component=_TRAIL, title="The trail is not as it was sealed", words=words)
    return len(report.findings)


@shared_task
def remove_what_is_over() -> int:
    """Remove what the hospital keeps no longer, once a day. Returns how many rows went."""
    run = apply_nightly(now=timezone.now())
    return run.gone if run else 0
