"""How records travel between Python and their tables, a block at a time.

Knows each kind's table, identity and columns. Must not know which version wins: it reads
what is on record for many identities in one query and writes many records in one statement.
"""

from __future__ import annotations

import functools
import io
import json
import re
import uuid
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from django.db import connection
from psycopg2.extras import execute_values

from ingestion.choices import RecordKind, WaitReason
from ingestion.judging import Release
from ingestion.merging import EXTRA, Held, Version
from ingestion.models import Admission, LabResult, LabTest, Patient, Record

Identity = tuple[str, ...]


@dataclass(slots=True)
class Entry(Held):
    """A record in the hand: what is held, its row's key, its parent, and where it began.

    `parent` is the primary key of the patient or test that it belongs to. `created` is None
    for a combined row's result that never had a value.
    """

    identity: Identity = ()
    key: Any = None
    parent: Any = None
    waits_for: WaitReason | None = None
    created: tuple[int, int] | None = None
    is_new: bool = True


@dataclass(frozen=True, eq=False)
class Table:
    """One kind of record: its model, what identifies it, and the columns of its attributes."""

    kind: RecordKind
    model: type[Record]
    identity: tuple[str, ...]
    columns: tuple[str, ...]
    parent: str | None = None
    condition: str = "TRUE"
    to_columns: Callable[[Entry], dict[str, object]] = lambda entry: dict(entry.values)
    to_values: Callable[[dict[str, Any]], dict[str, object]] = lambda row: row
    bookkeeping: tuple[str, ...] = field(
        default=(
            "extra",
            "statements",
            "said_in_id",
            "said_line",
            "said_at",
            "known_at",
            "created_in_id",
            "created_line",
        )
    )

    @property
    def name(self) -> str:
        """The table's name in the database."""
        return self.model._meta.db_table

    @property
    def written(self) -> tuple[str, ...]:
        """Every column that is written, without key and identity."""
        return self.columns + ((self.parent,) if self.parent else ()) + self.bookkeeping


def _admission_columns(entry: Entry) -> dict[str, object]:
    """What the stated release means beside the admission on record (contract, section 3)."""
    values = entry.values
    release = values.get("release")
    admitted_at = values["admitted_at"]
    assert isinstance(admitted_at, datetime)
    stated = release if isinstance(release, Release) else None
    standing = stated if stated and stated.at >= admitted_at else None
    return {
        "admitted_at": admitted_at,
        "stated_release_at": stated.at if stated else None,
        "is_stated_release_confirmed": bool(stated and stated.confirmed),
        "released_at": standing.at if standing and standing.confirmed else None,
        "planned_release_at": standing.at if standing and not standing.confirmed else None,
        "department_id": values.get("department"),
        "room": values.get("room"),
        # Never earlier than the admission; the tests are added when the block is done.
        "quiet_since": admitted_at,
    }


def _admission_values(row: dict[str, Any]) -> dict[str, object]:
    at = row["stated_release_at"]
    return {
        "admitted_at": row["admitted_at"],
        "release": Release(at, row["is_stated_release_confirmed"]) if at else None,
        "department": row["department_id"],
        "room": row["room"],
    }


def _result_columns(entry: Entry) -> dict[str, object]:
    values = entry.values
    return {
        "test_id": None,
        "patient_number": None,
        **values,
        "unit_is_ambiguous": bool(values.get("unit_is_ambiguous")),
        "is_withdrawn": bool(values.get("is_withdrawn")),
        "is_taken_back": False,
        "waits_for": entry.waits_for,
    }


def _combined_result_columns(entry: Entry) -> dict[str, object]:
    return {
        **_result_columns(entry),
        "test_id": entry.identity[0],
        "patient_number": entry.identity[1],
        "is_taken_back": entry.values.get("value") is None,
    }


def _test_columns(entry: Entry) -> dict[str, object]:
    return {**entry.values, "is_cancelled": bool(entry.values.get("is_cancelled"))}


_RESULT_COLUMNS = (
    "performed_at",
    "value",
    "number",
    "comparator",
    "unit",
    "unit_is_ambiguous",
    "reference_range",
    "status",
    "is_withdrawn",
    "is_taken_back",
    "reviewing_physician",
    "waits_for",
)


def _result_values(row: dict[str, Any]) -> dict[str, object]:
    derived = ("is_taken_back", "waits_for")
    return {name: value for name, value in row.items() if name not in derived}


PATIENTS = Table(
    kind=RecordKind.PATIENT,
    model=Patient,
    identity=("patient_id",),
    columns=(
        "first_name",
        "last_name",
        "date_of_birth",
        "gender",
        "primary_physician",
        "insurance_provider",
        "blood_type",
        "allergies",
    ),
)
ADMISSIONS = Table(
    kind=RecordKind.ADMISSION,
    model=Admission,
    identity=("case_number", "patient_number"),
    columns=(
        "admitted_at",
        "stated_release_at",
        "is_stated_release_confirmed",
        "released_at",
        "planned_release_at",
        "department_id",
        "room",
        "quiet_since",
    ),
    parent="patient_id",
    to_columns=_admission_columns,
    to_values=_admission_values,
)
LAB_TESTS = Table(
    kind=RecordKind.LAB_TEST,
    model=LabTest,
    identity=("test_id", "patient_number"),
    columns=(
        "name",
        "ordered_at",
        "ordering_physician",
        "case_number",
        "lab_location",
        "status",
        "is_cancelled",
    ),
    parent="patient_id",
    to_columns=_test_columns,
)
LAB_RESULTS = Table(
    kind=RecordKind.LAB_RESULT,
    model=LabResult,
    identity=("result_id",),
    columns=("test_id", "patient_number", *_RESULT_COLUMNS),
    parent="lab_test_id",
    to_columns=_result_columns,
    to_values=_result_values,
)
COMBINED_RESULTS = Table(
    kind=RecordKind.LAB_RESULT,
    model=LabResult,
    identity=("test_id", "patient_number"),
    columns=_RESULT_COLUMNS,
    parent="lab_test_id",
    condition="t.result_id IS NULL",
    to_columns=_combined_result_columns,
    to_values=_result_values,
)


def fetch(table: Table, identities: Iterable[Identity]) -> dict[Identity, Entry]:
    """Read what is on record for these identities, in one query; what is not there is absent."""
    wanted = list(identities)
    arrays = [[identity[at] for identity in wanted] for at in range(len(table.identity))]
    columns = ("id", *table.identity, *table.written)
    on = " AND ".join(f"t.{name} = wanted.{name}" for name in table.identity)
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT {', '.join('t.' + name for name in columns)} FROM {table.name} t JOIN unnest("
            f"{', '.join(['%s::text[]'] * len(arrays))}) AS wanted({', '.join(table.identity)})"
            f" ON {on} WHERE {table.condition}",
            arrays,
        )
        rows = cursor.fetchall()
    entries = (_entry_of(table, dict(zip(columns, row, strict=True))) for row in rows)
    return {entry.identity: entry for entry in entries}


def _entry_of(table: Table, row: dict[str, Any]) -> Entry:
    values = table.to_values({name: row[name] for name in table.columns})
    values.update({EXTRA + name: value for name, value in _as_json(row["extra"]).items()})
    statements = {
        int(columns): Version(*version) for columns, version in _as_json(row["statements"]).items()
    }
    latest = next(
        version
        for version in statements.values()
        if (version.file, version.line) == (row["said_in_id"], row["said_line"])
    )
    return Entry(
        values=values,
        statements=statements,
        latest=latest,
        identity=tuple(row[name] for name in table.identity),
        key=row["id"],
        parent=row[table.parent] if table.parent else None,
        waits_for=row.get("waits_for"),
        created=(row["created_in_id"], row["created_line"]) if row["created_in_id"] else None,
        is_new=False,
    )


def _as_json(value: Any) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(value) if isinstance(value, str) else value
    return loaded


def write(table: Table, entries: Sequence[Entry], *, now: datetime) -> None:
    """Insert the new records and update the others, each as one statement.

    Sorted by identity: neighbouring keys make the index twice as quick, and one order for
    everybody is what keeps two writers from waiting for each other.
    """
    ordered = sorted(entries, key=lambda entry: entry.identity)
    _insert(table, [entry for entry in ordered if entry.is_new], now)
    _update(table, [entry for entry in ordered if not entry.is_new], now)
    for entry in ordered:
        entry.is_new = False


def _row(table: Table, entry: Entry, now: datetime) -> dict[str, object]:
    row = table.to_columns(entry)
    latest = entry.latest
    assert latest is not None
    if table.parent:
        row[table.parent] = entry.parent
    created_in, created_line = entry.created or (None, None)
    row.update(
        extra=json.dumps(
            {
                name.removeprefix(EXTRA): v
                for name, v in entry.values.items()
                if name.startswith(EXTRA)
            }
        ),
        statements=json.dumps({str(columns): list(v) for columns, v in entry.statements.items()}),
        said_in_id=latest.file,
        said_line=latest.line,
        said_at=latest.at,
        known_at=now,
        created_in_id=created_in,
        created_line=created_line,
    )
    return row


def _insert(table: Table, entries: Sequence[Entry], now: datetime) -> None:
    if not entries:
        return
    columns = table.identity + table.written
    if table is PATIENTS:
        # Made here and not by the database, so that children can be linked without asking.
        columns = ("id", *columns)
        for entry in entries:
            entry.key = uuid.uuid4()
    copy_rows(table.name, columns, (_inserted(table, entry, columns, now) for entry in entries))


def _inserted(table: Table, entry: Entry, columns: Sequence[str], now: datetime) -> list[object]:
    row = _row(table, entry, now)
    row.update(zip(table.identity, entry.identity, strict=True), id=entry.key)
    return [row.get(name) for name in columns]


def _update(table: Table, entries: Sequence[Entry], now: datetime) -> None:
    if not entries:
        return
    rows = [(entry.key, _row(table, entry, now)) for entry in entries]
    types = _column_types(table)
    taken = {name: f"new.{name}::{types[name]}" for name in table.written}
    # What was known does not become known earlier because another worker was slower.
    taken["known_at"] = f"greatest(t.known_at, {taken['known_at']})"
    assignments = ", ".join(f"{name} = {value}" for name, value in taken.items())
    with connection.cursor() as cursor:
        execute_values(
            cursor.cursor,
            f"UPDATE {table.name} t SET {assignments} FROM (VALUES %s)"
            f" AS new(id, {', '.join(table.written)}) WHERE t.id = new.id::{types['id']}",
            [(str(key), *(row.get(name) for name in table.written)) for key, row in rows],
            page_size=1000,
        )


@functools.cache
def _column_types(table: Table) -> dict[str, str]:
    """Give each column's database type: a column that is all NULL in a block has none itself."""
    columns = table.model._meta.concrete_fields
    return {str(column.column): column.db_type(connection) or "text" for column in columns}


def copy_rows(table: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Insert rows by COPY, the quickest way in that still checks every constraint."""
    text = io.StringIO()
    for row in rows:
        text.write("\t".join([_copy_text(value) for value in row]) + "\n")
    text.seek(0)
    with connection.cursor() as cursor:
        cursor.copy_expert(f"COPY {table} ({', '.join(columns)}) FROM STDIN", text)


_ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})


def _copy_text(value: object) -> str:
    """Write one value in COPY's text format. Raises TypeError for what has no plain text form."""
    if value is None:
        return "\\N"
    if isinstance(value, str):
        return value.translate(_ESCAPES) if _NEEDS_ESCAPE(value) else value
    if isinstance(value, bool):
        return "t" if value else "f"
    if isinstance(value, (int, Decimal, uuid.UUID)):
        return str(value)
    if isinstance(value, (datetime, date)):
        return value.isoformat()
    if isinstance(value, (list, tuple)):
        return array_text(value).translate(_ESCAPES)
    raise TypeError(f"no COPY form for {type(value).__name__}")


_NEEDS_ESCAPE = re.compile(r"[\\\t\n\r]").search


def array_text(values: Sequence[object]) -> str:
    """Write PostgreSQL's text form of an array of texts."""
    quoted = (str(value).replace("\\", "\\\\").replace('"', '\\"') for value in values)
    return "{" + ",".join(f'"{value}"' for value in quoted) + "}"
