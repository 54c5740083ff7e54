"""What the board cannot vouch for: whatever may make a patient missing from it, or look fine."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, QuerySet

from ingestion.choices import FileStatus
from ingestion.models import Admission, FeedFile, RejectedRow
from ingestion.queries.feeds import CATCHING_UP_AFTER, Freshness
from ingestion.queries.realms import files_of, patients_of
from ingestion.synthetic import Realm


@dataclass(frozen=True)
class Doubt:
    """Something that the board cannot vouch for. `department` None: it cannot be told which."""

    kind: str
    count: int
    department: str | None = None
    feed: str | None = None
    since: datetime | None = None


def doubts_at(
    at: datetime, *, feeds: Iterable[Freshness], realm: Realm = Realm.HOSPITAL
) -> list[Doubt]:
    """List everything that may make a patient missing from the board, or look fine on it.

    `feeds` is every feed of the realm as `freshness_of_feeds` judged it at that instant. Of smoke
    tests no more is told: what went wrong with their files is a matter of the hospital's.
    """
    if realm is Realm.SYNTHETIC:
        return _silent(feeds)
    return [
        *_rejected("admission_rows_rejected", _admission_rows()),
        *_waiting_admissions(),
        *_rejected("lab_rows_rejected", _lab_rows()),
        *_files("files_refused", FileStatus.REFUSED),
        *_files("files_not_done", FileStatus.RECEIVED, before=at - CATCHING_UP_AFTER),
        *_silent(feeds),
    ]


def _silent(feeds: Iterable[Freshness]) -> list[Doubt]:
    return [
        Doubt("feed_silent", 1, feed=str(one.feed), since=one.silent_since)
        for one in feeds
        if not one.is_alive
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
        Admission.objects.filter(
            patients_of(Realm.HOSPITAL), patient__isnull=True, released_at__isnull=True
        )
        .values("department__name")
        .annotate(count=Count("pk"))
        .order_by("department__name")
    )
    return [
        Doubt("admission_rows_waiting", row["count"], row["department__name"]) for row in counted
    ]


def _files(kind: str, status: FileStatus, before: datetime | None = None) -> Iterable[Doubt]:
    files = FeedFile.objects.filter(files_of(Realm.HOSPITAL), status=status)
    if status == FileStatus.REFUSED:
        files = files.filter(dismissed_at__isnull=True)
    if before is not None:
        files = files.filter(received_at__lt=before)
    count = files.count()
    return [Doubt(kind, count)] if count else []
