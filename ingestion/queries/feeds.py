"""How fresh each feed is, and what came of its files.

Freshness is judged by the source time of what has been ingested, never by when it arrived.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db.models import Count, F, Min, OuterRef, Q, QuerySet, Subquery, Sum

from ingestion.choices import FileStatus
from ingestion.models import ChangeCounter, Feed, FeedFile, RejectedRow, WaitingRow
from ingestion.queries.past import present
from ingestion.queries.realms import feeds_of, files_of
from ingestion.synthetic import Realm

# A file that was received this long ago and is not done: its source is catching up.
CATCHING_UP_AFTER = timedelta(seconds=15)
# So is one of which a file still waits that others, of a later source time, have overtaken; workers
# pass one another by for a moment. And one of which many files have come at once: after its return,
# all of them are applied before anything is judged.
_OVERTAKEN_AFTER = timedelta(seconds=2)
_BACKLOG_FILES = 20
# A file's source time may be this far ahead of the clock; one further ahead is refused.
FUTURE_TOLERANCE = timedelta(minutes=10)
# An instant that is no older than this is the present.
_NOW = timedelta(minutes=1)
# A feed that has used up this much of its interval is late: a warning before it is silent.
_LATE_AFTER = 0.8

FRESH = "fresh"
LATE = "late"
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
        return self.freshness in (FRESH, LATE)

    @property
    def silent_since(self) -> datetime | None:
        """Give the time after which it has told nothing."""
        return None if self.is_alive else self.newest_source_time


def change_count() -> int:
    """Give the number of committed changes that a screen could show."""
    return ChangeCounter.objects.values_list("count", flat=True).first() or 0


def freshness_of_feeds(
    at: datetime, *, system: str | None = None, realm: Realm = Realm.HOSPITAL
) -> list[Freshness]:
    """Judge each feed of a realm that has ever delivered and is not retired, at an instant."""
    delivered = FeedFile.objects.filter(feed=OuterRef("pk"), status=FileStatus.INGESTED)
    by_time = delivered.order_by("-source_time").values("source_time")
    # A source's clock may be ahead, within what ingestion accepts: what it has just sent counts
    # now. An earlier instant is judged by what had been said until then.
    is_now = at >= present() - _NOW
    newest = by_time.filter(source_time__lte=at + FUTURE_TOLERANCE if is_now else at)
    feeds = (
        # One look into the index for each feed: EXISTS is planned as a scan of every file there is.
        Feed.objects.alias(ever=Subquery(by_time[:1]))
        .filter(feeds_of(realm), ever__isnull=False)
        .filter(Q(retired_at__isnull=True) | Q(retired_at__gt=at))
        .annotate(newest=Subquery(newest[:1]))
    )
    if system is not None:
        feeds = feeds.filter(layout__startswith=f"{system.lower()}.")
    waiting = _files_not_done(at)
    return [
        _freshness(feed, at, waiting.get(feed.source))
        for feed in feeds.order_by("layout", "source")
    ]


@dataclass(frozen=True)
class _NotDone:
    """The files of a source that are on record and not ingested yet."""

    count: int
    oldest_receipt: datetime
    overtaken_from: datetime | None  # source time of the earliest one that is no newcomer

    def hold_back(self, at: datetime, newest: datetime) -> bool:
        """Tell whether what has been ingested is not all that has arrived until then."""
        return (
            self.oldest_receipt < at - CATCHING_UP_AFTER
            or self.count > _BACKLOG_FILES
            or (self.overtaken_from is not None and self.overtaken_from <= newest)
        )


def _files_not_done(at: datetime) -> dict[str, _NotDone]:
    counted = (
        FeedFile.objects.filter(status=FileStatus.RECEIVED, received_at__lte=at)
        .order_by()
        .values_list("source")
        .annotate(
            count=Count("pk"),
            oldest=Min("received_at"),
            overtaken=Min("source_time", filter=Q(received_at__lt=at - _OVERTAKEN_AFTER)),
        )
    )
    return {source: _NotDone(*told) for source, *told in counted}


def _freshness(feed: Feed, at: datetime, waiting: _NotDone | None) -> Freshness:
    newest: datetime | None = feed.newest  # type: ignore[attr-defined]
    minutes = feed.interval_minutes
    interval = timedelta(minutes=settings.FEED_INTERVAL_MINUTES if minutes is None else minutes)
    if newest is None or at - newest > interval:
        verdict = SILENT
    else:
        is_behind = waiting is not None and waiting.hold_back(at, newest)
        is_late = at - newest > interval * _LATE_AFTER
        verdict = CATCHING_UP if is_behind else LATE if is_late else FRESH
    return Freshness(feed, verdict, newest, interval)


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


def books_of_feeds(realm: Realm = Realm.HOSPITAL) -> dict[int, FeedBooks]:
    """Add up the books of each feed of a realm, by its key."""
    files = FeedFile.objects.filter(feeds_of(realm), feed__isnull=False)
    totals = files.order_by().values("feed_id")
    counted = totals.annotate(
        ingested=Count("pk", filter=Q(status=FileStatus.INGESTED)),
        refused=Count("pk", filter=Q(status=FileStatus.REFUSED)),
        all_rows=Sum("rows"),
        all_flaws=Sum("flaws"),
    )
    newest = _newest_files()
    rejected = _open_rows(RejectedRow.objects.filter(settled_at__isnull=True))
    waiting = _open_rows(
        WaitingRow.objects.filter(applied_at__isnull=True, reading=F("feed_file__reading"))
    )
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
    *,
    realm: Realm = Realm.HOSPITAL,
    feed: int | None = None,
    status: FileStatus | None = None,
    before: int | None = None,
) -> QuerySet[FeedFile]:
    """Files as they came, newest first."""
    files = FeedFile.objects.filter(files_of(realm)).select_related("feed").order_by("-pk")
    if feed is not None:
        files = files.filter(feed=feed)
    if status is not None:
        files = files.filter(status=status)
    return files if before is None else files.filter(pk__lt=before)


def refused_files_without_feed(realm: Realm = Realm.HOSPITAL) -> int:
    """Count the refused files of which not even the feed could be told."""
    refused = FeedFile.objects.filter(status=FileStatus.REFUSED, feed__isnull=True)
    return refused.filter(files_of(realm)).count()


def files_not_done(realm: Realm = Realm.HOSPITAL) -> int:
    """Count the files that are on record and still to be read."""
    return FeedFile.objects.filter(files_of(realm), status=FileStatus.RECEIVED).count()


@dataclass(frozen=True)
class OpenWork:
    """What is still to be read or worked off, whichever feed's. `oldest_receipt` is the first's."""

    files_not_done: int
    oldest_receipt: datetime | None
    refused_files: int
    rejected_rows: int
    waiting_rows: int


def open_work() -> OpenWork:
    """Count what is still to be read or worked off of what the hospital's systems sent."""
    hospital = files_of(Realm.HOSPITAL)
    received = FeedFile.objects.filter(hospital, status=FileStatus.RECEIVED)
    refused = FeedFile.objects.filter(status=FileStatus.REFUSED, dismissed_at__isnull=True)
    waiting = WaitingRow.objects.filter(
        files_of(Realm.HOSPITAL, through="feed_file__"),
        applied_at__isnull=True,
        reading=F("feed_file__reading"),
    )
    told = received.aggregate(count=Count("pk"), oldest=Min("received_at"))
    return OpenWork(
        files_not_done=told["count"],
        oldest_receipt=told["oldest"],
        refused_files=refused.count(),
        rejected_rows=RejectedRow.objects.filter(settled_at__isnull=True).count(),
        waiting_rows=waiting.count(),
    )


def feeds_as_data() -> list[dict[str, Any]]:
    """Tell what is declared of each feed, for a backup of how the place is set up."""
    feeds = Feed.objects.order_by("pk").values(
        "source", "layout", "interval_minutes", "encoding", "is_day_first", "retired_at"
    )
    return [dict(feed) for feed in feeds]
