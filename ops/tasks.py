"""The place by the clock. All of it runs on the queue of the keeper."""

from celery import shared_task
from django.utils import timezone

from ops.choices import BackupKind
from ops.services.backing_up import back_up
from ops.services.configuration import back_up_configuration
from ops.services.drilling import drill
from ops.services.log_shipping import back_up_base, ship
from ops.services.nightly import keep_up
from ops.services.restoring import kept_archive


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
