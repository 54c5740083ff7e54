"""Where one row of a file is now: its column in the ledger, and what became of what it said."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.db.models import Q

from ingestion.choices import RowOutcome
from ingestion.models import (
    Admission,
    FeedFile,
    Flaw,
    LabResult,
    LabTest,
    LateVersion,
    Patient,
    Reading,
    Record,
    RejectedRow,
    WaitingRow,
)
from ingestion.queries.history import identity_of
from ingestion.queries.past import history_of


@dataclass(frozen=True)
class Spoken:
    """A record that the row spoke of. `is_latest`: the row is still its latest statement."""

    record: Record
    kind: str
    identity: tuple[str, ...]
    is_latest: bool
    has_begun_it: bool


@dataclass(frozen=True)
class Whereabouts:
    """What is known of one row. `column` is None where no column of the reading holds the line."""

    file: FeedFile
    line: int
    reading: Reading | None
    column: RowOutcome | None
    records: list[Spoken]
    waiting: list[WaitingRow]
    rejected: RejectedRow | None
    flaws: list[Flaw]
    late: list[LateVersion]

    @property
    def is_known(self) -> bool:
        """Tell whether the file has such a row, as far as its readings tell."""
        return self.column is not None or bool(self.records or self.late)


def files_named(name: str) -> list[FeedFile]:
    """Find the files with this key; where there is none, the one with this id."""
    files = FeedFile.objects.select_related("feed")
    found = list(files.filter(key=name).order_by("pk"))
    if not found and name.isascii() and name.isdigit() and len(name) <= 18:
        found = list(files.filter(pk=int(name)))
    return found


def row_of(file: FeedFile, line: int) -> Whereabouts:
    """Look for a line in the reading that stands, and among all that files left on record."""
    reading = file.readings.filter(number=file.reading).first()
    of_reading = {"feed_file": file, "reading": file.reading, "line": line}
    rejected = RejectedRow.objects.filter(**of_reading).first()
    waiting = list(WaitingRow.objects.filter(**of_reading))
    return Whereabouts(
        file=file,
        line=line,
        reading=reading,
        column=_column(reading, line, rejected, waiting),
        records=list(_spoken_of(file, line)),
        waiting=waiting,
        rejected=rejected,
        flaws=list(Flaw.objects.filter(**of_reading).order_by("column")),
        late=list(LateVersion.objects.filter(feed_file=file, line=line).order_by("pk")),
    )


def _column(
    reading: Reading | None, line: int, rejected: RejectedRow | None, waiting: list[WaitingRow]
) -> RowOutcome | None:
    for outcome in RowOutcome:
        lines = getattr(reading, f"lines_{outcome}", None)
        if lines is not None and line in lines:
            return outcome
    # Readings from before lines were kept tell at least of these.
    if rejected is not None:
        return RowOutcome.REJECTED
    return RowOutcome.WAITING if waiting else None


def _spoken_of(file: FeedFile, line: int) -> Iterator[Spoken]:
    first = file.readings.order_by("finished_at").first()
    if first is None:
        return
    said = Q(said_in=file, said_line=line)
    for model in (Patient, Admission, LabTest, LabResult):
        records: Any = model.objects
        # Nothing that a file said was known before it was read: older rows need no look.
        since = Q(known_at__gte=first.finished_at) | Q(known_at__isnull=True)
        history: Any = history_of(model)
        earlier = set(history.objects.filter(said, since).values_list("pgh_obj_id", flat=True))
        begun = Q(created_in=file, created_line=line)
        found = records.filter(since).filter(said | begun | Q(pk__in=earlier)).order_by("pk")
        for record in found.defer("extra", "statements"):
            kind, identity = identity_of(record)
            yield Spoken(
                record,
                kind,
                identity,
                is_latest=(record.said_in_id, record.said_line) == (file.pk, line),
                has_begun_it=(record.created_in_id, record.created_line) == (file.pk, line),
            )
