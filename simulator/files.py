"""How the systems write: columns, dialects, names of files, and the faults of real exports."""

import csv
import io
import random
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from simulator.laboratory import CHEMISTRY, HAEMATOLOGY

PATIENTS = [
    "patient_id", "first_name", "last_name", "date_of_birth", "gender", "primary_physician",
    "insurance_provider", "blood_type", "allergies",
]  # fmt: skip
ADMISSIONS = [
    "patient_id", "hospitalization_case_number", "admission_date", "admission_time",
    "release_date", "release_time", "department", "room_number",
]  # fmt: skip
LAB_TESTS = [
    "test_id", "patient_id", "test_name", "order_date", "order_time", "ordering_physician",
    "status",
]  # fmt: skip
LAB_RESULTS = [
    "result_id", "test_id", "result_value", "result_unit", "reference_range", "performed_date",
    "performed_time", "result_status", "reviewing_physician",
]  # fmt: skip


@dataclass(frozen=True)
class Dialect:
    """How one system puts a table into bytes."""

    delimiter: str
    line_end: str
    date: str
    time: str
    columns: dict[str, list[str]]
    encoding: str = "utf-8"


DIALECTS = {
    "pms": Dialect(
        ",", "\n", "{0.month}/{0.day}/{0.year}", "%I:%M %p",
        {"patients": PATIENTS, "admissions": ADMISSIONS},
    ),
    CHEMISTRY: Dialect(
        ",", "\r\n", "{0:%Y-%m-%d}", "%H:%M:%S",
        {"lab_tests": LAB_TESTS, "lab_results": [*LAB_RESULTS[:2], "patient_id", *LAB_RESULTS[2:]]},
    ),
    HAEMATOLOGY: Dialect(
        ";", "\n", "{0.month}/{0.day}/{0.year}", "%H:%M",
        {"lab_tests": LAB_TESTS, "lab_results": LAB_RESULTS}, encoding="utf-8-sig",
    ),
}  # fmt: skip

# Share of the rows that real life spoils, and those of them that cannot be applied at all.
SPOILED = 0.003
UNUSABLE = ("bad date", "too many fields", "no name")


def spell(row: Mapping[str, Any], *, source: str, layout: str, zone: ZoneInfo) -> dict[str, str]:
    """A row in its system's words: moments become the hospital's local date and time."""
    dialect = DIALECTS[source]
    spelt = {}
    for column in dialect.columns[layout]:
        stem, _, part = column.rpartition("_")
        if part in {"date", "time"} and stem in row:
            moment = row[stem]
            local = datetime.fromtimestamp(moment, zone) if moment else None
            shape = dialect.date.format(local) if local and part == "date" else dialect.time
            spelt[column] = local.strftime(shape) if local else ""
        else:
            spelt[column] = str(row[column] if row[column] is not None else "")
    return spelt


def spoil(cells: list[str], columns: list[str], *, rng: random.Random) -> str | None:
    """Now and then damage a row as real exports do; says how. The caller sends the true one later
    if nothing could be made of it."""
    if rng.random() > SPOILED:
        return None
    place = {name: number for number, name in enumerate(columns)}
    fault = rng.choice([*UNUSABLE, "two units", "unknown status"])
    if fault == "bad date":
        cells[next(n for c, n in place.items() if c.endswith("_date") or "date_of" in c)] = (
            "13/45/2025"
        )
    elif fault == "too many fields":
        cells.append("")
    elif fault == "two units" and "result_unit" in place:
        cells[place["result_unit"]] = "mmol/L, mg/dL"
    elif fault == "no name" and "test_name" in place:
        cells[place["test_name"]] = "N/A"
    elif fault == "unknown status" and "status" in place:
        cells[place["status"]] = "On hold"
    else:
        return None
    return fault


def write(path: Path, rows: list[list[str]], *, source: str, layout: str) -> None:
    """One file, whole or not at all: a reader that looks meanwhile sees only a `.part`."""
    dialect = DIALECTS[source]
    text = io.StringIO()
    table = csv.writer(text, delimiter=dialect.delimiter, lineterminator=dialect.line_end)
    table.writerow(dialect.columns[layout])
    table.writerows(rows)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.part")
    part.write_bytes(text.getvalue().encode(dialect.encoding))
    part.replace(path)


def file_name(layout: str, *, stamp: float) -> str:
    return f"{layout}-{datetime.fromtimestamp(stamp, UTC):%Y-%m-%dT%H-%M-%SZ}.csv"
