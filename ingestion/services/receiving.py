"""One object is taken in: ingested with its ledger, or refused with its reason.

After a crash at any moment a file is ingested, or refused, or still to be done; nothing of a
half-done file is visible. Each attempt leaves a Reading; a replay is a reading of its own.
"""

from __future__ import annotations

import hashlib
import io
import logging
import random
import time
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import BinaryIO, cast

from django.db import DatabaseError, DataError, IntegrityError, OperationalError, transaction
from django.utils import timezone

from ingestion.choices import FileStatus, FoundBy, RefusalReason
from ingestion.errors import FileRefused
from ingestion.models import FeedFile, Reading
from ingestion.queries import FUTURE_TOLERANCE
from ingestion.services.changes import note_change
from ingestion.services.loading import MANY_PATIENTS, Load, prepare
from ingestion.services.locking import TurnTaken
from ingestion.services.registering import (
    UNREAD,
    digest_of,
    has_come_back,
    on_record,
    put_on_record,
    source_time_of,
)
from ingestion.services.rereading import let_it_speak, note_refused_replay
from ingestion.signals import records_changed
from ingestion.storage import StorageUnreachable, StoredObject

log = logging.getLogger(__name__)

# A deadlock or a failed serialisation is nobody's fault: the same file is tried again at once.
_RETRIED = ("40001", "40P01")
_MOST_RETRIES = 5


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


@dataclass(frozen=True)
class Replay:
    """Who asked for a file to be read again, and why.

    `source_time` is the one as of which the file speaks, where that is not its own: an operator
    gives it, now (`given_source_time`) or at an earlier replay, to a file from the future.
    """

    asked_by: str
    why: str
    source_time: datetime | None = None
    given_source_time: datetime | None = None


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
            touched = join_patients(touched, receipt.patients)
            on_done(receipt)
    finally:
        if ordered:
            records_changed.send(sender=None, patients=touched)


def join_patients(
    some: set[uuid.UUID] | None, more: set[uuid.UUID] | None
) -> set[uuid.UUID] | None:
    """Add to `some` in place: a folder of ten thousand files must not copy it as often."""
    if some is None or more is None or len(some) + len(more) > MANY_PATIENTS:
        return None
    some |= more
    return some


def ingest(
    stored: StoredObject, *, found_by: FoundBy = FoundBy.COMMAND, replay: Replay | None = None
) -> Receipt:
    """Ingest one object, or answer from its ledger where that was done before.

    A replay reads it again whatever was done before. Raises TimeZoneNotSet, StorageUnreachable, and
    database errors that say nothing about the file.
    """
    now = timezone.now()
    try:
        stream = stored.open()
    except StorageUnreachable:
        raise
    except OSError as error:
        return refuse_object(stored, unreadable(error), found_by=found_by, replay=replay)
    with stream:
        content = UNREAD
        try:
            content = digest_of(stream)
            return _ingest_content(stored, content, stream, now, found_by, replay)
        except FileRefused as refusal:
            reason = refusal
        except OSError as error:
            reason = unreadable(error)
        except DatabaseError as error:
            if not _is_of_the_file(error):
                raise
            log.exception("file could not be stored", extra={"error": type(error).__name__})
            reason = _not_storable(error)
    return refuse_object(stored, reason, content=content, found_by=found_by, replay=replay)


def _ingest_content(
    stored: StoredObject,
    content: str,
    stream: BinaryIO,
    now: datetime,
    found_by: FoundBy,
    replay: Replay | None,
) -> Receipt:
    """Read the rows without holding anything up, then apply them in one short transaction."""
    known = on_record(stored, content)
    if known and known.status == FileStatus.INGESTED and replay is None:
        return Receipt(known, was_ingested_before=True)
    source_time = (replay and replay.source_time) or source_time_of(stored)
    if source_time > now + FUTURE_TOLERANCE:
        raise FileRefused(
            RefusalReason.FROM_THE_FUTURE,
            "Its source time lies more than 10 minutes in the future: it would win over every"
            " later file. Correct the sender's clock and export it again, or replay it with a"
            " source time.",
        )
    stream.seek(0)
    watched = _Watched(stream)
    reading = prepare(cast(BinaryIO, watched), source=stored.source, source_time=source_time)
    with reading as load:
        if watched.digest() != content:
            raise FileRefused(
                RefusalReason.UNREADABLE,
                "It was changed while it was read. Its new content counts as a new file.",
            )

        def apply(alone: bool) -> Receipt:
            feed_file = put_on_record(stored, content, now=now, found_by=found_by, is_locked=True)
            return _apply(feed_file, content, load, source_time, replay, alone=alone)

        return _retried(apply)


def _retried(apply: Callable[[bool], Receipt]) -> Receipt:
    """Apply in a transaction, again where somebody came between; the last time alone."""
    for tried in range(_MOST_RETRIES):
        try:
            with transaction.atomic():
                return apply(False)
        except TurnTaken:
            continue
        except OperationalError as error:
            if getattr(error.__cause__, "pgcode", None) not in _RETRIED:
                raise
            log.warning("applying a file is tried again", extra={"tried": tried + 1})
            time.sleep(random.uniform(0, 0.05 * 2**tried))
    with transaction.atomic():
        return apply(True)


def _apply(
    current: FeedFile,
    content: str,
    load: Load,
    source_time: datetime,
    replay: Replay | None,
    *,
    alone: bool,
) -> Receipt:
    """Apply what was read. The file's row is locked: two workers never apply one file at once."""
    if current.status == FileStatus.INGESTED and replay is None:
        return Receipt(current, was_ingested_before=True)
    current.source_time = source_time
    current.content = content
    current.is_comeback = has_come_back(current)
    current.reading = _next_number(current)
    patients = load.apply(current, alone=alone)
    current.status = FileStatus.INGESTED
    current.refusal = current.reason = ""
    current.save()
    asked = replay or Replay("", "")
    load.keep_reading(current, asked_by=asked.asked_by, why=asked.why)
    if replay is not None:
        let_it_speak(
            current, by=replay.asked_by, why=replay.why, source_time=replay.given_source_time
        )
    note_change()
    return _answer(current, content, patients)


def _next_number(feed_file: FeedFile) -> int:
    numbers = feed_file.readings.order_by("-number").values_list("number", flat=True)
    return (numbers.first() or 0) + 1


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


def refuse_object(
    stored: StoredObject,
    refusal: FileRefused,
    *,
    content: str = UNREAD,
    found_by: FoundBy = FoundBy.COMMAND,
    replay: Replay | None = None,
) -> Receipt:
    """Record a refusal in a transaction of its own: the file's own has left nothing.

    Where nothing could be read, and it waits on record as received, that is what is refused: one
    file, one refusal; of an object that tells its version, that version alone. A refused replay
    leaves what was ingested before as it was.
    """
    now = timezone.now()
    with transaction.atomic():
        received = FeedFile.objects.filter(
            bucket=stored.bucket, key=stored.key, status=FileStatus.RECEIVED
        )
        is_any = content == UNREAD and not stored.tells_its_version
        known = list(received) if is_any else []
        files = known or [put_on_record(stored, content, now=now, found_by=found_by)]
        for feed_file in files:
            refuse(feed_file, refusal, now=now, replay=replay)
    last = FeedFile.objects.get(pk=files[-1].pk)
    return Receipt(last, was_ingested_before=last.status == FileStatus.INGESTED)


def refuse_unread(stored: StoredObject, error: OSError, *, found_by: FoundBy) -> Receipt:
    """Put on record that an object cannot even be opened: its content, its version, is unknown."""
    return refuse_object(stored, unreadable(error), found_by=found_by)


def refuse(
    feed_file: FeedFile, refusal: FileRefused, *, now: datetime, replay: Replay | None = None
) -> None:
    """Mark a file as refused, with its reason, and its reading too; inside a transaction.

    What another worker has ingested meanwhile stays ingested.
    """
    current = FeedFile.objects.select_for_update().get(pk=feed_file.pk)
    is_ingested = current.status == FileStatus.INGESTED
    if is_ingested and replay is None:
        return
    reading = Reading.objects.create(
        feed_file=current,
        number=_next_number(current),
        status=FileStatus.REFUSED,
        refusal=refusal.reason,
        reason=refusal.detail,
        asked_by=replay.asked_by if replay else "",
        why=replay.why if replay else "",
        finished_at=now,
    )
    if replay is not None:
        note_refused_replay(
            reading, by=replay.asked_by, why=replay.why, source_time=replay.given_source_time
        )
    # That it could not be read again does not mend why it was refused: the list of what waits for
    # that to be mended must not lose it.
    is_no_news = replay is not None and not refusal.is_permanent and current.refusal
    if not is_ingested and not is_no_news:
        current.status = FileStatus.REFUSED
        current.refusal = refusal.reason
        current.reason = refusal.detail
        current.finished_at = now
        current.save(update_fields=["status", "refusal", "reason", "finished_at"])
    note_change()


def unreadable(error: OSError) -> FileRefused:
    """Say what kept an object from being read, without its name."""
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
