"""What is due of backups and drills is done, once, whoever asks and however often.

One failure does not stop the rest; each is an incident for operators.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime, timedelta

from django.conf import settings

from ops.catalogue import began_at, kept_names, manifest_of
from ops.choices import BackupKind, IncidentStatus, RestoreKind
from ops.databases import held_lock
from ops.errors import OpsError
from ops.models import Incident, Restore
from ops.registry import log_of_changes
from ops.services.backing_up import back_up, due_kind, give_up_old
from ops.services.configuration import back_up_configuration
from ops.services.drilling import drill, give_up_unfinished
from ops.services.incidents import close_incident, open_incident
from ops.services.log_shipping import (
    OF_THE_LOG,
    back_up_base,
    give_up_segments,
    recovered_archive,
    ship,
)
from ops.services.muting import is_muted
from ops.services.rds import give_up_old_snapshots, kept_snapshots, take_snapshot
from ops.services.restoring import kept_archive

log = logging.getLogger(__name__)

BY = "vigil"
_ONE_AT_A_TIME = 0x5649_4749_4C21
_DAY = timedelta(days=1)
# Nearly a day: the next night's must not be taken for made because this one's was late.
_LIKE_YESTERDAY = timedelta(hours=20)


def keep_up(*, now: datetime) -> list[str]:
    """Do what is due; returns what was done. Nothing while muted, or where another is at it."""
    done: list[str] = []
    if is_muted():
        # A copy that nobody uses must not give up, or add to, what the hospital keeps.
        return done
    with held_lock(_ONE_AT_A_TIME) as is_mine:
        if is_mine:
            _try("base of the log", lambda: _base_if_due(now), done)
            _try("night", lambda: _night(now, done), done)
    return [words for words in done if words]


def _base_if_due(now: datetime) -> str:
    return back_up_base(by=BY).name if _is_base_due(now) else ""


def _night(now: datetime, done: list[str]) -> str:
    kind = due_kind(now)
    if kind is None:
        return ""
    if settings.RDS_INSTANCE:
        _try("snapshot", lambda: _snapshot(now), done)
    _try("configuration", lambda: back_up_configuration(by=BY).name, done)
    if _try("backup", lambda: back_up(kind, by=BY).name, done):
        _try("retention", lambda: _give_up(now), done)
        _try("drill", _drill_newest, done)
        if log_of_changes() is not None:
            _try("drill of the log", _drill_log, done)
    return ""


def _snapshot(now: datetime) -> str:
    """Take the day's; a dump that fails and is tried again must not make a snapshot each time."""
    newest = next((one for one in kept_snapshots() if one.is_available), None)
    if newest is not None and newest.at and newest.at > now - _LIKE_YESTERDAY:
        return f"{newest.name} is there"
    name = take_snapshot(by=BY).name
    return f"{name}; {len(give_up_old_snapshots(now=now, by=BY))} snapshots given up"


def _is_base_due(now: datetime) -> bool:
    own = log_of_changes()
    if own is None:
        return False
    # Of this cluster: from the base of another its log leads nowhere.
    system = own.system()
    return not any(
        began_at(name) > now - _DAY and manifest_of(name)["system"] == system
        for name in kept_names(BackupKind.BASE)
    )


def _give_up(now: datetime) -> str:
    names = give_up_old(now=now, by=BY)
    return f"{len(names)} backups and {give_up_segments()} segments given up"


def _drill_newest() -> str:
    give_up_unfinished()
    newest = kept_names(BackupKind.DAILY, BackupKind.WEEKLY, BackupKind.MONTHLY)[0]
    return str(drill(kept_archive(newest), newest, by=BY))


def _drill_log() -> str:
    ship()
    return str(drill(recovered_archive(None, say=lambda _: None), OF_THE_LOG, by=BY))


def _try(what: str, act: Callable[[], str], done: list[str]) -> bool:
    try:
        done.append(act())
    except Exception as error:  # pylint: disable=broad-exception-caught
        words = str(error) if isinstance(error, OpsError) else type(error).__name__
        log.error("%s failed", what, extra={"why": words})
        done.append(f"{what} failed: {words}")
        open_incident(component="backups", title=_title(what), words=words)
        return False
    _end_incident(what)
    return True


def _title(what: str) -> str:
    return f"{what[0].upper()}{what[1:]} failed"


def _end_incident(what: str) -> None:
    """What went well ends the incident that told of its failure."""
    there = Incident.objects.filter(
        component="backups", title=_title(what), status=IncidentStatus.OPEN
    )
    for incident in there:
        close_incident(incident, words="It went well again.", by=BY)


def last_drill() -> Restore | None:
    """Give the newest drill, however it ended."""
    return Restore.objects.filter(kind=RestoreKind.DRILL).first()
