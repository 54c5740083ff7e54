"""What could not be trusted is worked: a file is read again, or somebody says that it is no work.

Corrects no value: a replay reads the same bytes as before, by what feeds and layouts declare now.
Each act names a person and a reason, and is on the audit trail.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from django.db import connection, transaction
from django.utils import timezone

from ingestion.choices import FileStatus, RefusalReason, RejectReason, RowOutcome, Settlement
from ingestion.errors import FileRefused, NotCarriedOut
from ingestion.models import FeedFile, Reading, RejectedRow, RejectedSubject
from ingestion.models.feeds import LEDGER_COLUMNS
from ingestion.services.changes import note_change
from ingestion.services.receiving import Replay, ingest, join_patients, refuse, unreadable
from ingestion.services.registering import UNREAD, digest_of
from ingestion.services.rereading import FILE
from ingestion.services.tables import TABLES
from ingestion.signals import records_changed
from ingestion.storage import (
    LOCAL,
    Places,
    StorageUnreachable,
    StoredObject,
    local_object,
    standing_for,
)
from ops import audit
from ops.services.muting import require_acting

ROW = "rejected row"


@dataclass(frozen=True)
class Replayed:
    """What a replay came to: the reading that stood before it, if any, and its own."""

    file: FeedFile
    before: Reading | None
    after: Reading
    patients: set[uuid.UUID] | None

    @property
    def is_ingested(self) -> bool:
        """Tell whether the new reading is the one that speaks now."""
        return self.after.status == FileStatus.INGESTED


def replay_files(
    files: Iterable[FeedFile],
    *,
    by: str,
    why: str,
    source_time: datetime | None = None,
    path: Path | None = None,
    on_done: Callable[[Replayed], None] = lambda _: None,
) -> None:
    """Read files again by source time, then tell the listeners once whom it touched.

    `path` says where the one file lies, `source_time` as of when it speaks. Raises NotCarriedOut
    and PlaceMuted, before anything is read, where one of them cannot be replayed.
    """
    require_acting()
    _require(by, why)
    ordered = sorted(files, key=lambda file: (file.source_time, file.key))
    if len(ordered) != 1 and (path is not None or source_time is not None):
        raise NotCarriedOut("A path or a source time is given to one file, not to several.")
    for feed_file in ordered:
        _refuse_what_cannot_be(feed_file, source_time, path)
    touched: set[uuid.UUID] | None = set()
    done = 0
    try:
        for feed_file in ordered:
            replayed = _replay(feed_file, by, why, source_time, path)
            done += 1
            touched = join_patients(touched, replayed.patients)
            on_done(replayed)
    finally:
        if done:
            records_changed.send(sender=None, patients=touched)


def _refuse_what_cannot_be(
    feed_file: FeedFile, source_time: datetime | None, path: Path | None
) -> None:
    """Raise NotCarriedOut for what no reading can mend."""
    name = f"File {feed_file.pk}"
    if feed_file.status == FileStatus.RECEIVED:
        raise NotCarriedOut(f"{name} is still to be read for the first time.")
    if feed_file.bucket == LOCAL and path is None:
        raise NotCarriedOut(f"{name} came from the command line: say where it lies now (--path).")
    is_ahead = feed_file.refusal == RefusalReason.FROM_THE_FUTURE
    if source_time is not None:
        if not is_ahead:
            raise NotCarriedOut(
                f"{name} has a source time of its own. Only a file that was refused as from the"
                " future is given another."
            )
        if source_time.tzinfo is None:
            raise NotCarriedOut("The source time needs an offset, for example +01:00 or Z.")
        if source_time > timezone.now():
            raise NotCarriedOut("The source time lies in the future.")


def _replay(
    feed_file: FeedFile, by: str, why: str, source_time: datetime | None, path: Path | None
) -> Replayed:
    standing = _standing(feed_file)
    said = why if source_time is None else f"{why} (source time given: {source_time.isoformat()})"
    replay = Replay(by, said, _speaks_as_of(feed_file, source_time), source_time)
    try:
        stored = _object_of(feed_file, path)
        _refuse_other_content(feed_file, stored, is_pointed_at=path is not None)
    except StorageUnreachable:
        raise  # it says nothing about the file
    except OSError as error:
        return _refused(feed_file, unreadable(error), replay, standing)
    except FileRefused as refusal:
        return _refused(feed_file, refusal, replay, standing)
    receipt = ingest(stored, replay=replay)
    # A receipt may answer from another file's ledger; a file that was on record as unread is gone.
    read = FeedFile.objects.filter(pk=feed_file.pk).first() or receipt.file
    return _replayed(read, standing, receipt.patients)


def _standing(feed_file: FeedFile) -> Reading | None:
    """Give the reading whose ledger the file shows, else the latest."""
    readings = feed_file.readings.order_by("-number")
    return readings.filter(number=feed_file.reading).first() or readings.first()


def _speaks_as_of(feed_file: FeedFile, given: datetime | None) -> datetime | None:
    """Give the source time, where it is not the object's own.

    What was ingested once as of a time that an operator gave keeps that time for ever: its rows
    would else become versions of the future after all.
    """
    return feed_file.source_time if feed_file.status == FileStatus.INGESTED else given


def _object_of(feed_file: FeedFile, path: Path | None) -> StoredObject:
    """Find the object again. Raises OSError, and FileRefused where no storage has its bucket."""
    if path is not None:
        found = local_object(path)
    else:
        try:
            found = Places.from_settings().object_on_record(feed_file)
        except KeyError:
            raise FileRefused(
                RefusalReason.VANISHED,
                "The storage that it came from is not set up any more. Say where the file lies.",
            ) from None
    return standing_for(feed_file, found)


def _refuse_other_content(
    feed_file: FeedFile, stored: StoredObject, *, is_pointed_at: bool
) -> None:
    """Let no other content become a reading of this file: it is a file of its own."""
    if feed_file.version == UNREAD:
        return
    with stored.open() as stream:
        content = digest_of(stream)
    if feed_file.content in ("", content):
        return
    if is_pointed_at:
        raise NotCarriedOut(f"What lies there is not file {feed_file.pk}: its content differs.")
    raise FileRefused(
        RefusalReason.VANISHED,
        "Its object holds other content by now, which is a file of its own.",
    )


def _refused(
    feed_file: FeedFile, refusal: FileRefused, replay: Replay, standing: Reading | None
) -> Replayed:
    with transaction.atomic():
        refuse(feed_file, refusal, now=timezone.now(), replay=replay)
    return _replayed(feed_file, standing, set())


def _replayed(
    feed_file: FeedFile, standing: Reading | None, patients: set[uuid.UUID] | None
) -> Replayed:
    current = FeedFile.objects.select_related("feed").get(pk=feed_file.pk)
    return Replayed(current, standing, current.readings.order_by("-number")[0], patients)


def files_to_replay(
    *,
    is_refused: bool = False,
    since: datetime | None = None,
    feed: str = "",
    reason: str = "",
) -> list[FeedFile]:
    """Find files on record for a replay of many at once; those dismissed are left alone.

    `feed` is a source, a layout, or both as feeds are shown; a refused file may have no feed yet,
    and is then found by its source. `reason` is that of the refusal, or of a row that the standing
    reading rejected and nobody has settled. With `since`, it is every file received from then on,
    since what was read wrongly was not always rejected.
    """
    files = FeedFile.objects.select_related("feed").exclude(status=FileStatus.RECEIVED)
    refused = files.filter(status=FileStatus.REFUSED, dismissed_at__isnull=True)
    if since is not None:
        found = files.filter(received_at__gte=since, dismissed_at__isnull=True)
    elif is_refused:
        found = refused.filter(refusal=reason) if reason else refused
    else:
        rows = RejectedRow.objects.filter(settled_at__isnull=True)
        rows = rows.filter(reason=reason) if reason else rows
        found = files.filter(status=FileStatus.INGESTED, pk__in=rows.order_by().values("feed_file"))
    return [one for one in found.order_by("source_time", "key") if _is_of(one, feed)]


def _is_of(feed_file: FeedFile, feed: str) -> bool:
    names = {feed_file.source}
    if feed_file.feed is not None:
        names |= {feed_file.feed.layout, str(feed_file.feed)}
    return not feed or feed in names


def fate_of(replayed: Replayed, line: int) -> str:
    """Say what became of one line of a file that was read again."""
    reading = replayed.after
    if not replayed.is_ingested:
        return f"Line {line} is as it was: {reading.reason}"
    rejected = RejectedRow.objects.filter(
        feed_file=replayed.file, reading=reading.number, line=line
    ).first()
    if rejected is not None:
        column = f" ({rejected.column})" if rejected.column else ""
        return f"Line {line} is rejected again: {RejectReason(rejected.reason).label}{column}."
    for outcome in RowOutcome:
        if line in (getattr(reading, f"lines_{outcome}") or ()):
            return f"Line {line}: {outcome.label.lower()}."
    return f"No row begins on line {line} any more."


def left_standing(replayed: Replayed) -> str:
    """Warn of records that are still what an earlier reading made of rows that are rejected now.

    Rows never delete records: what the earlier reading misread, a date perhaps, goes on counting
    until the source says better. Empty where there is none.
    """
    left = 0
    with connection.cursor() as cursor:
        for table in TABLES:
            identity = ", ".join(f"t.{name}" for name in table.identity)
            cursor.execute(
                f"SELECT count(*) FROM ingestion_rejectedrow r JOIN ingestion_rejectedsubject s"
                f" ON s.rejected_row_id = r.id JOIN {table.name} t"
                f" ON s.identity = ARRAY[{identity}]::text[] AND {table.condition}"
                " WHERE r.feed_file_id = %s AND r.reading = %s AND s.kind = %s"
                " AND (t.said_in_id, t.said_line) = (r.feed_file_id, r.line)",
                [replayed.file.pk, replayed.after.number, str(table.kind)],
            )
            left += cursor.fetchone()[0]
    if not left:
        return ""
    return (
        f"Still on record as an earlier reading had it: {left} of what is rejected now. It counts"
        " until the source tells it again; look at these records."
    )


def ledger_of(reading: Reading) -> str:
    """Write a reading's ledger, or its refusal, on one line."""
    if reading.status != FileStatus.INGESTED:
        return f"refused. {reading.reason}"
    ledger = ", ".join(
        f"{getattr(reading, name)} {name}" for name in LEDGER_COLUMNS if getattr(reading, name)
    )
    return f"{reading.rows} rows ({ledger or 'none'})"


# --- Said to be no work ------------------------------------------------------------------


def dismiss_row(row: RejectedRow, *, by: str, why: str) -> None:
    """Take a rejected row off the work list; it stays in its ledger. Raises NotCarriedOut."""
    _require(by, why)
    now = timezone.now()
    with transaction.atomic():
        dismissed = RejectedRow.objects.filter(pk=row.pk, settled_at__isnull=True).update(
            settled_at=now,
            settlement=Settlement.DISMISSED,
            settled_by=by,
            settled_why=why.strip(),
        )
        if dismissed != 1:
            raise NotCarriedOut(f"Rejected row {row.pk} is settled already.")
        RejectedSubject.objects.filter(rejected_row=row.pk).update(is_settled=True)
        details = {"file": row.feed_file_id, "line": row.line, "reason": row.reason}
        audit.record(
            "rejected_row.dismissed", by=by, kind=ROW, key=row.pk, why=why.strip(), details=details
        )
        note_change()


def dismiss_file(feed_file: FeedFile, *, by: str, why: str) -> None:
    """Take a refused file out of the board's doubts; it stays refused. Raises NotCarriedOut."""
    _require(by, why)
    now = timezone.now()
    with transaction.atomic():
        dismissed = FeedFile.objects.filter(
            pk=feed_file.pk, status=FileStatus.REFUSED, dismissed_at__isnull=True
        ).update(dismissed_at=now, dismissed_by=by, dismissed_why=why.strip())
        if dismissed != 1:
            raise NotCarriedOut(f"File {feed_file.pk} is not refused, or is dismissed already.")
        details = {"refusal": feed_file.refusal}
        audit.record(
            "file.dismissed", by=by, kind=FILE, key=feed_file.pk, why=why.strip(), details=details
        )
        note_change()


def _require(by: str, why: str) -> None:
    if not by.strip():
        raise NotCarriedOut("Say who does this.")
    if not why.strip():
        raise NotCarriedOut("Say why.")
