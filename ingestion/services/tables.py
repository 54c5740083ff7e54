"""How records travel between Python and their tables, many at a time.

Knows each kind's table, identity, attributes and columns, and what follows from the attributes.
Must not know which version wins.
"""

from __future__ import annotations

import functools
import hashlib
import json
import uuid
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import connection
from psycopg2.extras import execute_values

from ingestion.choices import RecordKind, WaitReason
from ingestion.judging import Release
from ingestion.merging import EXTRA, Held, Version
from ingestion.models import Admission, ColumnSet, LabResult, LabTest, Patient, Record

Identity = tuple[str, ...]


class _Known(dict[int, frozenset[str]]):
    """What is told of column sets; one that another worker has made meanwhile is looked up."""

    def __init__(self, look_up: Callable[[int], object]) -> None:
        super().__init__()
        self._look_up = look_up

    def __missing__(self, key: int) -> frozenset[str]:
        self._look_up(key)
        return self[key]


class ColumnSets:
    """Column sets by what they hold; made on first sight, then remembered."""

    def __init__(self) -> None:
        self.columns_of = _Known(self._look_up)
        self.attributes_of = _Known(self._look_up)
        self._keys: dict[tuple[RecordKind, frozenset[str], bool], int] = {}
        for row in ColumnSet.objects.all():
            self._remember(row)

    def key_of(self, kind: RecordKind, says: frozenset[str], attributes: Collection[str]) -> int:
        """Give the key of these columns, which state these attributes."""
        key = self._keys.get((kind, says, not attributes))
        if key is None:
            held = {"columns": sorted(says), "attributes": sorted(attributes)}
            digest = hashlib.sha256(json.dumps([kind, held]).encode()).hexdigest()
            row, _ = ColumnSet.objects.get_or_create(digest=digest, defaults={"kind": kind, **held})
            key = self._remember(row)
        return key

    def _look_up(self, key: int) -> None:
        self._remember(ColumnSet.objects.get(pk=key))

    def _remember(self, row: ColumnSet) -> int:
        says, attributes = frozenset(row.columns), frozenset(row.attributes)
        # A rejected row's column set states nothing: it must not be taken for the other.
        self._keys[RecordKind(row.kind), says, not attributes] = row.pk
        self.columns_of[row.pk], self.attributes_of[row.pk] = says, attributes
        return row.pk


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


@dataclass(frozen=True, eq=False)
class Table:
    """One kind of record: its model, what identifies it, its attributes and their columns.

    `attributes` maps each attribute to the columns that hold it. `derived` are columns that follow
    from others, as SQL: `{name}` stands for another column's new value, `t` is the row as it was.
    `begun`, as SQL on a staged row, tells whether it begins a record.
    """

    number: int  # tells the kinds apart in the stage
    kind: RecordKind
    model: type[Record]
    stage: str
    identity: tuple[str, ...]
    attributes: Mapping[str, tuple[str, ...]]
    switches: frozenset[str] = frozenset()
    derived: Mapping[str, str] = field(default_factory=dict)
    parent: str | None = None
    condition: str = "TRUE"
    begun: str = "TRUE"
    to_values: Callable[[dict[str, Any]], dict[str, object]] = lambda row: row
    split: Mapping[str, Callable[[Any], Sequence[object]]] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The table's name in the database."""
        return self.model._meta.db_table

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that hold attributes."""
        return tuple(column for columns in self.attributes.values() for column in columns)

    @property
    def staged(self) -> tuple[str, ...]:
        """The columns of the stage."""
        return ("line", "column_set", "extra", *self.identity, *map(staged_name, self.columns))

    def stated(self, values: Mapping[str, object]) -> list[object]:
        """Put a statement's values into the order of the columns."""
        row: list[object] = []
        for attribute in self.attributes:
            if attribute in self.split:
                row += self.split[attribute](values.get(attribute))
            else:
                row.append(values.get(attribute))
        return row


def staged_name(column: str) -> str:
    """A department is staged by its name, since it may not be on record yet."""
    return "department" if column == "department_id" else column


def _single(*names: str) -> dict[str, tuple[str, ...]]:
    return {name: (name,) for name in names}


def _admission_values(row: dict[str, Any]) -> dict[str, object]:
    at = row["stated_release_at"]
    return {
        "admitted_at": row["admitted_at"],
        "release": Release(at, bool(row["is_stated_release_confirmed"])) if at else None,
        "department": row["department_id"],
        "room": row["room"],
    }


def _release_parts(release: Any) -> Sequence[object]:
    return (release.at, release.confirmed) if release else (None, None)


PATIENTS = Table(
    number=1,
    kind=RecordKind.PATIENT,
    model=Patient,
    stage="stage_patient",
    identity=("patient_id",),
    attributes=_single(
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
# What the stated release means beside the admission on record (contract, section 3).
_STANDING = "CASE WHEN {stated_release_at} >= {admitted_at} AND %s THEN {stated_release_at} END"
ADMISSIONS = Table(
    number=2,
    kind=RecordKind.ADMISSION,
    model=Admission,
    stage="stage_admission",
    identity=("case_number", "patient_number"),
    attributes={
        "admitted_at": ("admitted_at",),
        "release": ("stated_release_at", "is_stated_release_confirmed"),
        "department": ("department_id",),
        "room": ("room",),
    },
    switches=frozenset({"is_stated_release_confirmed"}),
    derived={
        "released_at": _STANDING % "{is_stated_release_confirmed}",
        "planned_release_at": _STANDING % "NOT {is_stated_release_confirmed}",
        # Never earlier than the admission; the tests are added when all is applied.
        "quiet_since": "{admitted_at}",
    },
    parent="patient_id",
    to_values=_admission_values,
    split={"release": _release_parts},
)
LAB_TESTS = Table(
    number=3,
    kind=RecordKind.LAB_TEST,
    model=LabTest,
    stage="stage_lab_test",
    identity=("test_id", "patient_number"),
    attributes=_single(
        "name",
        "ordered_at",
        "ordering_physician",
        "case_number",
        "lab_location",
        "status",
        "is_cancelled",
    ),
    switches=frozenset({"is_cancelled"}),
    parent="patient_id",
)
LAB_RESULTS = Table(
    number=4,
    kind=RecordKind.LAB_RESULT,
    model=LabResult,
    stage="stage_lab_result",
    identity=("result_id",),
    attributes=_single(
        "test_id",
        "patient_number",
        "performed_at",
        "value",
        "number",
        "comparator",
        "unit",
        "unit_is_ambiguous",
        "reference_range",
        "status",
        "is_withdrawn",
        "reviewing_physician",
    ),
    switches=frozenset({"unit_is_ambiguous", "is_withdrawn"}),
    derived={"is_taken_back": "FALSE"},
    parent="lab_test_id",
)
COMBINED_RESULTS = Table(
    number=5,
    kind=RecordKind.LAB_RESULT,
    model=LabResult,
    stage="stage_combined_result",
    identity=("test_id", "patient_number"),
    attributes=_single("performed_at", "value", "number", "comparator"),
    derived={
        "is_taken_back": "{value} IS NULL",
        "unit_is_ambiguous": "FALSE",
        "is_withdrawn": "FALSE",
    },
    parent="lab_test_id",
    condition="t.result_id IS NULL",
    begun="s.value IS NOT NULL",
)
# In this order a parent is there before its child.
TABLES = (PATIENTS, ADMISSIONS, LAB_TESTS, LAB_RESULTS, COMBINED_RESULTS)


def tables_of(kind: RecordKind) -> dict[int, Table]:
    """Give the tables in which a kind of record is kept, by how long its identity is."""
    return {len(table.identity): table for table in TABLES if table.kind == kind}


def table_of(kind: RecordKind, identity: Identity) -> Table:
    """Give the table in which such a record is kept."""
    return _TABLE_OF[kind, len(identity)]


_TABLE_OF = {(table.kind, len(table.identity)): table for table in TABLES}


@functools.cache
def column_types(table: Table) -> dict[str, str]:
    """Give each column's database type: a column that is all NULL in a block has none itself."""
    columns = table.model._meta.concrete_fields
    return {str(column.column): column.db_type(connection) or "text" for column in columns}


def on_identity(table: Table) -> str:
    """Where a staged row `s` and a record `t` are the same, as SQL."""
    same = [f"t.{name} = s.{name}" for name in table.identity]
    return " AND ".join([*same, table.condition])


def staged_rows(table: Table) -> str:
    """What is staged, as SQL, under the names that the record's columns have."""
    if table is not ADMISSIONS:
        return table.stage
    return (
        f"(SELECT s.*, d.id AS department_id FROM {table.stage} s"
        " LEFT JOIN ingestion_department d ON d.name = s.department)"
    )


def as_stated(table: Table, columns: ColumnSets, sets: Collection[int]) -> dict[str, str]:
    """What each column becomes by a staged row `s` of these column sets, as SQL.

    A column that is not stated keeps the value that `t` holds.
    """
    stated = {}
    for attribute, names in table.attributes.items():
        by = sorted(key for key in sets if attribute in columns.attributes_of[key])
        for name in names:
            value = f"coalesce(s.{name}, FALSE)" if name in table.switches else f"s.{name}"
            if len(by) == len(sets):
                stated[name] = value
            elif by:
                stated[name] = (
                    f"CASE WHEN s.column_set IN ({', '.join(map(str, by))})"
                    f" THEN {value} ELSE t.{name} END"
                )
            else:
                stated[name] = f"t.{name}"
    return stated


def fetch(table: Table, identities: Iterable[Identity]) -> dict[Identity, Entry]:
    """Read what is on record for these identities, in one query; what is not there is absent."""
    wanted = list(identities)
    arrays = [[identity[at] for identity in wanted] for at in range(len(table.identity))]
    columns = (
        *("id", *table.identity, *table.columns, "extra", "statements"),
        *("said_in_id", "said_line", "created_in_id", "created_line"),
        *((table.parent,) if table.parent else ()),
        *(("waits_for",) if table.model is LabResult else ()),
    )
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
    values.update({EXTRA + name: value for name, value in as_json(row["extra"]).items()})
    statements = {
        int(columns): Version(*version) for columns, version in as_json(row["statements"]).items()
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
    )


def as_json(value: Any) -> dict[str, Any]:
    """Read what the driver gives for a jsonb."""
    loaded: dict[str, Any] = json.loads(value) if isinstance(value, str) else value
    return loaded


def write(table: Table, entries: Sequence[Entry], *, now: datetime) -> None:
    """Write records that are on record already, in one statement, sorted by identity."""
    if not entries:
        return
    types = column_types(table)
    columns = (
        *(*table.columns, "extra", "statements", "said_in_id", "said_line", "said_at", "known_at"),
        *("created_in_id", "created_line"),
    )
    taken = {name: f"new.{name}::{types[name]}" for name in columns}
    fresh = {name: taken[name] for name in table.columns}
    taken |= {name: text.format(**fresh) for name, text in table.derived.items()}
    # What was known does not become known earlier because another worker was slower.
    taken["known_at"] = f"greatest(t.known_at, {taken['known_at']})"
    ordered = sorted(entries, key=lambda entry: entry.identity)
    with connection.cursor() as cursor:
        execute_values(
            cursor.cursor,
            f"UPDATE {table.name} t SET"
            f" {', '.join(f'{name} = {value}' for name, value in taken.items())}"
            f" FROM (VALUES %s) AS new(id, {', '.join(columns)})"
            f" WHERE t.id = new.id::{types['id']}",
            [(_key(entry), *_row(table, entry, now)) for entry in ordered],
            page_size=1000,
        )


def _key(entry: Entry) -> object:
    return str(entry.key) if isinstance(entry.key, uuid.UUID) else entry.key


def _row(table: Table, entry: Entry, now: datetime) -> list[object]:
    latest = entry.latest
    assert latest is not None
    held = table.stated(entry.values)
    row = [
        bool(value) if name in table.switches else value
        for name, value in zip(table.columns, held, strict=True)
    ]
    extra = {
        name.removeprefix(EXTRA): value
        for name, value in entry.values.items()
        if name.startswith(EXTRA)
    }
    statements = {str(columns): list(version) for columns, version in entry.statements.items()}
    created_in, created_line = entry.created or (None, None)
    said = [json.dumps(extra), json.dumps(statements), latest.file, latest.line, latest.at, now]
    return [*row, *said, created_in, created_line]
