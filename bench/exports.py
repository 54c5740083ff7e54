"""Invented exports of any length, with a few rows in each that must be rejected.

Knows the columns of the four split layouts and which of its rows are faulty. Nobody in them lives.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

# One row in so many is faulty: rejecting is part of the work, and must be the same for everybody.
FAULTY_EVERY = 1_000
STAMP = "2025-03-20T05-20-00Z"
LATER_STAMP = "2025-03-20T06-20-00Z"
_NAMES = ("Sodium", "Potassium", "Creatinine", "CRP", "Haemoglobin", "Glucose", "Lactate", "TSH")
# Results are of the tests of this series: row by row, one each.
TESTED = "T"
_NOT_A_DATE = "yesterday"


@dataclass(frozen=True)
class Kind:
    """One layout: its columns, and where its identity lies in the file and on record.

    `row(series, n, person)` makes the values of row `n`; `spoil` makes a vital one untrustworthy.
    """

    layout: str
    columns: tuple[str, ...]
    identity: str
    table: str
    recorded_identity: str
    row: Callable[[str, int, str], list[str]]
    spoilt_column: str
    spoilt_value: str = _NOT_A_DATE

    @property
    def place_of_identity(self) -> int:
        """Which column tells the identity."""
        return self.columns.index(self.identity)


@dataclass(frozen=True)
class Export:
    """One file, and which of its rows must be rejected: their lines, and the identities there."""

    kind: Kind
    path: Path
    rows: int
    faulty_lines: frozenset[int]
    faulty_identities: tuple[str, ...]

    @property
    def faulty(self) -> int:
        """How many rows must be rejected."""
        return len(self.faulty_lines)


def person(number: int) -> str:
    """Give the patient_id of an invented patient."""
    return f"P{number:07}"


def write(
    kind: Kind,
    folder: Path,
    *,
    rows: int,
    series: str,
    people: int,
    whose: Callable[[int], str] = person,
    stamp: str = STAMP,
    status: str = "",
    is_faultless: bool = False,
) -> Export:
    """Write a file of so many rows about so many people. `status`: another than a first file's."""
    path = folder / f"{kind.layout}-{series}-{stamp}.csv"
    lines, identities = [], []
    spoilt = kind.columns.index(kind.spoilt_column)
    with path.open("w", encoding="utf-8", newline="") as file:
        file.write(",".join(kind.columns) + "\n")
        for n in range(rows):
            values = kind.row(series, n, whose(n % people))
            if status:
                values[-1] = status
            if n % FAULTY_EVERY == FAULTY_EVERY // 2 and not is_faultless:
                values[spoilt] = kind.spoilt_value
                lines.append(n + 2)
                identities.append(values[kind.place_of_identity])
            file.write(",".join(values) + "\n")
    return Export(kind, path, rows, frozenset(lines), tuple(identities))


def write_known(
    kind: Kind,
    folder: Path,
    people: int,
    *,
    series: str = "known",
    whose: Callable[[int], str] = person,
) -> Path:
    """Write one faultless row for each of so many people: who is in hospital to begin with."""
    return write(
        kind, folder, rows=people, series=series, people=people, whose=whose, is_faultless=True
    ).path


def _patient(series: str, n: int, who: str) -> list[str]:
    return [
        who, f"Given{n % 997}", f"Family{n % 4999}", f"{n % 12 + 1}/{n % 28 + 1}/1950",
        "F" if n % 2 else "M", f"Dr. {n % 40}", f"Insurer {n % 12}", "A+", "None",
    ]  # fmt: skip


def _admission(series: str, n: int, who: str) -> list[str]:
    return [
        who, f"{series}-{n:08}", f"3/{n % 18 + 1}/2025", f"{n % 12 + 1}:{n % 60:02} AM", "", "",
        f"Ward {n % 12}", f"{n % 300}",
    ]  # fmt: skip


def _lab_test(series: str, n: int, who: str) -> list[str]:
    return [
        f"{series}-{n:08}", who, _NAMES[n % len(_NAMES)], f"3/{n % 18 + 1}/2025",
        f"{n % 12 + 1}:{n % 60:02} PM", f"Dr. {n % 40}", "Ordered",
    ]  # fmt: skip


def _lab_result(series: str, n: int, who: str) -> list[str]:
    return [
        f"{series}-{n:08}", f"{TESTED}-{n:08}", f"{n % 190}.{n % 10}", f"3/{n % 18 + 1}/2025",
        f"{n % 11 + 1}:{n % 60:02} PM", "mmol/L", "3.5-5.1", "Final", f"Dr. {n % 40}",
    ]  # fmt: skip


PATIENTS = Kind(
    layout="pms.patients",
    columns=(
        "patient_id", "first_name", "last_name", "date_of_birth", "gender", "primary_physician",
        "insurance_provider", "blood_type", "allergies",
    ),
    identity="patient_id",
    table="ingestion_patient",
    recorded_identity="patient_id",
    row=_patient,
    spoilt_column="patient_id",
    spoilt_value="P" * 65,
)  # fmt: skip
ADMISSIONS = Kind(
    layout="pms.admissions",
    columns=(
        "patient_id", "hospitalization_case_number", "admission_date", "admission_time",
        "release_date", "release_time", "department", "room_number",
    ),
    identity="hospitalization_case_number",
    table="ingestion_admission",
    recorded_identity="case_number",
    row=_admission,
    spoilt_column="admission_date",
)  # fmt: skip
LAB_TESTS = Kind(
    layout="lis.lab_tests",
    columns=(
        "test_id", "patient_id", "test_name", "order_date", "order_time", "ordering_physician",
        "status",
    ),
    identity="test_id",
    table="ingestion_labtest",
    recorded_identity="test_id",
    row=_lab_test,
    spoilt_column="order_date",
)  # fmt: skip
LAB_RESULTS = Kind(
    layout="lis.lab_results",
    columns=(
        "result_id", "test_id", "result_value", "performed_date", "performed_time", "result_unit",
        "reference_range", "result_status", "reviewing_physician",
    ),
    identity="result_id",
    table="ingestion_labresult",
    recorded_identity="result_id",
    row=_lab_result,
    spoilt_column="performed_date",
)  # fmt: skip
