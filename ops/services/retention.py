"""What is over is told of, and removed: by kind of data, in batches, and never what is held.

One run at a time. Each batch is a transaction of its own, with its line on the trail and its count
in the run's report; so a run that is cut off leaves nothing but a shorter run.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError, InterfaceError, connection, transaction
from django.utils import timezone

from ops import audit
from ops.choices import RetentionStatus
from ops.errors import PlaceMuted, RetentionRunning
from ops.models import LegalHold, RetentionRun
from ops.registry import Kept, Removal, RetentionKind, retention_kinds
from ops.services.holding import holds_in_force, is_whole, wait_for_turn
from ops.services.incidents import open_incident
from ops.services.muting import is_muted

log = logging.getLogger(__name__)

BY = "vigil"
BATCH = 1_000
LEFT_UNDONE = "The retention left something undone"
_ONE_AT_A_TIME = 0x5649_4749_4C31
# A batch that cannot get on gives way: what it would have removed is still over the next night.
_GIVE_WAY = "SET LOCAL lock_timeout = '10s'; SET LOCAL statement_timeout = '60s'"
Say = Callable[[str], None]


@dataclass
class Line:
    """What the report says of one kind.

    `days` is its period, None for ever. `over` is None where nothing can be. `would_go` is what is
    over and not held; `holds` says how much each hold keeps back, and may count a row twice. `gone`
    is what a run has removed.
    """

    kind: str
    title: str
    days: int | None
    removed_by: str
    count: int | None = None
    is_about: bool = False
    oldest: str | None = None
    over: int | None = None
    held: int = 0
    holds: list[dict[str, int]] = field(default_factory=list)
    would_go: int = 0
    gone: int = 0
    words: str = ""
    failure: str = ""


def refuse_wrong_periods() -> None:
    """Raise ImproperlyConfigured for a period of what has none, or one that is too short."""
    kinds = {kind.name: kind for kind in retention_kinds()}
    for name, days in settings.RETENTION_DAYS.items():
        kind = kinds.get(name)
        settable = ", ".join(sorted(one.name for one in kinds.values() if one.removal))
        if kind is None:
            raise ImproperlyConfigured(
                f"HOSPITAL_RETENTION_DAYS names {name!r}, which is no kind of data. Periods can be"
                f" set for: {settable}."
            )
        if kind.removal is None:
            raise ImproperlyConfigured(
                f"HOSPITAL_RETENTION_DAYS sets a period for {name}, which"
                f" {_instead(kind)}. Periods can be set for: {settable}."
            )
        if days is not None and days < kind.least:
            raise ImproperlyConfigured(
                f"HOSPITAL_RETENTION_DAYS keeps {name} for {days} days: set at least {kind.least},"
                " or ever."
            )


def _instead(kind: RetentionKind) -> str:
    return f"is removed by {kind.removed_by}" if kind.removed_by else "is kept for ever"


def days_of(kind: RetentionKind) -> int | None:
    """Give a kind's period: what the hospital has set, else its default. None: for ever."""
    days: int | None = settings.RETENTION_DAYS.get(kind.name, kind.days)
    return days if kind.removal else None


def report(kinds: Sequence[RetentionKind] | None = None, *, now: datetime) -> list[Line]:
    """Tell of each kind (of all, without any) what is kept and what would go. Changes nothing."""
    holds = holds_in_force()
    return [_told(kind, holds, now) for kind in (retention_kinds() if kinds is None else kinds)]


def apply(
    kinds: Sequence[RetentionKind] | None = None,
    *,
    by: str,
    why: str,
    now: datetime,
    say: Say = lambda _: None,
) -> RetentionRun:
    """Remove what is over, of each kind (of all, without any). Returns the run with its report.

    Raises PlaceMuted in a restored place that must not act yet, and RetentionRunning. A kind that
    fails does not stop the others; its line says so, and so does the run's status.
    """
    if is_muted():
        raise PlaceMuted(
            "This place is muted: it may be a copy, and removes nothing. See manage.py unmute."
        )
    with _alone():
        _note_interrupted()
        asked = retention_kinds() if kinds is None else kinds
        lines = report(asked, now=now)
        run = RetentionRun.objects.create(
            status=RetentionStatus.RUNNING,
            by=by,
            why=why,
            started_at=timezone.now(),
            report=[asdict(line) for line in lines],
        )
        for kind, line in zip(asked, lines, strict=True):
            if line.days is not None and line.would_go:
                _remove_kind(kind, line, _Removing(run, lines, now, say))
        run.status = (
            RetentionStatus.FAILED if any(line.failure for line in lines) else RetentionStatus.DONE
        )
        run.finished_at = timezone.now()
        run.report = [asdict(line) for line in lines]
        run.save()
        if run.status == RetentionStatus.FAILED:
            failed = ", ".join(line.title for line in lines if line.failure)
            words = f"Run {run.pk} could not remove or tell: {failed}. See its report."
            open_incident(component="retention", title=LEFT_UNDONE, words=words)
    return run


@dataclass(frozen=True)
class _Removing:
    """A run as far as it has come."""

    run: RetentionRun
    lines: list[Line]
    now: datetime
    say: Say


def _told(kind: RetentionKind, holds: list[LegalHold], now: datetime) -> Line:
    """Tell of one kind. One that cannot be asked, such as a storage, does not stop the report."""
    days = days_of(kind)
    line = Line(kind.name, kind.title, days, kind.removed_by)
    try:
        with transaction.atomic():
            _fill(line, kind.tell())
            if kind.removed_by:
                _note_whole_holds(line, kind, holds)
            elif kind.removal and days is not None:
                _weigh(line, kind, kind.removal, holds, now - timedelta(days=days))
    except Exception as error:  # pylint: disable=broad-exception-caught
        line.failure = _failed(kind, error)
    return line


def _fill(line: Line, kept: Kept) -> None:
    line.count, line.is_about, line.words = kept.count, kept.is_about, kept.words
    line.oldest = kept.oldest.isoformat() if kept.oldest else None
    line.over = kept.over


def _note_whole_holds(line: Line, kind: RetentionKind, holds: list[LegalHold]) -> None:
    """Whatever removes this kind asks `is_kind_held` first, and then removes nothing."""
    over = line.over or 0
    line.holds = [{"hold": one.pk, "count": over} for one in holds if is_whole(one, kind.name)]
    line.held = over if line.holds else 0


def _weigh(
    line: Line, kind: RetentionKind, removal: Removal, holds: list[LegalHold], before: datetime
) -> None:
    over = line.over = removal.count_over(before)
    for hold in holds:
        count = over if is_whole(hold, kind.name) else _count_held(removal, before, hold)
        if count:
            line.holds.append({"hold": hold.pk, "count": count})
    are_all_held = any(is_whole(hold, kind.name) for hold in holds)
    line.held = over if are_all_held else removal.count_held(before, _patients(holds))
    line.would_go = over - line.held


def _count_held(removal: Removal, before: datetime, hold: LegalHold) -> int:
    return removal.count_held(before, [hold.patient]) if hold.patient else 0


def _patients(holds: list[LegalHold]) -> Collection[UUID]:
    return {hold.patient for hold in holds if hold.patient}


def _remove_kind(kind: RetentionKind, line: Line, removing: _Removing) -> None:
    try:
        while _remove_batch(kind, line, removing):
            removing.say(f"{kind.title}: {line.gone} of {line.would_go} removed")
    except Exception as error:  # pylint: disable=broad-exception-caught
        line.failure = _failed(kind, error)


def _remove_batch(kind: RetentionKind, line: Line, removing: _Removing) -> int:
    """Remove one batch, with its line on the trail and its count. Returns how many went."""
    assert kind.removal
    assert line.days is not None
    before, run = removing.now - timedelta(days=line.days), removing.run
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(_GIVE_WAY)
        wait_for_turn()
        # Read anew for each batch: a hold that was placed meanwhile counts from now on.
        holds = holds_in_force()
        if any(is_whole(hold, kind.name) for hold in holds):
            return 0
        gone = kind.removal.remove_over(before, BATCH, _patients(holds))
        if not gone:
            return 0
        details = {"rows": gone, "before": before.isoformat(), "run": run.pk}
        audit.record(
            "retention.removed",
            by=run.by,
            kind="kind of data",
            key=kind.name,
            why=run.why,
            details=details,
        )
        reported = [
            {**asdict(one), "gone": one.gone + (gone if one is line else 0)}
            for one in removing.lines
        ]
        RetentionRun.objects.filter(pk=run.pk).update(report=reported)
    line.gone += gone
    return gone


def _failed(kind: RetentionKind, error: Exception) -> str:
    # The text of an unforeseen error may quote a row.
    log.error("retention failed", extra={"kind": kind.name, "why": type(error).__name__})
    return f"It met {type(error).__name__}: see the log of whoever ran it, and run it again."


def _note_interrupted() -> None:
    """Whoever left a run as running is gone: the lock is ours."""
    RetentionRun.objects.filter(status=RetentionStatus.RUNNING).update(
        status=RetentionStatus.INTERRUPTED
    )


@contextmanager
def _alone() -> Iterator[None]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [_ONE_AT_A_TIME])
        if not cursor.fetchone()[0]:
            raise RetentionRunning("Another run is removing at this moment. Wait until it ends.")
    try:
        yield
    finally:
        # A connection that is gone has given its lock back already.
        with suppress(DatabaseError, InterfaceError), connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_unlock(%s)", [_ONE_AT_A_TIME])


def apply_nightly(*, now: datetime) -> RetentionRun | None:
    """Remove what is over if that is due: once a day, from an hour of the hospital's clock on.

    None: it is not due, another is at it, or the place is muted.
    """
    local = timezone.localtime(now)
    due_since = local.replace(hour=settings.RETENTION_HOUR, minute=0, second=0, microsecond=0)
    if local < due_since:
        due_since -= timedelta(days=1)
    if is_muted() or RetentionRun.objects.filter(by=BY, started_at__gte=due_since).exists():
        return None
    try:
        return apply(by=BY, why="The periods that the hospital has set.", now=now)
    except RetentionRunning:
        return None


def latest_lines() -> list[tuple[RetentionRun, dict[str, Any]]]:
    """Give of each kind the newest line that a run reported, in the order of a page."""
    newest: dict[str, tuple[RetentionRun, dict[str, Any]]] = {}
    for run in RetentionRun.objects.all()[:50]:
        for line in run.report:
            newest.setdefault(line["kind"], (run, line))
    return [newest[kind.name] for kind in retention_kinds() if kind.name in newest]
