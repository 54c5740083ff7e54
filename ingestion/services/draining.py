"""What is on record as received is worked off, by any number of workers at once.

A worker claims a file by an advisory lock of its session: a claim ends with the worker, however
that ends. Large files have a lane of their own, so that they hold up nobody.
"""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta

from django.db import DatabaseError, InterfaceError, OperationalError, transaction
from django.db.models import F, QuerySet
from django.utils import timezone

from ingestion.choices import FileStatus, FoundBy, RefusalReason
from ingestion.errors import FileRefused, TimeZoneNotSet
from ingestion.models import FeedFile
from ingestion.services.claims import claimed
from ingestion.services.receiving import ingest, join_patients, refuse, unreadable
from ingestion.signals import records_changed
from ingestion.storage import Inbox, Places, StorageUnreachable

log = logging.getLogger(__name__)

MAX_FAILURES = 3
# A worker that dies leaves no word why. It may be the file; as well may somebody have pulled the
# plug, or the database have gone before it could be said that the file was not to blame. So many
# times in a row that is no chance.
MAX_DEATHS = 10
# A file above this size takes the lane of large files, in which one is read at a time.
LARGE_BYTES = 4 << 20
# Whom files touched is told at least this often, also while more keep coming.
_TELL_EVERY_SECONDS = 1.0
_AT_ONCE = 100
_CLAIM = 0x5649_4701  # the first half of a claim's lock; the second is the file's key
_LARGE_LANE = 0x5649_4749_4C04


def drain(places: Places | Inbox | None = None) -> int:
    """Ingest what is on record as received, the oldest source time first. Returns how many.

    Any number may drain at once, on any number of machines: each file is claimed by one. What is
    registered meanwhile is taken in the same run. A file that fails for no fault that can be named
    is tried a few times, then refused. What lies in a bucket that does not answer stays as it is,
    and holds up nothing that lies elsewhere.
    """
    places = places or Places.from_settings()
    done = 0
    silent: set[str] = set()
    touched: set[uuid.UUID] | None = set()
    told_at = time.monotonic()
    passed_over: set[int] = set()
    while batch := _received(places, silent).exclude(pk__in=passed_over)[:_AT_ONCE]:
        for feed_file in batch:
            if feed_file.bucket in silent:
                continue
            with _claim(feed_file) as is_mine:
                if not is_mine:
                    passed_over.add(feed_file.pk)
                    continue
                try:
                    touched = join_patients(touched, _ingest_received(places, feed_file))
                except StorageUnreachable as error:
                    silent.add(feed_file.bucket)
                    log.error(
                        "bucket cannot be read",
                        extra={"source": feed_file.source, "error": error.strerror},
                    )
                    continue
                done += 1
            is_time = time.monotonic() - told_at > _TELL_EVERY_SECONDS
            # What arrived together is applied before anybody judges what is missing.
            if is_time and not _is_behind(places, silent):
                records_changed.send(sender=None, patients=touched)
                touched, told_at = set(), time.monotonic()
    if done:
        records_changed.send(sender=None, patients=touched)
    return done


def _received(places: Places | Inbox, silent: set[str]) -> QuerySet[FeedFile]:
    buckets = [bucket for bucket in places.buckets if bucket not in silent]
    return FeedFile.objects.filter(bucket__in=buckets, status=FileStatus.RECEIVED).order_by(
        "source_time", "key"
    )


def _is_behind(places: Places | Inbox, silent: set[str]) -> bool:
    before = timezone.now() - timedelta(seconds=_TELL_EVERY_SECONDS)
    return _received(places, silent).filter(received_at__lt=before).exists()


@contextmanager
def _claim(feed_file: FeedFile) -> Iterator[bool]:
    """Try to become the one who reads this file; yields whether that worked and it is still due."""
    claim = (_CLAIM, feed_file.pk & 0x7FFF_FFFF)
    with claimed(*claim) as mine:
        if (
            not mine
            or not FeedFile.objects.filter(pk=feed_file.pk, status=FileStatus.RECEIVED).exists()
        ):
            yield False
        elif feed_file.size > LARGE_BYTES:
            with claimed(_LARGE_LANE) as is_free:
                yield is_free
        else:
            yield True


def _ingest_received(places: Places | Inbox, feed_file: FeedFile) -> set[uuid.UUID] | None:
    if feed_file.attempts - feed_file.failures >= MAX_DEATHS:
        # Counted before each try: a file that takes the worker down with it has no other trace.
        _refuse_received(feed_file, _given_up(MAX_DEATHS, "the worker died"))
        return set()
    _count(feed_file, attempts=1)
    try:
        stored = places.object_on_record(feed_file)
        receipt = ingest(stored, found_by=FoundBy(feed_file.found_by))
    except (TimeZoneNotSet, StorageUnreachable, OperationalError, InterfaceError, SystemError):
        # No fault of the file: however long it lasts, the file must not be refused for it. (The
        # driver says SystemError where the server dies while rows are copied to it.)
        with suppress(DatabaseError, InterfaceError):
            _count(feed_file, attempts=-1)
        raise
    except OSError as error:
        _refuse_received(feed_file, unreadable(error))
        return set()
    except Exception as error:  # pylint: disable=broad-exception-caught
        # One poison file must not keep all the others from the ward.
        log.exception(
            "ingestion failed", extra={"file": feed_file.pk, "error": type(error).__name__}
        )
        _count(feed_file, failures=1)
        if feed_file.failures + 1 >= MAX_FAILURES:
            _refuse_received(feed_file, _given_up(MAX_FAILURES, type(error).__name__))
        return set()
    if receipt.file.pk != feed_file.pk:
        _refuse_received(
            feed_file,
            FileRefused(RefusalReason.VANISHED, "It was replaced before it could be read."),
        )
    return receipt.patients


def _count(feed_file: FeedFile, *, attempts: int = 0, failures: int = 0) -> None:
    FeedFile.objects.filter(pk=feed_file.pk).update(
        attempts=F("attempts") + attempts, failures=F("failures") + failures
    )


def _refuse_received(feed_file: FeedFile, refusal: FileRefused) -> None:
    with transaction.atomic():
        refuse(feed_file, refusal, now=timezone.now())


def _given_up(times: int, cause: str) -> FileRefused:
    return FileRefused(
        RefusalReason.UNREADABLE,
        f"Reading it failed {times} times ({cause}); please report this.",
    )
