"""Objects become feed files: registered once, ingested once, or refused with a reason.

After a crash at any moment a file is ingested with its ledger, or refused, or still to be
done; nothing of a half-done file is visible.
"""

from __future__ import annotations

import hashlib
import io
import logging
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import BinaryIO, cast

from django.db import (
    DatabaseError,
    DataError,
    IntegrityError,
    InterfaceError,
    OperationalError,
    connection,
    transaction,
)
from django.db.models import F, QuerySet
from django.utils import timezone

from ingestion.choices import FileStatus, RefusalReason
from ingestion.errors import FileRefused, TimeZoneNotSet
from ingestion.models import ChangeCounter, FeedFile
from ingestion.queries import FUTURE_TOLERANCE
from ingestion.services.loading import MANY_PATIENTS, load
from ingestion.signals import records_changed
from ingestion.storage import Inbox, StoredObject
from ingestion.values import source_time_in

log = logging.getLogger(__name__)

# One writer of the record at a time. Every ingestion holds this lock until it commits, so the
# outcome is that of some order of files, whatever the number of workers.
_BOOKS_LOCK = 0x5649_4749_4C01
_DRAIN_LOCK = 0x5649_4749_4C02
_READ_SIZE = 1 << 20
# A file on record that could not even be opened: its content, and so its version, is unknown.
UNREAD = "unread"
MAX_ATTEMPTS = 3


@dataclass(frozen=True)
class Receipt:
    """What became of one object: its file, and whether that was so before."""

    file: FeedFile
    was_ingested_before: bool = False
    patients: set[uuid.UUID] | None = field(default_factory=set)

    @property
    def status(self) -> str:
        """Ingested, already ingested, or refused."""
        return "already ingested" if self.was_ingested_before else str(self.file.status)


def source_time_of(stored: StoredObject) -> datetime:
    """Give the time of an object's statements: the stamp in its name, else its last change."""
    return source_time_in(stored.key) or stored.last_modified


def ingest_all(
    objects: Iterable[StoredObject], *, on_done: Callable[[Receipt], None] = lambda _: None
) -> None:
    """Ingest objects by source time, then tell the listeners once whom it touched.

    Nobody is told before everything has been applied: what is evaluated between two files of
    one delivery would judge half of what has arrived.
    """
    touched: set[uuid.UUID] | None = set()
    ordered = sorted(objects, key=lambda stored: (source_time_of(stored), stored.key))
    try:
        for stored in ordered:
            receipt = ingest(stored)
            touched = _join(touched, receipt.patients)
            on_done(receipt)
    finally:
        if ordered:
            records_changed.send(sender=None, patients=touched)


def _join(some: set[uuid.UUID] | None, more: set[uuid.UUID] | None) -> set[uuid.UUID] | None:
    """Add to `some` in place: a folder of ten thousand files must not copy it as often."""
    if some is None or more is None or len(some) + len(more) > MANY_PATIENTS:
        return None
    some |= more
    return some


def ingest(stored: StoredObject) -> Receipt:
    """Ingest one object, or answer from its ledger where that was done before.

    Raises TimeZoneNotSet, and database errors that say nothing about the file.
    """
    now = timezone.now()
    try:
        stream = stored.open()
    except OSError as error:
        return refuse_unread(stored, error)
    with stream:
        version = UNREAD
        try:
            version = _digest(stream)
            with transaction.atomic():
                return _ingest_version(stored, version, stream, now)
        except FileRefused as refusal:
            return _refuse(stored, version, refusal, now)
        except OSError as error:
            return _refuse(stored, version, _unreadable(error), now)
        except DatabaseError as error:
            if not _is_of_the_file(error):
                raise
            log.exception("file could not be stored", extra={"error": type(error).__name__})
            return _refuse(stored, version, _not_storable(error), now)


def _ingest_version(stored: StoredObject, version: str, stream: BinaryIO, now: datetime) -> Receipt:
    _lock_the_books()
    feed_file = _register(stored, version, now)
    if feed_file.status == FileStatus.INGESTED:
        return Receipt(feed_file, was_ingested_before=True)
    if feed_file.source_time > now + FUTURE_TOLERANCE:
        raise FileRefused(
            RefusalReason.FROM_THE_FUTURE,
            "Its source time lies more than 10 minutes in the future: it would win over every"
            " later file. Correct the sender's clock and export it again.",
        )
    stream.seek(0)
    watched = _Watched(stream)
    patients = load(feed_file, cast(BinaryIO, watched), now=now)
    if watched.digest() != version:
        raise FileRefused(
            RefusalReason.UNREADABLE,
            "It was changed while it was read. Its new content counts as a new file.",
        )
    note_change()
    return _answer(feed_file, version, patients)


def _answer(feed_file: FeedFile, content: str, patients: set[uuid.UUID] | None) -> Receipt:
    """A second notice of the same bytes that changed nothing is answered from the first ledger."""
    changed = feed_file.created + feed_file.updated + feed_file.superseded + feed_file.waiting
    if feed_file.version != content and not changed:
        first = FeedFile.objects.filter(
            bucket=feed_file.bucket,
            key=feed_file.key,
            version=content,
            status=FileStatus.INGESTED,
        ).first()
        if first is not None:
            return Receipt(first, was_ingested_before=True, patients=patients)
    return Receipt(feed_file, patients=patients)


def register(stored: StoredObject) -> FeedFile | None:
    """Put an object on record as received. Returns None where it is done already.

    Raises OSError where it cannot be read.
    """
    with stored.open() as stream:
        version = _digest(stream)
    feed_file = _register(stored, version, timezone.now())
    return feed_file if feed_file.status == FileStatus.RECEIVED else None


def _register(stored: StoredObject, version: str, now: datetime) -> FeedFile:
    source_time = source_time_of(stored)
    is_stamped = source_time_in(stored.key) is not None
    feed_file, is_new = FeedFile.objects.get_or_create(
        bucket=stored.bucket,
        key=stored.key,
        version=version if is_stamped else _version_of(stored, version),
        defaults={
            "source": stored.source,
            "last_modified": stored.last_modified,
            "source_time": source_time,
            "received_at": now,
            "size": stored.size,
        },
    )
    if is_new and not is_stamped and _has_been_superseded(feed_file, version):
        # Saved at once: the lookout registers, and a worker ingests it later.
        feed_file.is_comeback = True
        feed_file.save(update_fields=["is_comeback"])
    if version != UNREAD:
        FeedFile.objects.filter(bucket=stored.bucket, key=stored.key, version=UNREAD).delete()
    return feed_file


def _version_of(stored: StoredObject, content: str) -> str:
    """Name the version of an object without a stamp: its content, and its time where that differs.

    The same bytes under the same name with another time state everything anew as of that time.
    Whether others came in between must not decide it: those may arrive later than this notice.
    """
    same_content = FeedFile.objects.filter(
        bucket=stored.bucket, key=stored.key, version__startswith=content
    )
    same_time = same_content.filter(source_time=stored.last_modified).first()
    if same_time is not None:
        return same_time.version
    is_known = content != UNREAD and same_content.exists()
    return f"{content}@{stored.last_modified.isoformat()}" if is_known else content


def _has_been_superseded(feed_file: FeedFile, content: str) -> bool:
    """Tell whether its feed delivered this content before, under whatever name, and then another.

    An export that repeats itself, with nothing in between, is no news.
    """
    ingested = FeedFile.objects.filter(
        source=feed_file.source,
        status=FileStatus.INGESTED,
        rows__gt=0,
        source_time__lt=feed_file.source_time,
    )
    before = ingested.filter(version__startswith=content).order_by("-source_time").first()
    return (
        before is not None
        and ingested.filter(feed=before.feed_id, source_time__gt=before.source_time).exists()
    )


def refuse_unread(stored: StoredObject, error: OSError) -> Receipt:
    """Put on record that an object cannot even be opened: its content, its version, is unknown."""
    return _refuse(stored, UNREAD, _unreadable(error), timezone.now())


def _refuse(stored: StoredObject, version: str, refusal: FileRefused, now: datetime) -> Receipt:
    """Record a refusal in a transaction of its own: the file's own has left nothing.

    Where nothing could be read, and it waits on record as received, that is what is refused: one
    file, one refusal.
    """
    with transaction.atomic():
        _lock_the_books()
        received = FeedFile.objects.filter(
            bucket=stored.bucket, key=stored.key, status=FileStatus.RECEIVED
        )
        known = list(received) if version == UNREAD else []
        files = known or [_register(stored, version, now)]
        if files[0].status == FileStatus.INGESTED:
            return Receipt(files[0], was_ingested_before=True)
        for feed_file in files:
            refuse(feed_file, refusal, now=now)
    return Receipt(files[-1])


def refuse(feed_file: FeedFile, refusal: FileRefused, *, now: datetime) -> None:
    """Mark a file as refused, with its reason."""
    feed_file.status = FileStatus.REFUSED
    feed_file.refusal = refusal.reason
    feed_file.reason = refusal.detail
    feed_file.finished_at = now
    feed_file.save()
    note_change()


def _unreadable(error: OSError) -> FileRefused:
    if isinstance(error, FileNotFoundError):
        return FileRefused(RefusalReason.VANISHED, "It was gone before it could be read.")
    return FileRefused(
        RefusalReason.UNREADABLE,
        f"It could not be read ({error.strerror or type(error).__name__}). Check its permissions"
        " and the disk, then ingest it again.",
    )


def _is_of_the_file(error: DatabaseError) -> bool:
    """Tell a fault of what was to be stored from one of the database itself.

    Class 54, a limit of the database exceeded, counts as operational there; but the same file
    would exceed it for ever, and hold up all that come behind it.
    """
    state = str(getattr(error.__cause__, "pgcode", None) or "")
    return isinstance(error, (DataError, IntegrityError)) or state.startswith("54")


def _not_storable(error: Exception) -> FileRefused:
    """Name the constraint, never the values: a database's message quotes the row."""
    diagnosis = getattr(error.__cause__, "diag", None)
    name = getattr(diagnosis, "constraint_name", None) or type(error).__name__
    return FileRefused(
        RefusalReason.UNREADABLE,
        f"A row of it could not be stored ({name}). Nothing of the file was applied;"
        " please report this.",
    )


def note_change() -> None:
    """Count a change that a screen could show; part of the transaction that made it."""
    # One statement: two first changes at once must not both try to make the row.
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {ChangeCounter._meta.db_table} AS c (id, count) VALUES (1, 1)"
            " ON CONFLICT (id) DO UPDATE SET count = c.count + 1"
        )


def _lock_the_books() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_BOOKS_LOCK])


def _digest(stream: BinaryIO) -> str:
    digest = hashlib.sha256()
    while block := stream.read(_READ_SIZE):
        digest.update(block)
    return digest.hexdigest()


class _Watched(io.RawIOBase):
    """A stream that remembers what was read from it, to notice a file changed under the reader."""

    def __init__(self, stream: BinaryIO) -> None:
        super().__init__()
        self._stream = stream
        self._digest = hashlib.sha256()

    def readable(self) -> bool:
        """Say that this is for reading."""
        return True

    def seekable(self) -> bool:
        """Say that it may be read again from the start."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Start over; there is nothing else to seek for."""
        if (offset, whence) != (0, io.SEEK_SET):
            raise io.UnsupportedOperation("only from the start")
        self._digest = hashlib.sha256()
        return self._stream.seek(0)

    def read(self, size: int = -1) -> bytes:
        """Read and remember."""
        block = self._stream.read(size)
        self._digest.update(block)
        return block

    def digest(self) -> str:
        """Give the SHA-256 of what was read since the start."""
        return self._digest.hexdigest()


def drain(inbox: Inbox | None = None) -> int:
    """Ingest what the inbox has on record as received, by source time. Returns how many.

    One drain at a time; what is registered meanwhile is taken in the same run. A file that
    fails for no fault that can be named is tried a few times, then refused.
    """
    inbox = inbox or Inbox()
    done = 0
    while _pending(inbox).exists():
        with _drain_lock() as is_mine:
            if not is_mine:
                break
            done += _drain(inbox)
    return done


def _drain(inbox: Inbox) -> int:
    """Ingest all that is pending, then tell the listeners. Where that stops half-way, they are not
    told: the sweep evaluates by the clock, and knows that the feeds are catching up."""
    touched: set[uuid.UUID] | None = set()
    done = 0
    while batch := list(_pending(inbox)[:500]):
        for feed_file in batch:
            touched = _join(touched, _ingest_received(inbox, feed_file))
            done += 1
    records_changed.send(sender=None, patients=touched)
    return done


def _ingest_received(inbox: Inbox, feed_file: FeedFile) -> set[uuid.UUID] | None:
    if feed_file.attempts >= MAX_ATTEMPTS:
        # Counted before each attempt: a file that takes the worker down with it has no other trace.
        _refuse_received(feed_file, _given_up("the worker died"))
        return set()
    _count_attempt(feed_file, 1)
    try:
        receipt = ingest(inbox.object(feed_file.key))
    except (TimeZoneNotSet, OperationalError, InterfaceError):
        # No fault of the file: however long it lasts, the file must not be refused for it.
        with suppress(DatabaseError, InterfaceError):
            _count_attempt(feed_file, -1)
        raise
    except OSError as error:
        _refuse_received(feed_file, _unreadable(error))
        return set()
    except Exception as error:  # pylint: disable=broad-exception-caught
        # One poison file must not keep all the others from the ward.
        log.exception(
            "ingestion failed", extra={"file": feed_file.pk, "error": type(error).__name__}
        )
        if feed_file.attempts + 1 >= MAX_ATTEMPTS:
            _refuse_received(feed_file, _given_up(type(error).__name__))
        return set()
    if receipt.file.pk != feed_file.pk:
        _refuse_received(
            feed_file,
            FileRefused(RefusalReason.VANISHED, "It was replaced before it could be read."),
        )
    return receipt.patients


def _count_attempt(feed_file: FeedFile, count: int) -> None:
    FeedFile.objects.filter(pk=feed_file.pk).update(attempts=F("attempts") + count)


def _refuse_received(feed_file: FeedFile, refusal: FileRefused) -> None:
    with transaction.atomic():
        _lock_the_books()
        current = FeedFile.objects.get(pk=feed_file.pk)
        if current.status == FileStatus.RECEIVED:
            refuse(current, refusal, now=timezone.now())


def _given_up(cause: str) -> FileRefused:
    return FileRefused(
        RefusalReason.UNREADABLE,
        f"Reading it failed {MAX_ATTEMPTS} times ({cause}); please report this.",
    )


def _pending(inbox: Inbox) -> QuerySet[FeedFile]:
    return FeedFile.objects.filter(bucket=inbox.bucket, status=FileStatus.RECEIVED).order_by(
        "source_time", "key"
    )


@contextmanager
def _drain_lock() -> Iterator[bool]:
    """Try to become the only one who drains; yields whether that worked."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [_DRAIN_LOCK])
        is_mine = cursor.fetchone()[0]
    try:
        yield is_mine
    finally:
        if is_mine:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(%s)", [_DRAIN_LOCK])
