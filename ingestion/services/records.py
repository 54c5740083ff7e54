"""Statements become records: merge a block of rows into what is on record.

One block is one round through patients, admissions, tests and results, in that order, so that
a parent is there before its child. Each round reads what is on record for the block's
identities in one query, merges in Python, and writes in one statement.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from ingestion.choices import RecordKind, RowOutcome, WaitReason
from ingestion.judging import Statement
from ingestion.merging import EXTRA, Timeline, Version, merge
from ingestion.models import ColumnSet, Department, FeedFile
from ingestion.services import waiting
from ingestion.services.settling import settle, tables_of
from ingestion.services.tables import (
    ADMISSIONS,
    COMBINED_RESULTS,
    LAB_RESULTS,
    LAB_TESTS,
    PATIENTS,
    Entry,
    Identity,
    Table,
    fetch,
    write,
)

# What a row did is the first of these that any of its statements did.
_ORDER = {outcome: at for at, outcome in enumerate(RowOutcome)}


class ColumnSets:
    """Column sets by what they hold; made on first sight, then remembered."""

    def __init__(self) -> None:
        self.columns_of: dict[int, frozenset[str]] = {}
        self.attributes_of: dict[int, frozenset[str]] = {}
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

    def _remember(self, row: ColumnSet) -> int:
        says, attributes = frozenset(row.columns), frozenset(row.attributes)
        # A rejected row's column set states nothing: it must not be taken for the other.
        self._keys[RecordKind(row.kind), says, not attributes] = row.pk
        self.columns_of[row.pk], self.attributes_of[row.pk] = says, attributes
        return row.pk


class Departments:
    """Departments by name; made on first sight, then remembered."""

    def __init__(self) -> None:
        self._keys: dict[str, int] = {}

    def key_of(self, name: str) -> int:
        """Give a department's key."""
        if name not in self._keys:
            self._keys[name] = Department.objects.get_or_create(name=name)[0].pk
        return self._keys[name]


class Waiting(NamedTuple):
    """The record that a waiting row spoke of, and what it waits for."""

    kind: RecordKind
    identity: Identity
    reason: WaitReason


@dataclass
class Block:
    """What became of a block of rows: each line's outcome, and whom and what it touched."""

    outcomes: dict[int, RowOutcome] = field(default_factory=dict)
    waiting: dict[int, Waiting] = field(default_factory=dict)
    patients: set[uuid.UUID] = field(default_factory=set)
    test_ids: set[str] = field(default_factory=set)
    applied: dict[RecordKind, set[Identity]] = field(default_factory=lambda: defaultdict(set))

    def note(
        self,
        table: Table,
        outcomes: Iterable[tuple[int, Identity, RowOutcome]],
        entries: Mapping[Identity, Entry],
    ) -> None:
        """Add what one kind of record made of its lines; a line is what it did first in order."""
        for line, identity, outcome in outcomes:
            reason = entries[identity].waits_for
            if reason is not None:
                outcome = RowOutcome.WAITING
                self.waiting.setdefault(line, Waiting(table.kind, identity, reason))
            known = self.outcomes.get(line)
            if known is None or _ORDER[outcome] < _ORDER[known]:
                self.outcomes[line] = outcome
        self.applied[table.kind].update(entries)


class Merger:
    """Applies the rows of one file to the record, a block at a time, inside its transaction."""

    def __init__(self, feed_file: FeedFile, *, now: datetime) -> None:
        self._file = feed_file
        self._now = now
        self._columns = ColumnSets()
        self._departments = Departments()
        self._timeline = Timeline(_rank_of)

    def apply(self, rows: Sequence[tuple[int, Sequence[Statement]]]) -> Block:
        """Merge these (line, statements) in their order. Returns what became of each line."""
        block = Block()
        by_table: dict[Table, list[tuple[int, Statement]]] = defaultdict(list)
        for line, statements in rows:
            for statement in statements:
                by_table[table_of(statement.kind, statement.identity)].append((line, statement))
        self._apply_patients(by_table[PATIENTS], block)
        self._apply_children(ADMISSIONS, by_table[ADMISSIONS], block)
        self._apply_children(LAB_TESTS, by_table[LAB_TESTS], block)
        self._attach_results(block)
        self._apply_results(LAB_RESULTS, by_table[LAB_RESULTS], block)
        self._apply_results(COMBINED_RESULTS, by_table[COMBINED_RESULTS], block)
        for kind, identities in block.applied.items():
            self.settle(kind, identities)
        return block

    def column_set(self, kind: RecordKind, says: frozenset[str]) -> int:
        """Give the key of the columns that a rejected row stated."""
        return self._columns.key_of(kind, says, ())

    def settle(self, kind: RecordKind, identities: Collection[Identity]) -> None:
        """Settle the rejected rows that these records have overtaken."""
        settle(
            kind,
            identities,
            columns_of=self._columns.columns_of,
            timeline=self._timeline,
            now=self._now,
        )

    def _apply_patients(self, said: list[tuple[int, Statement]], block: Block) -> None:
        if not said:
            return
        entries, outcomes = self._merge(PATIENTS, said)
        new = [entry for entry in entries.values() if entry.is_new]
        write(PATIENTS, list(entries.values()), now=self._now)
        block.note(PATIENTS, outcomes, entries)
        keys = {entry.identity[0]: entry.key for entry in new}
        linked = waiting.link_children(keys, now=self._now)
        block.patients.update(keys.values())
        block.applied[RecordKind.ADMISSION].update(linked.admissions)
        block.applied[RecordKind.LAB_TEST].update(linked.tests)
        block.test_ids.update(test_id for test_id, _ in linked.tests)

    def _apply_children(
        self, table: Table, said: list[tuple[int, Statement]], block: Block
    ) -> None:
        """Apply admissions or tests: each belongs to the patient that it names."""
        if not said:
            return
        entries, outcomes = self._merge(table, said)
        known = waiting.patients_known(number for _, number in entries)
        for entry in entries.values():
            entry.parent = known.get(entry.identity[1])
            entry.waits_for = None if entry.parent else WaitReason.PATIENT
        write(table, list(entries.values()), now=self._now)
        block.note(table, outcomes, entries)
        block.patients.update(known.values())
        if table is LAB_TESTS:
            block.test_ids.update(test_id for test_id, _ in entries)

    def _attach_results(self, block: Block) -> None:
        """Decide anew where the results of the tests that came or changed belong."""
        if block.test_ids:
            attached = waiting.attach_results(block.test_ids, now=self._now)
            block.patients.update(attached.patients)
            block.applied[RecordKind.LAB_RESULT].update(attached.results)

    def _apply_results(self, table: Table, said: list[tuple[int, Statement]], block: Block) -> None:
        if not said:
            return
        entries, outcomes = self._merge(table, said)
        left = [entry.parent for entry in entries.values() if entry.parent is not None]
        waited = [entry for entry in entries.values() if entry.waits_for and not entry.is_new]
        tests = waiting.candidates_for(test_id_of(entry) for entry in entries.values())
        for entry in entries.values():
            belonging = waiting.belonging_of(
                patient_number_of(entry), tests.get(test_id_of(entry), ())
            )
            entry.parent = belonging.test.key if belonging.test else None
            entry.waits_for = belonging.waits_for
            if belonging.test and belonging.test.patient:
                block.patients.add(belonging.test.patient)
        # A corrected test_id takes a result from one patient to another: both are touched.
        block.patients.update(waiting.patients_of(left))
        write(table, list(entries.values()), now=self._now)
        found = [entry.identity for entry in waited if entry.parent is not None]
        waiting.mark_applied(RecordKind.LAB_RESULT, found, now=self._now)
        block.note(table, outcomes, entries)

    def _merge(
        self, table: Table, said: list[tuple[int, Statement]]
    ) -> tuple[dict[Identity, Entry], list[tuple[int, Identity, RowOutcome]]]:
        """Merge statements into what is on record, in the order of their lines."""
        entries = fetch(table, {statement.identity for _, statement in said})
        outcomes = []
        for line, statement in said:
            entry = entries.get(statement.identity)
            if entry is None:
                entry = entries[statement.identity] = Entry(identity=statement.identity)
            version = Version.of(self._file.source_time, self._file.pk, line)
            values = self._values(statement)
            outcome = merge(
                entry,
                self._columns.key_of(statement.kind, statement.says, values),
                values,
                version=version,
                attributes_of=self._columns.attributes_of,
                timeline=self._timeline,
            )
            outcomes.append((line, entry.identity, _begun(table, entry, outcome, version)))
        return entries, outcomes

    def _values(self, statement: Statement) -> dict[str, object]:
        """Name attributes as the tables do; an unknown column is an attribute of its own."""
        values = dict(statement.values)
        if statement.kind == RecordKind.LAB_RESULT:
            _name_parent(statement, values)
        values.update({EXTRA + name.lower(): value for name, value in statement.extra.items()})
        department = values.get("department")
        if isinstance(department, str):
            values["department"] = self._departments.key_of(department)
        return values


def table_of(kind: RecordKind, identity: Identity) -> Table:
    """Give the table in which such a record is kept."""
    return tables_of(kind)[len(identity)]


def test_id_of(result: Entry) -> str:
    """Give the test_id that a result names; a combined row's is its identity."""
    return str(result.values["test_id"]) if len(result.identity) == 1 else result.identity[0]


def patient_number_of(result: Entry) -> str | None:
    """Give the patient that a result names, if it names one."""
    if len(result.identity) == 2:
        return result.identity[1]
    number = result.values.get("patient_number")
    return None if number is None else str(number)


def _name_parent(statement: Statement, values: dict[str, object]) -> None:
    """A combined row's result has its test as identity, not as an attribute that may change."""
    patient_number = values.pop("patient_id", None)
    if len(statement.identity) == 2:
        values.pop("test_id", None)
    elif patient_number is not None:
        values["patient_number"] = patient_number


def _begun(table: Table, entry: Entry, outcome: RowOutcome, version: Version) -> RowOutcome:
    """Note where a record began. A combined row without a result begins none."""
    if entry.created is not None:
        return outcome
    if table is COMBINED_RESULTS and entry.values.get("value") is None:
        return RowOutcome.UNCHANGED
    entry.created = (version.file, version.line)
    return RowOutcome.CREATED


def _rank_of(file: int) -> tuple[object, ...]:
    """Rank files that share a source time: key by code point, last modified, version."""
    return FeedFile.objects.values_list("key", "last_modified", "version").get(pk=file)
