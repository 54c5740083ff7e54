"""What running the place leaves behind, and for how long each kind of it is kept.

Reasons and periods stand here alone; docs/operating.md shows them to operators.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from axes.models import AccessAttempt, AccessFailureLog, AccessLog
from django.conf import settings
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.db.models import QuerySet
from django.utils import timezone

from ops.catalogue import began_at, kept_names
from ops.choices import RestoreKind, RestoreStatus
from ops.models import (
    AuditEvent,
    Deployment,
    Incident,
    LegalHold,
    Muting,
    ProbeSample,
    Restore,
    RetentionRun,
)
from ops.registry import Kept, RetentionKind, add_retention_kind
from ops.services.backing_up import give_up_old
from ops.services.log_shipping import kept_segments
from ops.services.removing import RowsOver, counted, estimated

_SIX_YEARS = 2192


def add_kinds() -> None:
    """Put what ops keeps among the kinds of data."""
    for kind in (*_REMOVED_HERE, *_REMOVED_ELSEWHERE, *_KEPT):
        add_retention_kind(kind)


def _sessions_over(before: datetime) -> QuerySet[Session]:
    return Session.objects.filter(expire_date__lt=before)


def _sign_ins_over(model: Any) -> Callable[[datetime], QuerySet[Any]]:
    def over(before: datetime) -> QuerySet[Any]:
        # An attempt that may still lock somebody out is never removed.
        locking = timezone.now() - timedelta(hours=settings.AXES_COOLOFF_TIME)
        attempts: QuerySet[Any] = model.objects.filter(attempt_time__lt=min(before, locking))
        return attempts

    return over


def _drills_over(before: datetime) -> QuerySet[Restore]:
    """Drills that ended; never the newest, nor the newest that proved a backup."""
    drills = Restore.objects.filter(kind=RestoreKind.DRILL)
    proven = drills.filter(status=RestoreStatus.PROVEN)
    newest = [key for one in (drills, proven) for key in one.values_list("pk", flat=True)[:1]]
    ended = drills.exclude(status=RestoreStatus.RUNNING)
    return ended.filter(started_at__lt=before).exclude(pk__in=newest)


def _mutings_over(before: datetime) -> QuerySet[Muting]:
    return Muting.objects.filter(ended_at__lt=before)


_REMOVED_HERE = (
    RetentionKind(
        name="ops.sessions",
        title="Ended sign-in sessions",
        holds="Sessions of browsers that have expired: a user's key, no patient.",
        why="Nobody can use them any more, and nothing rests on them.",
        tell=lambda: counted(Session.objects.filter(expire_date__lt=timezone.now()), "expire_date"),
        days=7,
        least=1,
        removal=RowsOver(_sessions_over),
        order=10,
    ),
    RetentionKind(
        name="ops.failed_sign_ins",
        title="Failed sign-ins",
        holds="Names, addresses and browsers of sign-ins that failed or were locked out.",
        why="A break-in is often found only months later; after a year nobody looks for it here.",
        tell=lambda: counted(AccessFailureLog.objects.all(), "attempt_time"),
        days=365,
        least=90,
        removal=RowsOver(_sign_ins_over(AccessFailureLog)),
        order=11,
    ),
    RetentionKind(
        name="ops.sign_in_counts",
        title="Counts of failed sign-ins",
        holds="How often a name failed from an address: what locks it out.",
        why="What may still lock somebody out stays in any case; as long as failed sign-ins.",
        tell=lambda: counted(AccessAttempt.objects.all(), "attempt_time"),
        days=365,
        least=90,
        removal=RowsOver(_sign_ins_over(AccessAttempt)),
        order=12,
    ),
    RetentionKind(
        name="ops.sign_ins",
        title="Sign-ins and sign-outs",
        holds="Who signed in from which address and browser, and when they signed out.",
        why="Shows who was there when something happened; as long as failed sign-ins.",
        tell=lambda: counted(AccessLog.objects.all(), "attempt_time"),
        days=365,
        least=90,
        removal=RowsOver(_sign_ins_over(AccessLog)),
        order=13,
    ),
    RetentionKind(
        name="ops.drills",
        title="Drills of restores",
        holds="That a backup was proven, how long it took, or why it failed. No patient.",
        why="They show that backups could be restored; monthly backups are kept six years, and"
        " their proofs with them. The newest drill, and the newest that proved, always stay.",
        tell=lambda: counted(Restore.objects.filter(kind=RestoreKind.DRILL), "started_at"),
        days=_SIX_YEARS,
        least=365,
        removal=RowsOver(_drills_over),
        order=14,
    ),
    RetentionKind(
        name="ops.mutings",
        title="Mutings that have ended",
        holds="When a restored place was kept from acting, by whom and why.",
        why="As long as the drills. One that has not ended always stays.",
        tell=lambda: counted(Muting.objects.filter(ended_at__isnull=False), "ended_at"),
        days=_SIX_YEARS,
        least=365,
        removal=RowsOver(_mutings_over),
        order=15,
    ),
)


def _tell_backups() -> Kept:
    names = kept_names()
    days = settings.KEPT_DAYS
    return Kept(
        count=len(names),
        oldest=min(map(began_at, names), default=None),
        over=len(give_up_old(now=timezone.now(), by="", is_dry_run=True)),
        words=(
            f"{days['daily']} days for daily ones, {days['weekly']} for weekly ones,"
            f" {days['monthly']} for monthly ones."
        ),
    )


def _tell_segments() -> Kept:
    words = f"{settings.KEPT_DAYS['wal']} days, and as long as a base that is kept needs them."
    return Kept(count=kept_segments(), words=words)


def _tell_trail() -> Kept:
    oldest = AuditEvent.objects.order_by("at").values_list("at", flat=True).first()
    about = estimated(AuditEvent)
    return Kept(count=about.count, is_about=True, oldest=oldest)


_REMOVED_ELSEWHERE = (
    RetentionKind(
        name="ops.backups",
        title="Backups",
        holds="The whole database, encrypted; and how the place is set up.",
        why="What is removed from the database stays in them until their own time is over.",
        tell=_tell_backups,
        removed_by="the nightly backup (HOSPITAL_KEEP_…_DAYS)",
        order=70,
    ),
    RetentionKind(
        name="ops.log_segments",
        title="Segments of the database's log",
        holds="Every change of the database, encrypted.",
        why="They lead from a base of the log to any moment after it.",
        tell=_tell_segments,
        removed_by="the nightly backup (HOSPITAL_KEEP_LOG_DAYS)",
        order=71,
    ),
    RetentionKind(
        name="ops.samples",
        title="Samples of how the place stands",
        holds="How each component stood, minute by minute; then counted day by day. No patient.",
        why="Uptime is told from the counts of days; single minutes are for looking into a fault.",
        tell=lambda: counted(ProbeSample.objects.all(), "at"),
        removed_by="the daily count of samples (HOSPITAL_KEEP_SAMPLES_DAYS)",
        order=72,
    ),
    RetentionKind(
        name="ops.audit",
        title="Audit trail",
        holds="Who did what, and who looked at whom. Names of users, keys of patients.",
        why="Six years at least, sealed; the database refuses to remove any of it from outside.",
        tell=_tell_trail,
        removed_by="its own command alone, after it was archived with its proof",
        order=73,
    ),
)
_KEPT = (
    RetentionKind(
        name="ops.restores",
        title="Restores, and what is on record of backups",
        holds="What was restored, why, and what was lost; what became of each backup.",
        why="Few rows, and the only evidence of where this record comes from.",
        tell=lambda: counted(Restore.objects.filter(kind=RestoreKind.RESTORE), "started_at"),
        order=90,
    ),
    RetentionKind(
        name="ops.deployments",
        title="Deployments and checklists",
        holds="What ran here and since when, and the evidence that it was checked. No patient.",
        why="Few rows, and the answer to which version did something years ago.",
        tell=lambda: counted(Deployment.objects.all(), "started_at"),
        order=89,
    ),
    RetentionKind(
        name="ops.incidents",
        title="Incidents",
        holds="What had to be looked after, and what was said of it. No patient.",
        why="Few rows, and the history that the next incident is read against.",
        tell=lambda: counted(Incident.objects.all(), "opened_at"),
        order=90,
    ),
    RetentionKind(
        name="ops.accounts",
        title="Accounts, their roles and second factors",
        holds="Who may sign in and what for; when passwords and keys were last changed.",
        why="Whoever stands on the trail must stay known: an account is switched off, not removed.",
        tell=lambda: counted(User.objects.all(), "date_joined"),
        order=91,
    ),
    RetentionKind(
        name="ops.retention",
        title="Legal holds and runs of the retention",
        holds="What must not be removed, and what was. Keys of patients, no names.",
        why="Whoever asks later why something is gone must find an answer.",
        tell=lambda: Kept(count=LegalHold.objects.count() + RetentionRun.objects.count()),
        order=91,
    ),
    RetentionKind(
        name="ops.admin_log",
        title="Edits in the admin",
        holds="Which user changed which rule, feed or user, and when.",
        why="Evidence, as the audit trail is; few rows.",
        tell=lambda: counted(LogEntry.objects.all(), "action_time"),
        order=92,
    ),
)
