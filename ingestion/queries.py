"""What can be asked of the books: how fresh each feed is, and what the record may lack.

Reads only. Freshness is judged by the source time of what has been ingested, never by when
it arrived.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Count, Exists, Max, OuterRef, Q, QuerySet, Subquery

from ingestion.choices import FileStatus, RecordKind, WaitReason
from ingestion.models import (
    Admission,
    ChangeCounter,
    Feed,
    FeedFile,
    LabResult,
    LabTest,
    RejectedRow,
)

# A file that was received this long ago and is not done: its source is catching up.
_CATCHING_UP_AFTER = timedelta(minutes=1)

FRESH = "fresh"
CATCHING_UP = "catching_up"
SILENT = "silent"


@dataclass(frozen=True)
class Freshness:
    """How fresh one feed is at an instant. `newest_source_time` is None before its first file."""

    feed: Feed
    freshness: str
    newest_source_time: datetime | None
    interval: timedelta

    @property
    def is_alive(self) -> bool:
        """Tell whether an absence in this feed means anything."""
        return self.freshness == FRESH

    @property
    def silent_since(self) -> datetime | None:
        """Give the time after which it has told nothing."""
        return None if self.is_alive else self.newest_source_time


def change_count() -> int:
    """Give the number of committed changes that a screen could show."""
    return ChangeCounter.objects.values_list("count", flat=True).first() or 0


def freshness_of_feeds(at: datetime, *, system: str | None = None) -> list[Freshness]:
    """Judge each feed that has ever delivered and is not retired, at an instant."""
    delivered = FeedFile.objects.filter(feed=OuterRef("pk"), status=FileStatus.INGESTED)
    newest = delivered.filter(source_time__lte=at).order_by("-source_time").values("source_time")
    feeds = (
        Feed.objects.filter(Exists(delivered))
        .filter(Q(retired_at__isnull=True) | Q(retired_at__gt=at))
        .annotate(newest=Subquery(newest[:1]))
    )
    if system is not None:
        feeds = feeds.filter(layout__startswith=f"{system.lower()}.")
    behind = set(
        FeedFile.objects.filter(
            status=FileStatus.RECEIVED, received_at__lt=at - _CATCHING_UP_AFTER
        ).values_list("source", flat=True)
    )
    return [_freshness(feed, at, feed.source in behind) for feed in feeds.order_by("layout", "source")]


def _freshness(feed: Feed, at: datetime, is_behind: bool) -> Freshness:
    newest: datetime | None = getattr(feed, "newest")
    minutes = feed.interval_minutes
    interval = timedelta(minutes=settings.FEED_INTERVAL_MINUTES if minutes is None else minutes)
    if newest is None or at - newest > interval:
        verdict = SILENT
    else:
        verdict = CATCHING_UP if is_behind else FRESH
    return Freshness(feed, verdict, newest, interval)


@dataclass(frozen=True)
class Doubt:
    """Something that the board cannot vouch for. `department` None: it cannot be told which."""

    kind: str
    count: int
    department: str | None = None
    feed: str | None = None
    since: datetime | None = None


def doubts_at(at: datetime) -> list[Doubt]:
    """List everything that may make a patient missing from the board, or look fine on it."""
    return [
        *_rejected("admission_rows_rejected", _admission_rows()),
        *_waiting_admissions(),
        *_rejected("lab_rows_rejected", _lab_rows()),
        *_files("files_refused", FileStatus.REFUSED),
        *_files("files_not_done", FileStatus.RECEIVED, before=at - _CATCHING_UP_AFTER),
        *(
            Doubt("feed_silent", 1, feed=str(one.feed), since=one.silent_since)
            for one in freshness_of_feeds(at)
            if not one.is_alive
        ),
    ]


def _admission_rows() -> QuerySet[RejectedRow]:
    return RejectedRow.objects.filter(
        feed_file__feed__layout__in=("pms.admissions", "pms.combined")
    )


def _lab_rows() -> QuerySet[RejectedRow]:
    return RejectedRow.objects.filter(feed_file__feed__layout__startswith="lis.")


def _rejected(kind: str, rows: QuerySet[RejectedRow]) -> Iterable[Doubt]:
    counted = (
        rows.filter(settled_at__isnull=True)
        .values("department")
        .annotate(count=Count("pk"))
        .order_by("department")
    )
    return [Doubt(kind, row["count"], row["department"] or None) for row in counted]


def _waiting_admissions() -> Iterable[Doubt]:
    counted = (
        Admission.objects.filter(patient__isnull=True, released_at__isnull=True)
        .values("department__name")
        .annotate(count=Count("pk"))
        .order_by("department__name")
    )
    return [
        Doubt("admission_rows_waiting", row["count"], row["department__name"]) for row in counted
    ]


def _files(kind: str, status: FileStatus, before: datetime | None = None) -> Iterable[Doubt]:
    files = FeedFile.objects.filter(status=status)
    if before is not None:
        files = files.filter(received_at__lt=before)
    count = files.count()
    return [Doubt(kind, count)] if count else []


def test_id_conflicts() -> QuerySet[LabTest, dict[str, object]]:
    """Test ids under which tests of several patients are known, cancelled ones aside."""
    return _shared(LabTest.objects.filter(is_cancelled=False), "test_id")


def case_number_conflicts() -> QuerySet[Admission, dict[str, object]]:
    """Case numbers under which admissions of several patients are known."""
    return _shared(Admission.objects.all(), "case_number")


def _shared(records: QuerySet, identity: str):  # type: ignore[no-untyped-def,type-arg]
    return (
        records.values(identity)
        .annotate(patients=Count("patient_number", distinct=True))
        .filter(patients__gt=1)
        .order_by(identity)
    )


def waiting_counts() -> dict[str, int]:
    """Count waiting records, once each; a combined row's result waits with its test, uncounted."""
    return {
        "admissions": Admission.objects.filter(patient__isnull=True).count(),
        "lab_tests": LabTest.objects.filter(patient__isnull=True).count(),
        "lab_results": LabResult.objects.filter(
            lab_test__isnull=True, result_id__isnull=False
        ).count(),
    }
