"""What a file says becomes the record, in one transaction and a handful of statements.

A record that is new, or whose newest statement this is, is written as it stands in the stage; so is
what comes late to a record that was always stated in the same columns. The rest is merged by hand
(`merging_rows`). Parents come before children; what waited for a new parent is linked at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

from django.db import connection
from django.utils import timezone

from ingestion.choices import RecordKind, RowOutcome, WaitReason
from ingestion.merging import Version
from ingestion.models import FeedFile
from ingestion.models.fields import Lines
from ingestion.services.belonging import PLACED, attach_results
from ingestion.services.locking import WHOLE_RECORD_ROWS, take_turn
from ingestion.services.merging_rows import BY_HAND, merge_by_hand
from ingestion.services.quiet import recompute_quiet_of_stage
from ingestion.services.settling import settle_stage
from ingestion.services.staging import MANY, Stage, bring_stage
from ingestion.services.tables import (
    ADMISSIONS,
    COMBINED_RESULTS,
    LAB_RESULTS,
    LAB_TESTS,
    PATIENTS,
    Table,
    as_stated,
    on_identity,
    staged_rows,
)

OUTCOMES = tuple(RowOutcome)
CREATED, UPDATED, UNCHANGED, SUPERSEDED, WAITING = range(5)
# How a staged row meets its record. By hand: whatever is not plain.
NEWER, AGAIN, LATE = range(1, 4)
_RESULTS = (LAB_RESULTS, COMBINED_RESULTS)
_PATIENT_OF_TEST = "(SELECT patient_id FROM ingestion_labtest WHERE id = parent)"
# Whom a record touches, and which test of theirs, as SQL on its key and its parent's.
_TOUCHES = {
    PATIENTS: "key, NULL",
    ADMISSIONS: "parent, NULL",
    LAB_TESTS: "parent, key",
    **dict.fromkeys(_RESULTS, f"{_PATIENT_OF_TEST}, parent"),
}


# Each outcome with its lines, those of the commonest aside. A combined row did the first of what
# its records did.
_LINES = """
    WITH of_line AS MATERIALIZED (
        SELECT line, min(outcome) AS outcome FROM stage_done GROUP BY line
    ), counted AS (
        SELECT outcome, row_number() OVER (ORDER BY count(*) DESC, outcome) AS place
        FROM of_line GROUP BY outcome
    )
    SELECT c.outcome, CASE WHEN c.place > 1 THEN (
        SELECT range_agg(int4range(l.line, l.line + 1))::text FROM of_line l
        WHERE l.outcome = c.outcome
    ) END FROM counted c
"""


@dataclass(frozen=True)
class Applied:
    """What became of a file's lines, by column of the ledger, and how many flaws they had.

    `is_touched`: the stage may name patients whom it concerns; else nobody is.
    """

    lines: dict[RowOutcome, Lines]
    flaws: int
    is_touched: bool


class Met(NamedTuple):
    """How many rows met a record that was there, and how many of them each way."""

    rows: int = 0
    newer: int = 0
    late: int = 0
    by_hand: int = 0
    waiting: int = 0  # speak of a record that waits

    def with_more(self, more: Met) -> Met:
        """Count those of another look too."""
        return Met(*map(sum, zip(self, more, strict=True)))


class Applying:
    """Applies one staged file, inside a transaction."""

    def __init__(self, feed_file: FeedFile, stage: Stage) -> None:
        self._file = feed_file
        self._stage = stage
        self._now = timezone.now()
        self._found = 0  # records that found their parent, or lost it
        self._is_touched = False
        self._is_plain = False  # each row of the file began one record, and nothing else
        self._given: dict[str, Any] = {
            "file": feed_file.pk,
            "reading": feed_file.reading,
            "source_time": feed_file.source_time,
            "micros": Version.of(feed_file.source_time, feed_file.pk, 0).source_time,
        }

    def apply(self, *, alone: bool) -> Applied:
        """Apply everything, and say what each line did. `alone`: nobody else writes meanwhile.

        Sets the file's `finished_at`, which is when all of it became known here.
        """
        stage = self._stage
        bring_stage(stage)
        take_turn(
            stage.tables,
            has_subjects=stage.subjects.count > 0,
            alone=alone or stage.rows > WHOLE_RECORD_ROWS,
        )
        # Only now: while it waited for its turn, nothing of it was known.
        self._now = self._file.finished_at = self._given["now"] = timezone.now()
        self._make_departments()
        for table in stage.tables:
            self._take(table)
        self._keep_rejected()
        if self._found:
            self._mark_applied()
        settle_stage(stage, now=self._now)
        if self._is_touched or self._found:
            recompute_quiet_of_stage(is_large=stage.rows > MANY)
        return Applied(self._lines(), stage.flaws.count, self._is_touched or self._found > 0)

    def _make_departments(self) -> None:
        if self._stage.departments:
            # In one order: two files with the same two new wards must not wait for each other.
            self._run(
                "INSERT INTO ingestion_department (name) SELECT name FROM unnest(%(names)s::text[])"
                " AS said(name) WHERE NOT EXISTS"
                " (SELECT FROM ingestion_department d WHERE d.name = said.name)"
                " ORDER BY name ON CONFLICT DO NOTHING",
                names=sorted(self._stage.departments),
            )

    def _take(self, table: Table) -> None:
        """Begin what is new, meet what was there, and let what waited for either find it."""
        staged = self._stage.records[table].count
        begun = waiting = 0
        # What is read again is on record already, most of it: to try and insert it would cost as
        # much as the first time.
        met = self._meet(table) if self._file.reading > 1 else Met()
        if met.rows < staged:
            begun, waiting = self._begin(table)
        if met.rows + begun < staged:
            met = met.with_more(self._meet(table))
        if table is not COMBINED_RESULTS:  # whose rows may begin a result, or none
            self._is_plain = begun == self._stage.rows and not waiting
        if met.rows:
            waiting += self._take_met(table, met, is_large=staged > MANY)
        if table.parent and waiting:
            self._keep_waiting(table)
        self._is_touched = self._is_touched or begun > 0
        if table is PATIENTS and begun:
            self._found += self._link_children()
        if table is LAB_TESTS:
            self._found += self._attach_results_of_tests()

    def _take_met(self, table: Table, met: Met, *, is_large: bool) -> int:
        """Do to what was there what the rows say that met it.

        Returns how many rows wait; may count more, never none for some.
        """
        waiting = met.waiting
        if is_large:
            self._run("ANALYZE stage_met")
        if met.newer:
            self._write_newer(table)
        if met.late:
            self._keep_late(table)
        has_changed = met.by_hand > 0 and merge_by_hand(
            table, self._file, self._stage.columns, now=self._now
        )
        self._is_touched = self._is_touched or met.newer > 0 or has_changed
        if table in _RESULTS:
            self._found += self._attach_met_results(table)
            waiting += self._mark_waiting(table)
        return waiting

    def _begin(self, table: Table) -> tuple[int, int]:
        """Insert the records that are new. Returns how many rows that were, and how many wait."""
        inserted = {name: f"s.{name}" for name in (*table.identity, *table.columns)}
        inserted |= {name: f"coalesce(s.{name}, FALSE)" for name in table.switches}
        derived = {name: text.format(**inserted) for name, text in table.derived.items()}
        columns = inserted | derived | self._bookkeeping(table)
        rows = staged_rows(table)
        if self._file.reading > 1:
            rows = (
                f"(SELECT s.* FROM {rows} s WHERE NOT EXISTS (SELECT FROM stage_met m"
                f" WHERE m.number = {table.number} AND m.line = s.line))"
            )
        before = ""
        if table in (ADMISSIONS, LAB_TESTS):
            rows += " s LEFT JOIN ingestion_patient p ON p.patient_id = s.patient_number"
            columns["patient_id"] = "p.id"
        elif table in _RESULTS:
            ids = f"SELECT DISTINCT test_id FROM {table.stage}"
            before = PLACED.format(ids=ids, rows=rows) + ", "
            rows = "placed s"
            columns |= {"lab_test_id": "s.lab_test_id", "waits_for": "s.waits_for"}
        else:
            rows += " s"
            columns["id"] = "gen_random_uuid()"
        outcome = f"CASE WHEN begun IS NULL THEN {UNCHANGED} ELSE {CREATED} END"
        if table.parent:
            outcome = f"CASE WHEN parent IS NULL THEN {WAITING} ELSE {outcome} END"
        conflict = " WHERE result_id IS NULL" if table is COMBINED_RESULTS else ""
        return self._counts(
            f"""
            WITH {before}made AS (
                INSERT INTO {table.name} ({", ".join(columns)})
                SELECT {", ".join(columns.values())} FROM {rows}
                ORDER BY {", ".join(f"s.{name}" for name in table.identity)}, s.line
                ON CONFLICT ({", ".join(table.identity)}){conflict} DO NOTHING
                RETURNING said_line AS line, created_in_id AS begun,
                    {table.parent or "id"} AS parent, id AS key
            ), done AS (
                INSERT INTO stage_done (number, line, outcome)
                SELECT {table.number}, line, {outcome} FROM made
            ), touched AS (
                INSERT INTO stage_touched SELECT {_TOUCHES[table]} FROM made
                WHERE parent IS NOT NULL
            )
            SELECT count(*), count(*) FILTER (WHERE parent IS NULL) FROM made
            """
        )

    def _bookkeeping(self, table: Table) -> dict[str, str]:
        version = "jsonb_build_array(%(micros)s::bigint, %(file)s::bigint, s.line)"
        begun = table.begun
        return {
            "extra": "s.extra",
            "statements": f"jsonb_build_object(s.column_set::text, {version})",
            "said_in_id": "%(file)s",
            "said_line": "s.line",
            "said_at": "%(source_time)s",
            "known_at": "%(now)s",
            "created_in_id": f"CASE WHEN {begun} THEN %(file)s::bigint END",
            "created_line": f"CASE WHEN {begun} THEN s.line END",
        }

    def _meet(self, table: Table) -> Met:
        """Find the records of the rows that began none, and say how each row meets its own.

        A row that has met its record is not looked at again. Which rows are left is asked first:
        joined to the record, they are taken for so few that each would search all that is done.
        """
        stated = as_stated(table, self._stage.columns, self._stage.column_sets[table])
        same = [f"t.{name} IS NOT DISTINCT FROM {stated[name]}" for name in table.columns]
        same.append(
            "(s.extra = '{}' OR jsonb_strip_nulls(t.extra || s.extra) = jsonb_strip_nulls(t.extra))"
        )
        waits = f"t.{table.parent} IS NULL" if table.parent else "FALSE"
        with connection.cursor() as cursor:
            cursor.execute(
                f"""
                WITH left_over AS MATERIALIZED (
                    SELECT s.* FROM {staged_rows(table)} s
                    WHERE NOT EXISTS (SELECT FROM stage_done d
                        WHERE d.number = {table.number} AND d.line = s.line)
                    AND NOT EXISTS (SELECT FROM stage_met m
                        WHERE m.number = {table.number} AND m.line = s.line)
                ), compared AS (
                    SELECT s.line, s.column_set, t.id, t.said_at, t.statements, t.created_in_id,
                        {waits} AS waits, {" AND ".join(same)} AS is_same
                    FROM left_over s JOIN {table.name} t ON {on_identity(table)} OFFSET 0
                ), met AS MATERIALIZED (
                    SELECT line, id, is_same, waits, CASE
                        WHEN created_in_id IS NULL THEN {BY_HAND}
                        WHEN said_at < %(source_time)s THEN {NEWER}
                        WHEN is_same AND statements = jsonb_build_object(column_set::text,
                            jsonb_build_array(%(micros)s::bigint, %(file)s::bigint, line))
                            THEN {AGAIN}
                        WHEN said_at > %(source_time)s AND statements ? column_set::text
                            AND statements - column_set::text = '{{}}'::jsonb THEN {LATE}
                        ELSE {BY_HAND} END AS way
                    FROM compared
                ), told AS MATERIALIZED (
                    SELECT line, is_same, waits, CASE
                        WHEN count(*) OVER (PARTITION BY id) > 1 THEN {BY_HAND} ELSE way END AS way
                    FROM met
                ), noted AS (
                    INSERT INTO stage_met (number, line, way, is_same)
                    SELECT {table.number}, line, way, is_same FROM told
                ), done AS (
                    INSERT INTO stage_done (number, line, outcome) SELECT {table.number}, line, CASE
                        WHEN waits THEN {WAITING} WHEN is_same THEN {UNCHANGED}
                        WHEN way = {LATE} THEN {SUPERSEDED} ELSE {UPDATED} END
                    FROM told WHERE way <> {BY_HAND}
                )
                SELECT count(*), count(*) FILTER (WHERE way = {NEWER}),
                    count(*) FILTER (WHERE way = {LATE}), count(*) FILTER (WHERE way = {BY_HAND}),
                    count(*) FILTER (WHERE waits)
                FROM told
                """,
                self._given,
            )
            return Met(*cursor.fetchone())

    def _write_newer(self, table: Table) -> None:
        """Write the rows that are the newest statement of their record."""
        stated = as_stated(table, self._stage.columns, self._stage.column_sets[table])
        taken = stated | {name: text.format(**stated) for name, text in table.derived.items()}
        if table is ADMISSIONS:
            # It is computed anew where the patient is touched, and must not be lost elsewhere.
            kept = f"CASE WHEN t.admitted_at = {stated['admitted_at']} THEN t.quiet_since ELSE"
            taken["quiet_since"] = f"{kept} {stated['admitted_at']} END"
        book = self._bookkeeping(table)
        taken |= {name: book[name] for name in ("said_in_id", "said_line", "said_at")}
        taken["extra"] = "t.extra || s.extra"
        taken["statements"] = f"t.statements || {book['statements']}"
        taken["known_at"] = "greatest(t.known_at, %(now)s)"
        # That a patient is called otherwise now touches no test.
        parent = f"t.{table.parent}" if table.parent else "NULL::uuid"
        self._run(
            f"""
            WITH written AS (
                UPDATE {table.name} t
                SET {", ".join(f"{name} = {value}" for name, value in taken.items())}
                FROM stage_met m JOIN {staged_rows(table)} s ON s.line = m.line
                WHERE m.number = {table.number} AND m.way = {NEWER} AND {on_identity(table)}
                RETURNING m.is_same, {parent} AS parent, t.id AS key
            )
            INSERT INTO stage_touched SELECT {_TOUCHES[table]} FROM written
            WHERE NOT is_same AND parent IS NOT NULL
            """
        )

    def _keep_late(self, table: Table) -> None:
        """Keep what came late and changed nothing: it is part of the record's history."""
        names = ", ".join(f"'{name}', s.{name}" for name in table.columns)
        self._run(
            f"""
            INSERT INTO ingestion_lateversion (kind, identity, feed_file_id, line, column_set_id,
                outcome, stated, known_at)
            SELECT '{table.kind}', ARRAY[{", ".join(f"s.{name}" for name in table.identity)}],
                %(file)s, s.line, s.column_set, CASE WHEN m.is_same THEN '{RowOutcome.UNCHANGED}'
                ELSE '{RowOutcome.SUPERSEDED}' END, jsonb_build_object({names}) || s.extra, %(now)s
            FROM stage_met m JOIN {staged_rows(table)} s ON s.line = m.line
            WHERE m.number = {table.number} AND m.way = {LATE}
            """
        )

    def _link_children(self) -> int:
        """Link the admissions and tests that waited for these patients. Returns how many."""
        linked = {}
        for table in (ADMISSIONS, LAB_TESTS):
            identity = ", ".join(f"t.{name}::text" for name in table.identity)
            linked[table], _ = self._counts(
                f"""
                WITH linked AS (
                    UPDATE {table.name} t SET patient_id = p.id,
                        known_at = greatest(t.known_at, %(now)s)
                    FROM stage_patient s JOIN ingestion_patient p ON p.patient_id = s.patient_id
                    WHERE t.patient_number = s.patient_id AND t.patient_id IS NULL
                    RETURNING t.id AS key, t.patient_id AS parent, ARRAY[{identity}] AS identity
                ), found AS (
                    INSERT INTO stage_found (kind, identity)
                    SELECT '{table.kind}', identity FROM linked
                ), touched AS (
                    INSERT INTO stage_touched SELECT {_TOUCHES[table]} FROM linked
                )
                SELECT count(*), 0 FROM linked
                """
            )
        if linked[LAB_TESTS]:
            self._attach_results_of_tests()
        return sum(linked.values())

    def _attach_results_of_tests(self) -> int:
        """Tests that came, changed or found their patient gain results, or lose them."""
        return attach_results(
            f"SELECT s.test_id FROM stage_lab_test s JOIN stage_done d ON d.line = s.line"
            f" WHERE d.number = {LAB_TESTS.number} AND d.outcome <> {UNCHANGED} UNION"
            f" SELECT identity[1] FROM stage_found WHERE kind = '{RecordKind.LAB_TEST}'",
            now=self._now,
        )

    def _attach_met_results(self, table: Table) -> int:
        return attach_results(
            f"SELECT DISTINCT t.test_id FROM stage_met m JOIN {table.stage} s ON s.line = m.line"
            f" JOIN {table.name} t ON {on_identity(table)} WHERE m.number = {table.number}",
            now=self._now,
        )

    def _mark_waiting(self, table: Table) -> int:
        """Whatever a row did to it, a result without its test waits, and no other does.

        A row that waited and has found its test did what it did to the record: it began it, unless
        the record was met, since then it was there before.
        """
        return self._run(
            f"""
            UPDATE stage_done d SET outcome = CASE
                WHEN t.{table.parent} IS NULL THEN {WAITING}
                WHEN m.line IS NULL AND t.created_in_id IS NOT NULL THEN {CREATED}
                WHEN m.line IS NULL OR m.is_same THEN {UNCHANGED}
                WHEN m.way = {LATE} THEN {SUPERSEDED} ELSE {UPDATED} END
            FROM {table.stage} s JOIN {table.name} t ON {on_identity(table)}
            LEFT JOIN stage_met m ON m.number = {table.number} AND m.line = s.line
            WHERE d.number = {table.number} AND d.line = s.line
            AND (t.{table.parent} IS NULL) <> (d.outcome = {WAITING})
            """
        )

    def _keep_waiting(self, table: Table) -> None:
        """Note the lines that wait. Of a combined row the first record that waits says why."""
        reason = "t.waits_for" if table in _RESULTS else f"'{WaitReason.PATIENT}'"
        self._run(
            f"""
            INSERT INTO ingestion_waitingrow
                (feed_file_id, reading, line, kind, identity, reason, waiting_since)
            SELECT %(file)s, %(reading)s, s.line, '{table.kind}',
                ARRAY[{", ".join(f"s.{name}" for name in table.identity)}], {reason}, %(now)s
            FROM stage_done d JOIN {table.stage} s ON s.line = d.line
            JOIN {table.name} t ON {on_identity(table)}
            WHERE d.number = {table.number} AND d.outcome = {WAITING} AND NOT EXISTS (
                SELECT FROM stage_done e WHERE e.line = d.line AND e.outcome < {WAITING})
            ON CONFLICT DO NOTHING
            """
        )

    def _keep_rejected(self) -> None:
        stage = self._stage
        if stage.rejected.count:
            self._run(
                "INSERT INTO ingestion_rejectedrow (feed_file_id, reading, line, raw, reason,"
                ' "column", department) SELECT %(file)s, %(reading)s, line, raw, reason, "column",'
                " department FROM stage_rejected"
            )
        if stage.subjects.count:
            self._run(
                "INSERT INTO ingestion_rejectedsubject (rejected_row_id, kind, identity,"
                " column_set_id, is_settled) SELECT r.id, s.kind, s.identity, s.column_set, FALSE"
                " FROM stage_subject s JOIN ingestion_rejectedrow r ON r.feed_file_id = %(file)s"
                " AND r.reading = %(reading)s AND r.line = s.line"
            )
        if stage.flaws.count:
            self._run(
                'INSERT INTO ingestion_flaw (feed_file_id, reading, line, "column", reason, value)'
                ' SELECT %(file)s, %(reading)s, line, "column", reason, value FROM stage_flaw'
            )

    def _mark_applied(self) -> None:
        """Say on the waiting lines of the records that found their parent that they are applied."""
        self._run(
            "UPDATE ingestion_waitingrow w SET applied_at = %(now)s"
            " FROM (SELECT DISTINCT kind, identity FROM stage_found) AS f"
            " WHERE w.kind = f.kind AND w.identity = f.identity AND w.applied_at IS NULL"
        )

    def _lines(self) -> dict[RowOutcome, Lines]:
        """Which lines did what. The commonest is what is left: a million rows that all did the same
        are one range, and need not be looked at."""
        told = [(CREATED, None)] if self._is_plain else self._told_lines()
        lines = {outcome: Lines.parse(text) for outcome, text in told if text is not None}
        if told:
            commonest = next(outcome for outcome, text in told if text is None)
            lines[commonest] = self._stage.judged.lines.without(lines.values())
        of = {outcome: lines.get(number, Lines()) for number, outcome in enumerate(OUTCOMES)}
        return of | {RowOutcome.REJECTED: self._stage.not_applied.lines}

    def _told_lines(self) -> list[tuple[int, str | None]]:
        with connection.cursor() as cursor:
            cursor.execute(_LINES)
            return list(cursor.fetchall())

    def _run(self, query: str, **more: Any) -> int:
        with connection.cursor() as cursor:
            cursor.execute(query, self._given | more)
            return int(cursor.rowcount)

    def _counts(self, query: str) -> tuple[int, int]:
        with connection.cursor() as cursor:
            cursor.execute(query, self._given)
            one, other = cursor.fetchone()
        return one, other
