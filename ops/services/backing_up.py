"""Backups are made, put on record, and given up when their time is over.

One at a time. A backup that failed leaves its reason on record and nothing among the backups.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from ops import audit
from ops.catalogue import (
    FORMAT,
    Manifest,
    began_at,
    keep,
    kept_names,
    kind_in,
    manifest_of,
    name_for,
    object_path,
    remove,
)
from ops.choices import DUMPS, BackupKind, BackupStatus
from ops.databases import Database, held_lock
from ops.encryption import recipients
from ops.errors import BackupFailed, BackupRunning, OpsError
from ops.models import Backup
from ops.services.dumping import Written, dump
from ops.services.holding import is_kind_held, wait_for_turn
from ops.services.incidents import open_incident

# The lock ends with its holder, so that a killed backup does not block the next.
_LOCK = 0x5649_4749_4C20
_SECONDS_BETWEEN_STEPS = 1.0

Say = Callable[[str], None]
Made = tuple[Written, dict[str, Any]]


def back_up(kind: BackupKind, *, by: str, why: str = "", say: Say = lambda _: None) -> Backup:
    """Make one dump, encrypted, and keep it with its manifest.

    Raises KeyMissing before anything else, BackupRunning, and BackupFailed with the cause.
    """
    return make(kind, "dump.age", _dumped, by=by, why=why, say=say)


def make(
    kind: BackupKind,
    file_name: str,
    how: Callable[[Path, Say], Made],
    *,
    by: str,
    why: str = "",
    say: Say = lambda _: None,
) -> Backup:
    """Make one backup of whatever sort: `how` writes the encrypted file and tells about it.

    Returns the backup that is kept. Raises as `back_up` does.
    """
    recipients()
    with held_lock(_LOCK) as is_alone:
        if not is_alone:
            raise BackupRunning(_who_runs())
        backup = _begin(kind, by=by)
        steps = Steps(backup, say)
        try:
            with tempfile.TemporaryDirectory(prefix="vigil-backup-") as folder:
                file = Path(folder) / file_name
                written, about = how(file, steps)
                steps("keeping it")
                manifest = _manifest(backup, file_name, written, about)
                keep(backup.name, file, manifest)
        except Exception as error:
            raise _failed(backup, error) from error
        return _finish(backup, manifest, by=by, why=why)


def _dumped(file: Path, say: Say) -> Made:
    return dump(Database.of_owner(), file, say=say)


class Steps:
    """Tells what a backup does at the moment: whoever looks, and whoever waits."""

    def __init__(self, backup: Backup, say: Say) -> None:
        self._backup = backup
        self._say = say
        self._told_at = 0.0

    def __call__(self, step: str) -> None:
        """Take the next step."""
        self._say(step)
        if time.monotonic() - self._told_at > _SECONDS_BETWEEN_STEPS:
            self._told_at = time.monotonic()
            Backup.objects.filter(pk=self._backup.pk).update(step=step[:128])


def _who_runs() -> str:
    running = Backup.objects.filter(status=BackupStatus.RUNNING).first()
    if running is None:
        return "Another backup is just beginning or ending: try again in a minute."
    return (
        f"{running.name} is being made since {running.started_at:%H:%M} UTC"
        f" ({running.step or 'it begins'}): wait for its end."
    )


def _begin(kind: BackupKind, *, by: str) -> Backup:
    # Nobody holds the lock but we: what is on record as running was killed.
    for killed in Backup.objects.filter(status=BackupStatus.RUNNING):
        _failed(killed, BackupFailed("It was ended before it was done."))
    now = timezone.now()
    # Two that bear one moment could not be told apart by age.
    while Backup.objects.filter(name__endswith=name_for(kind, now).rpartition("-")[2]).exists():
        now += timedelta(seconds=1)
    return Backup.objects.create(
        name=name_for(kind, now), kind=kind, status=BackupStatus.RUNNING, by=by, started_at=now
    )


def _manifest(backup: Backup, file_name: str, written: Written, about: dict[str, Any]) -> Manifest:
    return {
        "format": FORMAT,
        "name": backup.name,
        "kind": backup.kind,
        "by": backup.by,
        "began_at": backup.started_at.isoformat(),
        "seconds": round((timezone.now() - backup.started_at).total_seconds(), 1),
        "version": settings.VERSION,
        "stage": settings.STAGE,
        "object": {
            "path": object_path(backup.name, file_name),
            "bytes": written.size,
            "sha256": written.sha256,
        },
        **about,
    }


def _finish(backup: Backup, manifest: Manifest, *, by: str, why: str) -> Backup:
    with transaction.atomic():
        put_on_record(backup, manifest)
        audit.record(
            "backup.made",
            by=by,
            kind="backup",
            key=backup.name,
            why=why,
            details={"sha256": backup.sha256, "bytes": backup.size},
        )
    return backup


def put_on_record(backup: Backup, manifest: Manifest) -> None:
    """Say of a backup on record what its manifest says."""
    backup.status = BackupStatus.MADE
    backup.step = ""
    backup.failure = ""
    backup.size, backup.sha256 = manifest["object"]["bytes"], manifest["object"]["sha256"]
    backup.finished_at = backup.started_at + timedelta(seconds=manifest["seconds"])
    backup.manifest = manifest
    backup.save()


def _failed(backup: Backup, error: Exception) -> BackupFailed:
    cause = _cause_of(error)
    with transaction.atomic():
        Backup.objects.filter(pk=backup.pk).update(
            status=BackupStatus.FAILED, finished_at=timezone.now(), failure=cause
        )
        audit.record("backup.failed", by=backup.by, kind="backup", key=backup.name)
        open_incident(component="backups", title=f"{backup.name} failed", words=cause)
    return BackupFailed(f"{backup.name} could not be made, and nothing of it is kept. {cause}")


def _cause_of(error: Exception) -> str:
    if isinstance(error, OpsError):
        return str(error)
    if isinstance(error, OSError) and error.strerror:
        where = f" ({tempfile.gettempdir()} or where backups are kept)"
        return f"{error.strerror}{where}: make room or mend the storage, then try again."
    if type(error).__module__.startswith("botocore"):
        return (
            f"The storage of the backups does not answer, or refuses ({type(error).__name__}): look"
            " after HOSPITAL_BACKUP_BUCKET and its rights, then try again."
        )
    # The text of an unforeseen error may quote a row.
    return f"It met {type(error).__name__}: see the log of whoever made it."


def read_catalogue() -> str:
    """Put on record what is kept and not on record: after a restore the record is older than it.

    Returns a sentence of how many that were.
    """
    on_record = {
        backup.name: backup
        for backup in Backup.objects.exclude(status__in=[BackupStatus.MADE, BackupStatus.GONE])
    }
    known = set(Backup.objects.values_list("name", flat=True)) - set(on_record)
    found = 0
    for name in kept_names():
        if name in known:
            continue
        manifest = manifest_of(name)
        backup = on_record.get(name) or Backup(
            name=name, kind=kind_in(name), by=manifest["by"], started_at=began_at(name)
        )
        put_on_record(backup, manifest)
        found += 1
    return f"{found} kept backups were not on record and are now"


def due_kind(now: datetime) -> BackupKind | None:
    """Say which dump is due: the first of a month is monthly, of a week weekly; None: none is.

    Judged by what is kept, on the hospital's clock. A night that was missed is made up for.
    """
    local = timezone.localtime(now)
    due_since = local.replace(hour=settings.BACKUP_HOUR, minute=0, second=0, microsecond=0)
    if local < due_since:
        due_since -= timedelta(days=1)
    times = {
        kind: max((began_at(name) for name in kept_names(kind)), default=None)
        for kind in (BackupKind.DAILY, BackupKind.WEEKLY, BackupKind.MONTHLY)
    }
    latest = max((at for at in times.values() if at), default=None)
    if latest is not None and latest >= due_since:
        return None
    month = due_since.replace(day=1, hour=0)
    week = (due_since - timedelta(days=due_since.weekday())).replace(hour=0)
    for kind, begin in ((BackupKind.MONTHLY, month), (BackupKind.WEEKLY, week)):
        at = times[kind]
        if at is None or at < begin:
            return kind
    return BackupKind.DAILY


def give_up_old(*, now: datetime, by: str, is_dry_run: bool = False) -> list[str]:
    """Stop keeping what is older than its kind is kept. Never the newest dump, however old it is.

    A legal hold on backups or on everything keeps them all. Returns the names; each is on the
    trail.
    """
    dumps = kept_names(*DUMPS)
    over = [
        name
        for name in kept_names()
        if name not in dumps[:1] and began_at(name) < now - timedelta(days=days_kept(name))
    ]
    for name in [] if is_dry_run else over:
        with transaction.atomic():
            wait_for_turn()
            if is_kind_held("ops.backups"):
                return over[: over.index(name)]
            Backup.objects.filter(name=name).update(status=BackupStatus.GONE)
            audit.record("backup.given_up", by=by, kind="backup", key=name)
            remove(name)
    return over


def days_kept(name: str) -> int:
    """Say for how many days a backup is kept."""
    return int(settings.KEPT_DAYS[kind_in(name).value])
