"""What a file says, read, judged and written down, before anything of it is applied.

Holds no lock and needs no transaction, however large the file: what was judged is spooled as
COPY's text, in memory while it is small. Must not know what is on record.
"""

from __future__ import annotations

import functools
import json
import re
import tempfile
import uuid
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from decimal import Decimal
from itertools import repeat
from typing import BinaryIO, cast

from django.db import connection

from ingestion.choices import RecordKind
from ingestion.columnwise import NOTHING, Block, Statements
from ingestion.csvrows import BadRow, Row
from ingestion.judging import Judged, Rejection, Statement
from ingestion.merging import EXTRA
from ingestion.models.fields import GatheredLines
from ingestion.services.tables import TABLES, ColumnSets, Table, column_types, table_of

_IN_MEMORY = 1 << 20  # bytes of one spool; above, it goes to an unnamed file
MANY = 1_000  # above so many rows the planner is told how many there are
REJECTED = "stage_rejected"
SUBJECTS = "stage_subject"
FLAWS = "stage_flaw"
# The other temporary tables. `done` says what a line did to a record of a kind, `met` how a line
# meets a record that was there, `found` which records found their parent, `touched` which patients
# it concerns and which test of theirs, `last` which is the last test of each.
_OTHERS = {
    REJECTED: (
        *(("line", "int"), ("raw", "text"), ("reason", "text"), ('"column"', "text")),
        ("department", "text"),
    ),
    SUBJECTS: (
        *(("line", "int"), ("kind", "text"), ("identity", "text[]"), ("column_set", "bigint")),
    ),
    FLAWS: (("line", "int"), ('"column"', "text"), ("reason", "text"), ("value", "text")),
    "stage_done": (("number", "int"), ("line", "int"), ("outcome", "int")),
    "stage_met": (("number", "int"), ("line", "int"), ("way", "int"), ("is_same", "boolean")),
    "stage_found": (("kind", "text"), ("identity", "text[]")),
    "stage_touched": (("patient", "uuid"), ("test", "bigint")),
    "stage_last": (
        *(("patient", "uuid"), ("at", "timestamptz"), ("number", "text"), ("name", "text")),
    ),
}


class Spool:
    """Rows for one temporary table, in the text form that COPY reads."""

    def __init__(self, table: str, columns: Sequence[str]) -> None:
        self.count = 0
        self._command = f"COPY {table} ({', '.join(columns)}) FROM STDIN"
        spool = tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY)  # noqa: SIM115 (see close)
        self._file = cast(BinaryIO, spool)

    def add(self, rows: Iterable[Sequence[object]]) -> None:
        """Write rows down, one value for each column."""
        lines = ["\t".join([copy_text(value) for value in row]) + "\n" for row in rows]
        self.add_lines(lines)

    def add_lines(self, lines: Sequence[str]) -> None:
        """Write rows down that are in COPY's form already."""
        self.count += len(lines)
        self._file.write("".join(lines).encode())

    def copy(self) -> None:
        """Hand the rows over to the database; may be done again after a rollback."""
        if self.count:
            self._file.seek(0)
            with connection.cursor() as cursor:
                cursor.copy_expert(self._command, self._file)

    def rows(self) -> list[str]:
        """Give the rows as they were written down."""
        self._file.seek(0)
        return self._file.read().decode().splitlines()

    def close(self) -> None:
        """Throw the rows away."""
        self._file.close()


class Stage:
    """One file's statements, rejections and flaws. Closing it throws them away."""

    def __init__(self, columns: ColumnSets, *, unknown: Sequence[str]) -> None:
        self.columns = columns
        self.unknown = [EXTRA + name.lower() for name in unknown]
        self.rows = 0
        self.judged = GatheredLines()
        self.not_applied = GatheredLines()
        self.departments: set[str] = set()
        self.unlisted: set[str] = set()
        self.column_sets: dict[Table, set[int]] = {table: set() for table in TABLES}
        self.records = {table: Spool(table.stage, table.staged) for table in TABLES}
        self.rejected = Spool(REJECTED, ("line", "raw", "reason", '"column"', "department"))
        self.subjects = Spool(SUBJECTS, ("line", "kind", "identity", "column_set"))
        self.flaws = Spool(FLAWS, ("line", '"column"', "reason", "value"))

    @property
    def tables(self) -> list[Table]:
        """The kinds of record that the file speaks of, parents first."""
        return [table for table in TABLES if self.records[table].count]

    def copy(self) -> None:
        """Hand everything over to the temporary tables."""
        for spool in self._spools():
            spool.copy()

    def close(self) -> None:
        """Throw everything away."""
        for spool in self._spools():
            spool.close()

    def _spools(self) -> list[Spool]:
        return [*self.records.values(), self.rejected, self.subjects, self.flaws]

    def take(self, judged: Sequence[tuple[int, Judged]]) -> None:
        """Write down a block of rows that are applied, each with its line."""
        by_table: dict[Table, list[list[object]]] = {}
        flaws = []
        for line, verdict in judged:
            for statement in verdict.statements:
                table = table_of(statement.kind, statement.identity)
                by_table.setdefault(table, []).append(self._staged(table, line, statement))
            flaws += [(line, each.column, each.reason, each.value) for each in verdict.flaws]
            self.unlisted.update(f"{each.column}: {each.value}" for each in verdict.drift)
        for table, rows in by_table.items():
            self.records[table].add(rows)
        self.flaws.add(flaws)

    def take_columns(self, block: Block) -> None:
        """Write down the rows of a block that were judged a column at a time."""
        for each in block.statements:
            table = table_of(each.kind, tuple(" " for _ in each.identity))
            extra = block.extra if each.keeps_unknown else None
            names = self.unknown if each.keeps_unknown else ()
            keys = {
                says: str(
                    self.columns.key_of(each.kind, says, [*_staged_names(each, stated), *names])
                )
                for says, stated in each.attributes.items()
            }
            self.column_sets[table].update(map(int, keys.values()))
            self.departments.update(each.columns.get("department", ()))
            parts = [
                [str(line) for line in block.lines],
                [keys[says] for says in each.says],
                repeat("{}") if extra is None else extra,
                *each.identity,
                *(
                    each.columns.get(_told_name(attribute), repeat(NOTHING))
                    for attribute, columns in table.attributes.items()
                    for _ in columns
                ),
            ]
            self.departments.discard(NOTHING)
            self.records[table].add_lines(["\t".join(row) + "\n" for row in zip(*parts)])  # noqa: B905

    def note_judged(self, lines: Iterable[int]) -> None:
        """Count lines that are applied."""
        for line in lines:
            self.judged.add(line)
            self.rows += 1

    def reject(self, rejected: Sequence[tuple[Row | BadRow, Rejection, str]]) -> None:
        """Write down rows that are not applied, each with its department where it tells one."""
        self.rejected.add(
            (row.line, row.raw, verdict.reason, verdict.column or "", department)
            for row, verdict, department in rejected
        )
        self.subjects.add(
            (row.line, kind, identity, self.columns.key_of(kind, says, ()))
            for row, verdict, _ in rejected
            for kind, identity, says in verdict.subjects
        )
        for row, *_ in rejected:
            self.not_applied.add(row.line)
            self.rows += 1

    def _staged(self, table: Table, line: int, statement: Statement) -> list[object]:
        values = dict(statement.values)
        if statement.kind == RecordKind.LAB_RESULT:
            _name_parent(statement.identity, values)
        extra = {name.lower(): value for name, value in statement.extra.items()}
        attributes = [*values, *(EXTRA + name for name in extra)]
        key = self.columns.key_of(statement.kind, statement.says, attributes)
        self.column_sets[table].add(key)
        department = values.get("department")
        if isinstance(department, str):
            self.departments.add(department)
        shown = json.dumps(extra) if extra else "{}"
        return [line, key, shown, *statement.identity, *table.stated(values)]


def _staged_names(told: Statements, stated: Sequence[str]) -> list[str]:
    """The attributes that rows state, under the names that `_staged` writes them down by."""
    if told.kind != RecordKind.LAB_RESULT:
        return list(stated)
    values: dict[str, object] = dict.fromkeys(stated, "")
    _name_parent(told.identity, values)
    return list(values)


def _told_name(attribute: str) -> str:
    """A result's patient is an attribute of it, under the name that its column has."""
    return "patient_id" if attribute == "patient_number" else attribute


def bring_stage(stage: Stage) -> None:
    """Fill the temporary tables with what is staged. They are this connection's own, made once."""
    # Of a few rows the planner is told nothing, takes them for a thousand, and would rather read a
    # whole table than look for each.
    by_index = "SET LOCAL enable_seqscan = off;" if stage.rows <= MANY else ""
    with connection.cursor() as cursor:
        cursor.execute(_tables_sql() + by_index)
    stage.copy()
    with connection.cursor() as cursor:
        for table in stage.tables:
            if stage.records[table].count > MANY:
                cursor.execute(f"ANALYZE {table.stage}")


@functools.cache
def _tables_sql() -> str:
    """Make what is not there and empty what is: a transaction may apply more than one file."""
    types = {"line": "int", "column_set": "bigint", "extra": "jsonb", "department": "text"}
    told = {table.stage: {**column_types(table), **types} for table in TABLES}
    tables = {
        table.stage: [(name, told[table.stage][name]) for name in table.staged] for table in TABLES
    }
    tables |= {name: list(columns) for name, columns in _OTHERS.items()}
    return "".join(
        f"CREATE TEMP TABLE IF NOT EXISTS {name}"
        f" ({', '.join(f'{column} {kind}' for column, kind in columns)}) ON COMMIT DELETE ROWS;"
        f" DELETE FROM {name};"
        for name, columns in tables.items()
    )


def _name_parent(identity: Sequence[object], values: dict[str, object]) -> None:
    """A combined row's result has its test as identity, not as an attribute that may change."""
    patient_number = values.pop("patient_id", None)
    if len(identity) == 2:
        values.pop("test_id", None)
    elif patient_number is not None:
        values["patient_number"] = patient_number


_ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})
_NEEDS_ESCAPE = re.compile(r"[\\\t\n\r]").search


def copy_text(value: object) -> str:
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


def array_text(values: Sequence[object]) -> str:
    """Write PostgreSQL's text form of an array of texts."""
    quoted = (str(value).replace("\\", "\\\\").replace('"', '\\"') for value in values)
    return "{" + ",".join(f'"{value}"' for value in quoted) + "}"
