"""What can be asked of the books: how fresh each feed is, and what the record may lack.

Reads only. Freshness is judged by the source time of what has been ingested, never by when
it arrived.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db.models import (
    Count,
    Exists,
    Func,
    OuterRef,
    Prefetch,
    Q,
    QuerySet,
    Subquery,
    Sum,
    TextField,
)
from django.db.models.functions import Cast, Coalesce
from django.utils import timezone

from ingestion.choices import FileStatus, RecordKind, WaitReason
from ingestion.models import (
    Admission,
    ChangeCounter,
    Department,
    Feed,
    FeedFile,
    LabResult,
    LabTest,
    Patient,
    Record,
    RejectedRow,
    WaitingRow,
)

# A file that was received this long ago and is not done: its source is catching up.
_CATCHING_UP_AFTER = timedelta(seconds=15)
# A file's source time may be this far ahead of the clock; one further ahead is refused.
FUTURE_TOLERANCE = timedelta(minutes=10)
# An instant that is no older than this is the present.
_NOW = timedelta(minutes=1)

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
    by_time = delivered.order_by("-source_time").values("source_time")
    # A source's clock may be ahead, within what ingestion accepts: what it has just sent counts
    # now. An earlier instant is judged by what had been said until then.
    is_now = at >= timezone.now() - _NOW
    newest = by_time.filter(source_time__lte=at + FUTURE_TOLERANCE if is_now else at)
    feeds = (
        # One look into the index for each feed: EXISTS is planned as a scan of every file there is.
        Feed.objects.alias(ever=Subquery(by_time[:1]))
        .filter(ever__isnull=False)
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
    return [
        _freshness(feed, at, feed.source in behind) for feed in feeds.order_by("layout", "source")
    ]


def _freshness(feed: Feed, at: datetime, is_behind: bool) -> Freshness:
    newest: datetime | None = feed.newest  # type: ignore[attr-defined]
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


def doubts_at(at: datetime, *, feeds: Iterable[Freshness]) -> list[Doubt]:
    """List everything that may make a patient missing from the board, or look fine on it.

    `feeds` is every feed as `freshness_of_feeds` judged it at that instant.
    """
    return [
        *_rejected("admission_rows_rejected", _admission_rows()),
        *_waiting_admissions(),
        *_rejected("lab_rows_rejected", _lab_rows()),
        *_files("files_refused", FileStatus.REFUSED),
        *_files("files_not_done", FileStatus.RECEIVED, before=at - _CATCHING_UP_AFTER),
        *(
            Doubt("feed_silent", 1, feed=str(one.feed), since=one.silent_since)
            for one in feeds
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
    if status == FileStatus.REFUSED:
        files = files.filter(dismissed_at__isnull=True)
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


def _shared(records: QuerySet[Any], identity: str) -> QuerySet[Any, dict[str, object]]:
    shared: QuerySet[Any, dict[str, object]] = (
        records.values(identity)
        .annotate(patients=Count("patient_number", distinct=True))
        .filter(patients__gt=1)
        .order_by(identity)
    )
    return shared


def waiting_counts() -> dict[str, int]:
    """Count waiting records, once each; a combined row's result waits with its test, uncounted."""
    return {
        "admissions": Admission.objects.filter(patient__isnull=True).count(),
        "lab_tests": LabTest.objects.filter(patient__isnull=True).count(),
        "lab_results": LabResult.objects.filter(
            lab_test__isnull=True, result_id__isnull=False
        ).count(),
    }


# --- What the pages show of the record and of the books ----------------------------------


def department_names() -> list[str]:
    """Name every department that any admission has mentioned."""
    return list(Department.objects.values_list("name", flat=True))


def patient_by_key(key: uuid.UUID) -> Patient | None:
    """Find a patient by the key that addresses carry."""
    return Patient.objects.filter(pk=key).first()


def lab_tests_of(
    patient: Patient, *, since: datetime | None, after: tuple[datetime, int] | None
) -> QuerySet[LabTest]:
    """Tests of a patient with their results, newest order first.

    `since` keeps a test that was ordered, or has a result performed, at that time or later: an
    older order must not hide its new result. A result that was taken back is none.
    """
    results = LabResult.objects.filter(is_taken_back=False)
    tests = LabTest.objects.filter(patient=patient)
    if since is not None:
        newly = results.filter(lab_test=OuterRef("pk"), performed_at__gte=since)
        tests = tests.filter(Q(ordered_at__gte=since) | Exists(newly))
    if after is not None:
        moment, key = after
        tests = tests.filter(Q(ordered_at__lt=moment) | Q(ordered_at=moment, pk__lt=key))
    shown = results.order_by("-performed_at", "-pk").defer("extra", "statements")
    return (
        tests.order_by("-ordered_at", "-pk")
        .defer("extra", "statements")
        .prefetch_related(Prefetch("results", queryset=shown))
    )


def files_behind(records: Iterable[Record]) -> dict[int, FeedFile]:
    """Give the files that said these records last, by key."""
    return FeedFile.objects.in_bulk({record.said_in_id for record in records})


def shared_test_ids(test_ids: Collection[str]) -> set[str]:
    """Which of these test ids are in conflict."""
    found = test_id_conflicts().filter(test_id__in=test_ids)
    return {str(row["test_id"]) for row in found}


def shared_case_numbers(case_numbers: Collection[str]) -> set[str]:
    """Which of these case numbers are in conflict."""
    found = case_number_conflicts().filter(case_number__in=case_numbers)
    return {str(row["case_number"]) for row in found}


@dataclass(frozen=True)
class FeedBooks:
    """What came of one feed's files so far. `rejected` and `waiting` count what is still open."""

    newest: FeedFile | None = None
    ingested: int = 0
    refused: int = 0
    rows: int = 0
    flaws: int = 0
    rejected: int = 0
    waiting: int = 0


def books_of_feeds() -> dict[int, FeedBooks]:
    """Add up the books of each feed, by its key."""
    totals = FeedFile.objects.filter(feed__isnull=False).order_by().values("feed_id")
    counted = totals.annotate(
        ingested=Count("pk", filter=Q(status=FileStatus.INGESTED)),
        refused=Count("pk", filter=Q(status=FileStatus.REFUSED)),
        all_rows=Sum("rows"),
        all_flaws=Sum("flaws"),
    )
    newest = _newest_files()
    rejected = _open_rows(RejectedRow.objects.filter(settled_at__isnull=True))
    waiting = _open_rows(WaitingRow.objects.filter(applied_at__isnull=True))
    return {
        row["feed_id"]: FeedBooks(
            newest=newest.get(row["feed_id"]),
            ingested=row["ingested"],
            refused=row["refused"],
            rows=row["all_rows"],
            flaws=row["all_flaws"],
            rejected=rejected.get(row["feed_id"], 0),
            waiting=waiting.get(row["feed_id"], 0),
        )
        for row in counted
    }


def _newest_files() -> dict[int, FeedFile]:
    ingested = FeedFile.objects.filter(feed=OuterRef("pk"), status=FileStatus.INGESTED)
    newest = ingested.order_by("-source_time", "-pk").values("pk")[:1]
    keys = Feed.objects.annotate(newest=Subquery(newest)).values_list("pk", "newest")
    files = FeedFile.objects.in_bulk([key for _, key in keys if key is not None])
    return {feed: files[key] for feed, key in keys if key is not None}


def _open_rows(rows: QuerySet[RejectedRow] | QuerySet[WaitingRow]) -> dict[int, int]:
    counted = rows.order_by().values_list("feed_file__feed").annotate(Count("pk"))
    return dict(counted)


def feed_files(
    *, feed: int | None = None, status: FileStatus | None = None, before: int | None = None
) -> QuerySet[FeedFile]:
    """Files as they came, newest first."""
    files = FeedFile.objects.select_related("feed").order_by("-pk")
    if feed is not None:
        files = files.filter(feed=feed)
    if status is not None:
        files = files.filter(status=status)
    return files if before is None else files.filter(pk__lt=before)


def refused_files_without_feed() -> int:
    """Count the refused files of which not even the feed could be told."""
    return FeedFile.objects.filter(status=FileStatus.REFUSED, feed__isnull=True).count()


def files_not_done() -> int:
    """Count the files that are on record and still to be read."""
    return FeedFile.objects.filter(status=FileStatus.RECEIVED).count()


# --- What operators work on --------------------------------------------------------------


@dataclass(frozen=True)
class WaitingRecord:
    """One record that waits, in its latest version, and since when it is known to."""

    kind: RecordKind
    identity: tuple[str, ...]
    reason: WaitReason
    since: datetime
    said_in: FeedFile
    said_line: int


def waiting_records(*, limit: int) -> list[WaitingRecord]:
    """List the waiting records once each, the longest waiting first."""
    admissions = Admission.objects.filter(patient__isnull=True)
    tests = LabTest.objects.filter(patient__isnull=True)
    results = LabResult.objects.filter(lab_test__isnull=True, result_id__isnull=False)
    found = [
        *_waiting(admissions, RecordKind.ADMISSION, ("case_number", "patient_number"), limit),
        *_waiting(tests, RecordKind.LAB_TEST, ("test_id", "patient_number"), limit),
        *_waiting(results, RecordKind.LAB_RESULT, ("result_id",), limit),
    ]
    return sorted(found, key=lambda one: (one.since, one.kind, one.identity))[:limit]


def _waiting(
    records: QuerySet[Any], kind: RecordKind, identity: tuple[str, ...], limit: int
) -> list[WaitingRecord]:
    lines = WaitingRow.objects.filter(
        kind=kind, identity=_array_of(identity), applied_at__isnull=True
    ).order_by("waiting_since")
    # A result that lost its test to a conflict never had a waiting line: its file's end is known.
    since = Coalesce(Subquery(lines.values("waiting_since")[:1]), "said_in__finished_at")
    return [
        WaitingRecord(
            kind=kind,
            identity=tuple(getattr(one, name) for name in identity),
            reason=WaitReason(getattr(one, "waits_for", WaitReason.PATIENT)),
            since=one.since,
            said_in=one.said_in,
            said_line=one.said_line,
        )
        for one in records.annotate(since=since)
        .select_related("said_in")
        .defer("extra", "statements")
        .order_by("since")[:limit]
    ]


def _array_of(identity: tuple[str, ...]) -> Func:
    parts = (Cast(OuterRef(name), TextField()) for name in identity)
    return Func(*parts, template="ARRAY[%(expressions)s]", output_field=ArrayField(TextField()))


@dataclass(frozen=True)
class Conflict:
    """One identifier that several patients' records bear, and each of those records."""

    identifier: str
    sides: list[Any]
    waiting_results: int = 0


def conflicting_tests(*, limit: int) -> list[Conflict]:
    """List the test ids that several patients share, with each test and how many results wait."""
    shared = [str(row["test_id"]) for row in test_id_conflicts()[:limit]]
    waiting = LabResult.objects.filter(test_id__in=shared, waits_for=WaitReason.AMBIGUOUS_TEST)
    counted = dict(waiting.order_by().values_list("test_id").annotate(Count("pk")))
    sides = _sides(LabTest.objects.filter(test_id__in=shared, is_cancelled=False), "test_id")
    return [Conflict(key, sides[key], counted.get(key, 0)) for key in shared]


def conflicting_admissions(*, limit: int) -> list[Conflict]:
    """List the case numbers that several patients share, with each admission."""
    shared = [str(row["case_number"]) for row in case_number_conflicts()[:limit]]
    sides = _sides(Admission.objects.filter(case_number__in=shared), "case_number")
    return [Conflict(key, sides[key]) for key in shared]


def _sides(records: QuerySet[Any], name: str) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    for one in records.select_related("patient", "said_in").order_by(name, "patient_number"):
        found.setdefault(getattr(one, name), []).append(one)
    return found
