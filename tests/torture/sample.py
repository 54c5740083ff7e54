"""Some of the damaged files through the whole pipeline into PostgreSQL, as one hospital's.

Needs Django with a database in which nothing is. The expected record, books and ledgers are the
oracle's.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from ingestion.models import FeedFile
from ingestion.services.books import books, unbalanced_files
from tests.ingestion.record import ingest_in_this_order, the_record
from tests.oracle import Hospital
from tests.torture.bases import ZONE
from tests.torture.cases import Case, case
from tests.torture.terminal import Progress

_SHOWN = 10


@dataclass
class Sample:
    """What came of them."""

    files: int = 0
    rows: int = 0
    records: dict[str, int] = field(default_factory=dict)
    wrongs: list[str] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def is_passed(self) -> bool:
        """Everything is as the oracle says."""
        return not self.wrongs

    def report(self) -> str:
        held = ", ".join(f"{count:,} {name}" for name, count in self.records.items())
        first = (
            f"{self.files:,} of them, one after another, into PostgreSQL: {self.rows:,} rows in"
            f" the ledgers; on record {held}."
        )
        if self.is_passed:
            second = "Ledgers, books and the whole record are the oracle's; the books balance."
        else:
            second = "DIFFERENT from the oracle:"
        return "\n".join([first, second, *self.wrongs[:_SHOWN]])


def ingest_sample(seed: int, numbers: Iterable[int], *, progress: Progress | None = None) -> Sample:
    """Ingest the files of these numbers in this order, and hold all that came of it against it."""
    sample, started = Sample(), time.monotonic()
    cases = [case(seed, number) for number in numbers]
    for one in cases:
        sample.files += 1
        try:
            ingest_in_this_order([one.object])
        except Exception as error:  # pylint: disable=broad-exception-caught
            # Whatever it is, the case that raised it must be told.
            sample.wrongs.append(f"case {one.name} ({one.kind}): {type(error).__name__}: {error}")
        if progress:
            progress.show(sample.files, len(cases), f"{len(sample.wrongs)} wrong")
    _compare(sample, cases)
    sample.seconds = time.monotonic() - started
    return sample


def _compare(sample: Sample, cases: list[Case]) -> None:
    hospital = Hospital(ZONE).ingest(each.object for each in cases)
    _compare_ledgers(sample, hospital, {one.object.key: one for one in cases})
    record, expected = the_record(), hospital.record()
    sample.records = {name.replace("_", " "): len(found) for name, found in record.items()}
    for name, found in record.items():
        sample.wrongs += _differences(name, found, expected[name])
    sample.wrongs += _differences("books", books(), hospital.books())
    if unbalanced := unbalanced_files():
        sample.wrongs.append(f"{len(unbalanced)} ledgers do not balance")


def _compare_ledgers(sample: Sample, hospital: Hospital, cases: dict[str, Case]) -> None:
    files = {file.key: file for file in FeedFile.objects.all()}
    for reading in hospital.files:
        key = reading.object.key
        file = files.get(key)
        found = file and (file.status, file.rows, file.rejected, file.flaws)
        is_refused = reading.refusal is not None
        expected = (
            "refused" if is_refused else "ingested",
            *(reading.rows, len(reading.rejected), len(reading.flaws)),
        )
        sample.rows += file.rows if file else 0
        if found != expected:
            one = cases[key]
            sample.wrongs.append(f"case {one.name} ({one.kind}): {found} ≠ {expected}")


def _differences(name: str, found: dict[str, Any], expected: dict[str, Any]) -> list[str]:
    keys = [key for key in {**found, **expected} if found.get(key) != expected.get(key)]
    return [f"{name} {key}: {found.get(key)!r} ≠ {expected.get(key)!r}"[:800] for key in keys]
