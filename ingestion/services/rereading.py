"""What a replay does to what was there before it, in the replay's own transaction.

The reading of before keeps its ledger and its rows for ever; from now on the new one speaks.
"""

from __future__ import annotations

from datetime import datetime

from ingestion.choices import FileStatus, Settlement
from ingestion.models import FeedFile, Reading, RejectedRow, RejectedSubject
from ops import audit

FILE = "feed file"


def let_it_speak(feed_file: FeedFile, *, by: str, why: str, source_time: datetime | None) -> None:
    """Settle what earlier readings had rejected, and put the replay on record as an act.

    What the new reading rejects again is work again: rows of its own.
    """
    earlier = RejectedRow.objects.filter(
        feed_file=feed_file, reading__lt=feed_file.reading, settled_at__isnull=True
    )
    rows = list(earlier.values_list("pk", flat=True))
    RejectedSubject.objects.filter(rejected_row__in=rows).update(is_settled=True)
    RejectedRow.objects.filter(pk__in=rows).update(
        settled_at=feed_file.finished_at,
        settlement=Settlement.REPLAYED,
        settled_by=by,
        settled_why=why,
    )
    details = {"status": FileStatus.INGESTED, "reading": feed_file.reading, **feed_file.ledger}
    details["settled"] = len(rows)
    _record(feed_file, details, by=by, why=why, source_time=source_time)


def note_refused_replay(
    reading: Reading, *, by: str, why: str, source_time: datetime | None
) -> None:
    """Put a replay that was refused on record as an act; it has changed no row."""
    details = {"status": reading.status, "reading": reading.number, "refusal": reading.refusal}
    _record(reading.feed_file, details, by=by, why=why, source_time=source_time)


def _record(
    feed_file: FeedFile,
    details: dict[str, object],
    *,
    by: str,
    why: str,
    source_time: datetime | None,
) -> None:
    if source_time is not None:
        details["source_time"] = source_time.isoformat()
    audit.record("file.replayed", by=by, kind=FILE, key=feed_file.pk, why=why, details=details)
