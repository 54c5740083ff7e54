"""One file from bytes to balanced ledger, in one transaction.

The file is read in blocks, so memory does not grow with it. Whatever goes wrong inside, the
transaction leaves nothing of the file behind.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import BinaryIO
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import connection

from ingestion.choices import FileStatus, RecordKind, RowOutcome
from ingestion.csvrows import BadRow, CsvReading, Row, open_rows
from ingestion.errors import FileRefused
from ingestion.judging import Judge, Judged, Rejection
from ingestion.layouts import Mapping, recognise
from ingestion.models import (
    Drift,
    Feed,
    FeedFile,
    Flaw,
    Reading,
    RejectedRow,
    RejectedSubject,
    WaitingRow,
)
from ingestion.models.feeds import LEDGER_COLUMNS
from ingestion.models.fields import Lines
from ingestion.services.quiet import recompute_quiet
from ingestion.services.records import Block, Merger
from ingestion.services.tables import copy_rows

BLOCK_ROWS = 2_000
BLOCK_CHARACTERS = 8 << 20  # two thousand rows of a megabyte each would not fit
# Above this many touched patients it is quicker to evaluate everybody than to name them.
MANY_PATIENTS = 10_000


def hospital_zone() -> ZoneInfo | None:
    """Give the hospital's zone; without one, only times that carry an offset can be read."""
    return ZoneInfo(settings.HOSPITAL_TIME_ZONE) if settings.HOSPITAL_TIME_ZONE else None


def open_reading(stream: BinaryIO, *, source: str) -> tuple[CsvReading, Mapping, Feed]:
    """Recognise a file by its header and find its feed, reading it in the feed's encoding.

    A header that cannot be read as UTF is tried in the encodings that the feeds of this
    source declare. Raises FileRefused.
    """
    declared = Feed.objects.filter(source=source).exclude(encoding="").order_by("layout")
    refusal: FileRefused | None = None
    for encoding in (None, *dict.fromkeys(declared.values_list("encoding", flat=True))):
        stream.seek(0)
        try:
            reading = open_rows(stream, encoding=encoding)
            mapping = recognise(reading.header)
        except FileRefused as error:
            refusal = refusal or error
            continue
        feed, _ = Feed.objects.get_or_create(source=source, layout=mapping.layout.name)
        if feed.encoding and encoding != feed.encoding:
            stream.seek(0)
            reading = open_rows(stream, encoding=feed.encoding)
            mapping = recognise(reading.header)
        return reading, mapping, feed
    assert refusal is not None
    raise refusal


class Load:
    """One file as it was read, before anything of it is applied."""

    def __init__(self, stream: BinaryIO, *, source: str, source_time: datetime) -> None:
        reading, self._mapping, self._feed = open_reading(stream, source=source)
        self._blocks = list(_blocks(reading.rows))
        self._is_possibly_cut = reading.possibly_cut

    def apply(self, feed_file: FeedFile) -> set[uuid.UUID] | None:
        """Apply every row and close the file's ledger, inside a transaction.

        Returns the patients touched, or None where they are too many to name.
        """
        assert feed_file.finished_at is not None
        feed_file.feed = self._feed
        for name in ("rows", *LEDGER_COLUMNS, "flaws"):
            setattr(feed_file, name, 0)
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [0x5649_4749_4C01])
        loader = _Loader(feed_file, self._mapping, now=feed_file.finished_at)
        for rows in self._blocks:
            loader.take(rows)
        loader.settle_quiet()
        loader.report_drift(self._mapping)
        feed_file.is_possibly_cut = self._is_possibly_cut
        self._lines = loader.lines
        return loader.patients

    def keep_reading(self, feed_file: FeedFile, *, asked_by: str, why: str) -> None:
        """Keep this reading of the file on record, with its ledger and what each line did."""
        Reading.objects.create(
            feed_file=feed_file,
            number=feed_file.reading,
            status=FileStatus.INGESTED,
            asked_by=asked_by,
            why=why,
            finished_at=feed_file.finished_at or feed_file.received_at,
            flaws=feed_file.flaws,
            **feed_file.ledger,
            **{
                f"lines_{outcome}": Lines.of(
                    line for line, done in self._lines.items() if done == outcome
                )
                for outcome in RowOutcome
            },
        )


@contextmanager
def prepare(stream: BinaryIO, *, source: str, source_time: datetime) -> Iterator[Load]:
    """Read and judge a whole file; holds nothing up. Raises FileRefused."""
    yield Load(stream, source=source, source_time=source_time)


def _blocks(rows: Iterable[Row | BadRow]) -> Iterator[list[Row | BadRow]]:
    block: list[Row | BadRow] = []
    size = 0
    for row in rows:
        block.append(row)
        size += len(row.raw)
        if len(block) == BLOCK_ROWS or size > BLOCK_CHARACTERS:
            yield block
            block, size = [], 0
    if block:
        yield block


class _Loader:
    """Takes the blocks of one file: judges, merges, and counts each row in one column."""

    def __init__(self, feed_file: FeedFile, mapping: Mapping, *, now: datetime) -> None:
        self.patients: set[uuid.UUID] | None = set()
        self.lines: dict[int, RowOutcome] = {}
        self._file = feed_file
        self._now = now
        self._judge = Judge(
            mapping,
            source_time=feed_file.source_time,
            zone=hospital_zone(),
            day_first=bool(feed_file.feed and feed_file.feed.is_day_first),
        )
        self._merger = Merger(feed_file, now=now)
        self._department_at = mapping.columns.get("department", mapping.columns.get("ward"))
        self._unlisted: set[str] = set()
        self._unsettled: set[uuid.UUID] = set()

    def take(self, rows: list[Row | BadRow]) -> None:
        """Judge and apply a block of rows and add them to the ledger."""
        judged: list[tuple[int, Judged]] = []
        rejected: list[tuple[Row | BadRow, Rejection]] = []
        for row in rows:
            verdict = (
                Rejection(row.reason, None, [])
                if isinstance(row, BadRow)
                else self._judge.judge(row.fields)
            )
            if isinstance(verdict, Rejection):
                rejected.append((row, verdict))
            else:
                judged.append((row.line, verdict))
        self.lines.update((row.line, RowOutcome.REJECTED) for row, _ in rejected)
        block = self._merger.apply([(line, verdict.statements) for line, verdict in judged])
        self._keep_rejected(rejected)
        self._keep_flaws(judged)
        self._keep_waiting(block)
        self.lines.update(block.outcomes)
        self._count(block, len(rows), len(rejected))
        self._touch(block.patients)

    def settle_quiet(self) -> None:
        """Recompute since when those touched are without a test, once for many blocks."""
        recompute_quiet(self._unsettled)
        if self.patients is not None:
            self.patients |= self._unsettled
        self._unsettled = set()

    def report_drift(self, mapping: Mapping) -> None:
        """Report once per layout what its declaration does not know."""
        seen = [
            *((Drift.Kind.UNKNOWN_COLUMN, name) for name, _ in mapping.unknown_columns),
            *((Drift.Kind.MISSING_OPTIONAL, name) for name in mapping.missing_optional),
            *((Drift.Kind.UNLISTED_STATUS, value) for value in sorted(self._unlisted)),
        ]
        Drift.objects.bulk_create(
            [
                Drift(
                    layout=mapping.layout.name,
                    kind=kind,
                    name=name,
                    first_seen_in=self._file,
                    first_seen_at=self._now,
                )
                for kind, name in seen
            ],
            ignore_conflicts=True,
        )

    def _keep_rejected(self, rejected: list[tuple[Row | BadRow, Rejection]]) -> None:
        rows = RejectedRow.objects.bulk_create(
            RejectedRow(
                feed_file=self._file,
                reading=self._file.reading,
                line=row.line,
                raw=row.raw,
                reason=verdict.reason,
                column=verdict.column or "",
                department=self._department_of(row),
            )
            for row, verdict in rejected
        )
        subjects = [
            RejectedSubject(
                rejected_row=row,
                kind=kind,
                identity=list(identity),
                column_set_id=self._merger.column_set(kind, says),
            )
            for row, (_, verdict) in zip(rows, rejected, strict=True)
            for kind, identity, says in verdict.subjects
        ]
        RejectedSubject.objects.bulk_create(subjects)
        # A later version may be on record already: files come in any order.
        for kind in {RecordKind(subject.kind) for subject in subjects}:
            self._merger.settle(
                kind, {tuple(subject.identity) for subject in subjects if subject.kind == kind}
            )

    def _department_of(self, row: Row | BadRow) -> str:
        if isinstance(row, BadRow) or self._department_at is None:
            return ""
        return row.fields[self._department_at].strip()[:1000]

    def _keep_flaws(self, judged: list[tuple[int, Judged]]) -> None:
        rows = [
            (self._file.pk, self._file.reading, line, flaw.column, flaw.reason, flaw.value)
            for line, verdict in judged
            for flaw in verdict.flaws
        ]
        self._file.flaws += len(rows)
        if rows:
            columns = ("feed_file_id", "reading", "line", '"column"', "reason", "value")
            copy_rows(Flaw._meta.db_table, columns, rows)
        for _, verdict in judged:
            self._unlisted.update(f"{one.column}: {one.value}" for one in verdict.drift)

    def _keep_waiting(self, block: Block) -> None:
        waits = {
            line: row
            for line, row in block.waiting.items()
            if block.outcomes[line] is RowOutcome.WAITING
        }
        if waits:
            copy_rows(
                WaitingRow._meta.db_table,
                ("feed_file_id", "reading", "line", "kind", "identity", "reason", "waiting_since"),
                (
                    (
                        self._file.pk,
                        self._file.reading,
                        line,
                        row.kind,
                        row.identity,
                        row.reason,
                        self._now,
                    )
                    for line, row in waits.items()
                ),
            )

    def _count(self, block: Block, rows: int, rejected: int) -> None:
        self._file.rows += rows
        self._file.rejected += rejected
        for outcome in block.outcomes.values():
            setattr(self._file, outcome.value, getattr(self._file, outcome.value) + 1)

    def _touch(self, patients: set[uuid.UUID]) -> None:
        self._unsettled |= patients
        if len(self._unsettled) > MANY_PATIENTS:
            self.settle_quiet()
            self.patients = None
