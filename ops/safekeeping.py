"""What is kept against a loss, as the place tells of it: backups, their proof, the log, the trail.

Asks the record alone, not the storage: it is asked each minute.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from django.conf import settings
from django.utils import timezone

from ops.choices import DUMPS, BackupStatus, Health, RestoreStatus
from ops.models import AuditVerification, Backup, Muting, Restore
from ops.registry import Face, Finding, Probe, Tile, add_probe, add_tile, log_of_changes
from ops.services.deployments import standing_deployment
from ops.services.log_shipping import shipped_at
from ops.services.nightly import last_drill
from ops.services.sealing import unsealed_window

# A night and some hours: then it was missed. Two nights: then nobody looks.
_LATE, _TOO_LATE = timedelta(hours=27), timedelta(hours=51)
# Shipped every 20 seconds, so that at most a minute is lost.
_LOG_LATE, _LOG_TOO_LATE = timedelta(minutes=1), timedelta(minutes=10)


def backups() -> Finding:
    """Tell how old the newest dump is, whether it was proven, and how far the log reaches."""
    now = timezone.now()
    found = [_newest_dump(now), _newest_proof(now)]
    if log_of_changes() is not None:
        found.append(_log(now))
    # In words the worst first, as everywhere.
    ordered = sorted(found, key=lambda one: _SEVERITY.index(one.health))
    figures = {name: value for one in found for name, value in one.figures.items()}
    return Finding(ordered[0].health, " ".join(one.words for one in ordered), figures)


# Sealed every 30 seconds.
_SEAL_LATE, _SEAL_TOO_LATE = timedelta(seconds=75), timedelta(minutes=10)
_SEVERITY = (Health.DOWN, Health.DEGRADED, Health.UNKNOWN, Health.WELL)


def _newest_dump(now: datetime) -> Finding:
    newest = Backup.objects.filter(kind__in=DUMPS, status=BackupStatus.MADE).first()
    failed = Backup.objects.filter(status=BackupStatus.FAILED).first()
    if newest is None:
        words = "No dump was made yet. The keeper makes one within minutes of the first start."
        return Finding(Health.DEGRADED, words)
    age = now - newest.started_at
    words = f"The newest dump is {_age(age)} old ({newest.name})."
    if failed is not None and failed.started_at > newest.started_at:
        return Finding(Health.DEGRADED, f"{failed.name} failed. {words}", _seconds("backup", age))
    return Finding(_health(age, _LATE, _TOO_LATE), words, _seconds("backup", age))


def _newest_proof(now: datetime) -> Finding:
    newest = last_drill()
    proven = Restore.objects.filter(status=RestoreStatus.PROVEN).first()
    if newest is None or proven is None or proven.finished_at is None:
        if newest is not None and newest.status == RestoreStatus.FAILED:
            return Finding(Health.DOWN, "The last drill failed, and none was ever proven.")
        return Finding(Health.DEGRADED, "No restore was proven yet.")
    age = now - proven.finished_at
    took = proven.seconds.get("in all", sum(proven.seconds.values()))
    words = f"Proven by a restore {_age(age)} ago, in {took:,.0f} s."
    figures = _seconds("drill", age) | {"recovery_seconds": float(took)}
    if newest.status == RestoreStatus.FAILED:
        return Finding(Health.DOWN, f"The last drill failed. {words}", figures)
    return Finding(_health(age, _LATE, _TOO_LATE), words, figures)


def _log(now: datetime) -> Finding:
    at = shipped_at()
    if at is None:
        words = "It is not known until when the log was shipped: see that the keeper runs."
        return Finding(Health.DEGRADED, words)
    age = now - at
    health = _health(age, _LOG_LATE, _LOG_TOO_LATE)
    words = f"The log was shipped {_age(age)} ago."
    if health != Health.WELL:
        words = f"{words} What is done since would be lost: see that the keeper runs."
    return Finding(health, words, _seconds("log", age))


def _health(age: timedelta, late: timedelta, too_late: timedelta) -> Health:
    if age > too_late:
        return Health.DOWN
    return Health.DEGRADED if age > late else Health.WELL


def _seconds(what: str, age: timedelta) -> dict[str, float]:
    return {f"{what}_age_seconds": round(age.total_seconds(), 1)}


def _age(age: timedelta) -> str:
    seconds = int(age.total_seconds())
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds // size} {unit}"
    return f"{max(seconds, 0)} s"


def muting() -> Finding:
    """Tell whether this place acts."""
    muted = Muting.objects.filter(ended_at__isnull=True).first()
    if muted is None:
        return Finding(Health.WELL, "It takes files in and tells people.")
    words = (
        f"It is muted since {timezone.localtime(muted.muted_at):%H:%M on %d %b}: no file is taken"
        f" in, nobody told. {muted.why} manage.py unmute lets it act."
    )
    return Finding(Health.DOWN, words)


def trail() -> Finding:
    """Tell whether the audit trail is sealed in time, and what came of its last verification."""
    now = timezone.now()
    found = [_unsealed(now), _verified(now)]
    ordered = sorted(found, key=lambda one: _SEVERITY.index(one.health))
    figures = {name: value for one in found for name, value in one.figures.items()}
    return Finding(ordered[0].health, " ".join(one.words for one in ordered), figures)


def _unsealed(now: datetime) -> Finding:
    window = unsealed_window()
    age = now - window.oldest if window.oldest else timedelta()
    figures = {"audit_unsealed_events": float(window.count)} | _seconds("audit_unsealed", age)
    if not window.count:
        return Finding(Health.WELL, "Every event is sealed.", figures)
    health = _health(age, _SEAL_LATE, _SEAL_TOO_LATE)
    words = f"{window.count} events are not sealed yet, the oldest for {_age(age)}."
    if health != Health.WELL:
        words = f"{words} Nothing outside the database proves them: see that the keeper runs."
    return Finding(health, words, figures)


def _verified(now: datetime) -> Finding:
    newest = AuditVerification.objects.first()
    if newest is None:
        return Finding(Health.UNKNOWN, "It was never verified: manage.py auditverify.")
    age = now - newest.at
    if newest.findings:
        words = f"Verified {_age(age)} ago with {newest.findings} FINDINGS: manage.py auditverify."
        return Finding(Health.DOWN, words)
    health = _health(age, _LATE, timedelta(days=8))
    return Finding(health, f"Verified {_age(age)} ago, without a finding.")


def deployment() -> Face:
    """Tell what runs here, and since when."""
    address = "admin:ops_deployment_changelist"
    found = standing_deployment(settings.STAGE)
    if found is None:
        return Face(Health.UNKNOWN, "None is on record for this stage yet.", address=address)
    commit = f" ({found.commit[:10]})" if found.commit else ""
    words = f"Version {found.version}{commit}, {found.get_status_display().lower()}."
    return Face(Health.WELL, words, at=found.finished_at, address=address)


def register() -> None:
    """Put them among those that are asked, and on the landing page."""
    add_probe(
        Probe(
            "backups",
            "Backups",
            backups,
            order=60,
            figure="backup_age_seconds",
            figure_title="seconds since the newest dump",
            address="admin:ops_backup_changelist",
            permission="ops.view_backup",
        )
    )
    add_probe(
        Probe(
            "trail",
            "Audit trail",
            trail,
            order=65,
            figure="audit_unsealed_events",
            figure_title="events not sealed yet",
            address="admin:ops_auditverification_changelist",
            is_public=False,
        )
    )
    add_probe(
        Probe(
            "place",
            "This place",
            muting,
            order=2,
            address="admin:ops_muting_changelist",
            permission="ops.view_muting",
        )
    )
    add_tile(
        Tile(
            "deployment", "Last deployment", deployment, order=70,
            permission="ops.view_deployment",
        )
    )  # fmt: skip
