"""A drill: a backup is restored beside the record, proven, measured, and dropped again."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Any

from django.db import connection, transaction
from django.utils import timezone

from ops import audit
from ops.choices import RestoreKind, RestoreStatus
from ops.databases import Database
from ops.errors import OpsError
from ops.models import Restore
from ops.server import drop
from ops.services.incidents import open_incident
from ops.services.restoring import Archive, grown, require_fit, stands_as_of


def drill(
    opened: AbstractContextManager[Archive],
    source: str,
    *,
    by: str,
    say: Callable[[str], None] = lambda _: None,
) -> Restore:
    """Restore into a scratch database, prove it by counts and checksums, drop it.

    On record with how long it took, and what would have been lost had the database gone at this
    moment. A failure, also to open the backup at all, is on record with its reason, an incident,
    and raised.
    """
    began = time.monotonic()
    scratch = f"{connection.settings_dict['NAME']}_drill"
    attempt = Restore.objects.create(
        kind=RestoreKind.DRILL,
        status=RestoreStatus.RUNNING,
        source=source,
        target=scratch,
        by=by,
        started_at=timezone.now(),
    )
    try:
        with opened as archive:
            attempt.source = archive.source
            require_fit(archive.about)
            with grown(archive, beside=scratch, say=say) as restored:
                pass
            drop(Database.of_owner(), restored.database)
    except Exception as error:
        _end(attempt, RestoreStatus.FAILED, _reason(error))
        raise
    attempt.seconds = restored.seconds | {"in all": round(time.monotonic() - began, 2)}
    attempt.report = restored.report | _reach(archive, attempt)
    _end(attempt, RestoreStatus.PROVEN, "")
    return attempt


def _reach(archive: Archive, attempt: Restore) -> dict[str, Any]:
    """Say as of when the record would stand, and how much that is behind this moment."""
    reaches = stands_as_of(archive)
    behind = attempt.started_at - datetime.fromisoformat(reaches)
    return {"reaches": reaches, "lost_seconds": round(max(0.0, behind.total_seconds()), 1)}


def _end(attempt: Restore, status: RestoreStatus, failure: str) -> None:
    attempt.status, attempt.failure, attempt.finished_at = status, failure, timezone.now()
    with transaction.atomic():
        attempt.save()
        audit.record(f"drill.{status.value}", by=attempt.by, kind="drill", key=attempt.pk)
        if status == RestoreStatus.FAILED:
            words = f"{attempt.source} was not proven. {failure}"
            open_incident(component="backups", title="A drill failed", words=words)


def _reason(error: Exception) -> str:
    return str(error) if isinstance(error, OpsError) else type(error).__name__


def give_up_unfinished() -> int:
    """Say of drills on record as running, whose process is gone, that they failed."""
    return Restore.objects.filter(kind=RestoreKind.DRILL, status=RestoreStatus.RUNNING).update(
        status=RestoreStatus.FAILED,
        failure="It was ended before it was done.",
        finished_at=timezone.now(),
    )
