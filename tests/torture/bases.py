"""Invents export tables of all six layouts: what is damaged, or read while others are killed.

Knows columns and plausible values. Few identities, so that files speak of the same records. Must
not know what a reader makes of them, nor how a table becomes bytes.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

ZONE = "Asia/Jerusalem"
LOCAL = ZoneInfo(ZONE)

_DETAILS = "gender primary_physician insurance_provider blood_type allergies"
COLUMNS = {
    "pms.patients": ("patient_id first_name last_name date_of_birth", _DETAILS),
    "pms.admissions": (
        "patient_id hospitalization_case_number admission_date admission_time",
        "release_date release_time department room_number",
    ),
    "pms.combined": (
        "patient_id first_name last_name date_of_birth admission_id admission_moment",
        f"{_DETAILS} ward bed_number stay discharge_moment",
    ),
    "lis.lab_tests": (
        "test_id patient_id test_name order_date order_time",
        "ordering_physician status",
    ),
    "lis.lab_results": (
        "result_id test_id result_value performed_date performed_time",
        "patient_id result_unit reference_range result_status reviewing_physician",
    ),
    "lis.combined": (
        "test_id patient_id test_type test_moment",
        "case_number result status lab_location",
    ),
}
LAYOUTS = tuple(COLUMNS)
# Where a name above says how a value is written, and the header another one.
_SENT_AS = {
    "admission_moment": "admission_date",
    "discharge_moment": "discharge_date",
    "test_moment": "test_date",
    "case_number": "admission_id",
    "stay": "status",
}
FIRST = ("Noa", "Dan", "Émile", "Na", "Null", "דוד", "Zoë", "Łucja", "美咲", "Anna-Maria", "a\r\nb")
LAST = ("Levi", "O'Hara, Jr.", "Müller", "Null", "כהן", "de la Cruz", "Weiß", "Ng", 'Bar "B"')
_PHYSICIANS = ("Dr. Tal", "Dr. Rahimi, MD", "", "Dr. Ö", 'Dr. "Al"; MD', "Dr.\ntwo lines")
_STATUSES = ("Ordered", "In Progress", "Completed", "completed", "Cancelled", "")
_RESULT_STATUSES = ("Final", "Preliminary", "Corrected", "final", "")


@dataclass
class Table:
    """One export before it is written: its header as sent, and its cells."""

    layout: str
    header: list[str]
    rows: list[list[str]]


@dataclass(frozen=True)
class Pool:
    """How many people and tests there are: a small pool makes files contradict each other."""

    people: int = 300
    tests: int = 1500


@dataclass
class _Row:
    """Whom and what one row speaks of."""

    rng: random.Random
    pool: Pool
    at: datetime  # the file's source time
    is_american: bool  # how the file writes dates and times

    def __post_init__(self) -> None:
        self.test = self.rng.randrange(self.pool.tests)
        # A test belongs to one patient, but now and then a number is used again for another.
        self.patient = self.test * 7919 % self.pool.people
        if self.rng.random() < 0.01:
            self.patient = self.rng.randrange(self.pool.people)
        self.moment = self._before(self.at, hours=200)

    def _before(self, at: datetime, *, hours: float) -> datetime:
        local = at.astimezone(LOCAL) - timedelta(hours=self.rng.uniform(0.1, hours))
        return local.replace(microsecond=0)

    def day(self, at: datetime | None = None) -> str:
        at = at or self.moment
        return f"{at.month}/{at.day}/{at.year}" if self.is_american else f"{at:%Y-%m-%d}"

    def time(self, at: datetime | None = None) -> str:
        at = at or self.moment
        return f"{at:%I:%M %p}" if self.is_american else f"{at:%H:%M:%S}"

    def whole(self, at: datetime | None = None) -> str:
        at = at or self.moment
        return f"{at:%Y-%m-%d %H:%M}" if self.is_american else at.isoformat()

    def later(self) -> datetime | None:
        """Most stays have not ended."""
        if self.rng.random() < 0.7:
            return None
        return self.moment + timedelta(hours=self.rng.uniform(0, 96))


def _one_of(*words: str) -> Callable[[_Row], str]:
    return lambda row: row.rng.choice(words)


def _released(write: Callable[[_Row, datetime], str]) -> Callable[[_Row], str]:
    def value(row: _Row) -> str:
        at = row.later()
        return write(row, at) if at else ""

    return value


_VALUES: dict[str, Callable[[_Row], str]] = {
    "patient_id": lambda row: f"{row.patient:05}",
    "first_name": _one_of(*FIRST),
    "last_name": _one_of(*LAST),
    "date_of_birth": lambda row: f"{row.rng.randint(1925, 2020)}-0{row.rng.randint(1, 9)}-11",
    "gender": _one_of("F", "M", ""),
    "primary_physician": _one_of(*_PHYSICIANS),
    "insurance_provider": _one_of("Lindenkasse", "NULL", "Harbour; Mutual"),
    "blood_type": _one_of("A+", "0-", ""),
    "allergies": _one_of("None", "penicillin, nuts", "N/A", ""),
    "hospitalization_case_number": lambda row: f"C{row.patient:05}-{row.rng.randint(1, 2)}",
    "admission_id": lambda row: f"C{row.patient:05}-{row.rng.randint(1, 2)}",
    "case_number": lambda row: f"C{row.patient:05}-1",
    "admission_date": _Row.day,
    "admission_time": _Row.time,
    "admission_moment": _Row.whole,
    "release_date": _released(_Row.day),
    "release_time": _released(_Row.time),
    "discharge_moment": _released(_Row.whole),
    "department": _one_of("Cardiology", "Surgery", "Oncology", ""),
    "ward": _one_of("Cardiology", "Surgery", "North, 2"),
    "room_number": lambda row: str(row.rng.randint(1, 40)),
    "bed_number": lambda row: f"{row.rng.randint(1, 40)}B",
    "stay": _one_of("Active", "active", "Discharged", ""),
    "test_id": lambda row: f"T{row.test:06}",
    "test_name": _one_of("Glucose", "Sodium, serum", "C-reactive protein"),
    "test_type": _one_of("Glucose", "Sodium, serum", "INR"),
    "order_date": _Row.day,
    "order_time": _Row.time,
    "test_moment": _Row.whole,
    "ordering_physician": _one_of(*_PHYSICIANS),
    "status": _one_of(*_STATUSES),
    "result_id": lambda row: f"R{row.test:06}",
    "result_value": lambda row: row.rng.choice(("5.40", "<0.1", "positive", "", "1,5", "007")),
    "result": lambda row: row.rng.choice(("5.40", ">=7", "", "negative")),
    "performed_date": _Row.day,
    "performed_time": _Row.time,
    "result_unit": _one_of("mmol/L", "mmol/L, mg/dL", "mmol/L; mg/dL", ";", ""),
    "reference_range": _one_of("3.5-5.1", ""),
    "result_status": _one_of(*_RESULT_STATUSES),
    "reviewing_physician": _one_of(*_PHYSICIANS),
    "lab_location": _one_of("East", "West; 2"),
}


def invent(
    rng: random.Random, layout: str, *, rows: int, at: datetime, pool: Pool | None = None
) -> Table:
    """One export as of an instant: required columns, some of the others, in any order."""
    required, optional = (names.split() for names in COLUMNS[layout])
    if rng.random() < 0.5:
        optional = [name for name in optional if rng.random() < 0.6]
    columns = [*required, *optional]
    if rng.random() < 0.3:
        rng.shuffle(columns)
    is_american, pool = rng.random() < 0.5, pool or Pool()
    spoken = (_Row(rng, pool, at, is_american) for _ in range(rows))
    return Table(
        layout,
        [_SENT_AS.get(name, name) for name in columns],
        [[_VALUES[name](row) for name in columns] for row in spoken],
    )
