"""What a smoke test tells, as files of its reserved source: somebody in bed, and out of it again.

Knows the rows and their names. Every column of a layout is there, so that the files are no drift.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from ingestion.layouts import LIS_COMBINED, PMS_COMBINED, Layout
from ingestion.storage.putting import is_reserved_source_declared, put_synthetic
from ingestion.synthetic import DEPARTMENT, PREFIX

__all__ = ["SmokePatient", "is_reserved_source_declared", "put_discharges", "put_in_bed"]


@dataclass(frozen=True)
class SmokePatient:
    """Nobody, in one run of the smoke test. `number` begins with the reserved word."""

    number: str
    case_number: str
    admitted_at: datetime

    @classmethod
    def of_run(cls, run: str, *, admitted_at: datetime) -> SmokePatient:
        """Give the one of a run, whose name no other run has."""
        return cls(f"{PREFIX}{run}", f"{PREFIX}{run}-case", admitted_at)


def put_in_bed(patient: SmokePatient, *, tested_at: datetime, at: datetime) -> None:
    """Tell, as of an instant, that somebody was admitted and had one test. Raises OSError."""
    _put(PMS_COMBINED, [_row(patient, {"status": "Active"})], at=at)
    test = {
        "test_id": f"{patient.number}-test",
        "patient_id": patient.number,
        "test_type": "Smoke",
        "test_date": tested_at.isoformat(),
        "admission_id": patient.case_number,
        "status": "Ordered",
    }
    # A moment later, so that it is not read first and waits for its patient.
    _put(LIS_COMBINED, [test], at=at + timedelta(milliseconds=1))


def put_discharges(patients: Iterable[SmokePatient], *, at: datetime) -> None:
    """Tell, as of an instant, that these are discharged. Raises OSError."""
    discharged = {"status": "Discharged", "discharge_date": at.isoformat()}
    _put(PMS_COMBINED, [_row(one, discharged) for one in patients], at=at)


def _row(patient: SmokePatient, more: Mapping[str, str]) -> dict[str, str]:
    return {
        "patient_id": patient.number,
        "first_name": "Smoke",
        "last_name": "Nobody",
        "date_of_birth": "1970-01-01",
        "admission_id": patient.case_number,
        "admission_date": patient.admitted_at.isoformat(),
        "ward": DEPARTMENT,
        **more,
    }


def _put(layout: Layout, rows: list[dict[str, str]], *, at: datetime) -> None:
    if not rows:
        return
    text = io.StringIO()
    writer = csv.DictWriter(text, [column.name for column in layout.columns], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    about = rows[0]["patient_id"].removeprefix(PREFIX)
    name = f"{layout.system.lower()}-{about}-{at:%Y-%m-%dT%H-%M-%S.%fZ}.csv"
    put_synthetic(name, text.getvalue().encode())
