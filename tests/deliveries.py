"""Files as the hospital's systems deliver them, ingested on the spot: how tests come by a record.

Times are told as hours before noon of the day on which the tests play.
"""

from __future__ import annotations

import io
import itertools
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from ingestion.services.receiving import ingest_all
from ingestion.storage import StoredObject
from tests.exports.files import bytes_of, line_of

NOON = datetime(2025, 3, 20, 12, 0, tzinfo=UTC)
_LOCAL = ZoneInfo("Europe/Berlin")
_number = itertools.count(1)


def deliver(
    *rows: Mapping[str, str], at: datetime = NOON, source: str = "pms", columns: str = ""
) -> str:
    """Ingest one file of these rows, stated at an instant. Returns the file's key."""
    header = columns.split() or list(dict.fromkeys(name for row in rows for name in row))
    lines = [line_of(header), *(line_of([row.get(name, "") for name in header]) for row in rows)]
    return deliver_lines(*lines, at=at, source=source)


def deliver_lines(*lines: str, at: datetime = NOON, source: str = "pms") -> str:
    """Ingest one file of these lines. Returns its key."""
    content = bytes_of(lines)
    key = f"{source}/{at:%Y%m%dT%H%M%SZ}-{next(_number):06}.csv"
    stored = StoredObject("inbox", key, source, at, len(content), lambda: io.BytesIO(content))
    ingest_all([stored])
    return key


def patient(number: str, name: str = "Brown, Emma", **more: str) -> dict[str, str]:
    """One row of pms.patients."""
    last, _, first = name.partition(", ")
    row = {"patient_id": number, "first_name": first, "last_name": last}
    return {**row, "date_of_birth": "1990-01-31", **more}


def admission(case: str, number: str, *, hours: float, **more: str) -> dict[str, str]:
    """One row of pms.admissions: admitted so many hours ago."""
    day, clock = _written(hours)
    row = {"patient_id": number, "hospitalization_case_number": case}
    release = {"release_date": "", "release_time": "", "department": "", "room_number": ""}
    return {**row, "admission_date": day, "admission_time": clock, **release, **more}


def released(hours: float) -> dict[str, str]:
    """The columns that say when a release was."""
    day, clock = _written(hours)
    return {"release_date": day, "release_time": clock}


def lab_test(test: str, number: str, name: str, *, hours: float, **more: str) -> dict[str, str]:
    """One row of lis.lab_tests: ordered so many hours ago."""
    day, clock = _written(hours)
    row = {"test_id": test, "patient_id": number, "test_name": name}
    return {**row, "order_date": day, "order_time": clock, **more}


def lab_result(result: str, test: str, value: str, *, hours: float, **more: str) -> dict[str, str]:
    """One row of lis.lab_results: performed so many hours ago."""
    day, clock = _written(hours)
    row = {"result_id": result, "test_id": test, "result_value": value}
    return {**row, "performed_date": day, "performed_time": clock, **more}


def admit(number: str, name: str, *, hours: float, **more: str) -> None:
    """Deliver a patient who was admitted so many hours ago, under the case number C<number>."""
    deliver(patient(number, name))
    deliver(admission(f"C{number}", number, hours=hours, **more))


def order(test: str, number: str, name: str, *, hours: float, at: datetime = NOON) -> None:
    """Deliver a test that was ordered so many hours ago."""
    deliver(lab_test(test, number, name, hours=hours), at=at, source="lis")


def _written(hours: float) -> tuple[str, str]:
    local = (NOON - timedelta(hours=hours)).astimezone(_LOCAL)
    return f"{local:%Y-%m-%d}", f"{local:%H:%M:%S}"
