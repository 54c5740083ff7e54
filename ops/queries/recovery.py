"""Whether there is a way back: a recent backup, and a recent restore that was proven."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from ops.choices import DUMPS, BackupStatus, RestoreKind, RestoreStatus
from ops.models import Backup, Restore


@dataclass(frozen=True)
class WayBack:
    """What one could go back to, and what is missing of it; nothing, if all is well."""

    backup: Backup | None
    drill: Restore | None
    missing: list[str]


def way_back(*, now: datetime, within: timedelta) -> WayBack:
    """Look for the newest dump that was made and for the newest drill: it must have been proven.

    An older drill that was proven does not make up for a newer one that failed.
    """
    made = Backup.objects.filter(kind__in=DUMPS, status=BackupStatus.MADE)
    backup = made.order_by("-finished_at").first()
    ended = Restore.objects.filter(kind=RestoreKind.DRILL).exclude(status=RestoreStatus.RUNNING)
    drill = ended.order_by("-started_at", "-id").first()
    missing = []
    if backup is None or backup.finished_at is None or backup.finished_at < now - within:
        missing.append("a recent backup")
    if drill is None or drill.status != RestoreStatus.PROVEN:
        missing.append("a drill that was proven, as the newest one")
    elif drill.finished_at is None or drill.finished_at < now - within:
        missing.append("a recent drill")
    return WayBack(backup, drill, missing)
