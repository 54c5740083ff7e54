"""What was known here at an earlier moment: the same tables, as they stood then.

Inside `known_at` each table's name stands for a view of what it held at that moment. So every
query of the house answers from then, and no second definition can drift from the first. Views and
tables are temporary, of this session alone, and are rolled back at the end: nothing is left of
them, and nothing can be written meanwhile.

A record as known at a moment is its row if that became known no later, else the latest of what was
put aside that had (`…Before`). Few rows change within hours: only those are looked up.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime
from typing import Any

from django.db import connection, models, transaction
from django.utils import timezone

from ingestion.models import (
    Admission,
    ConflictDecision,
    Department,
    Drift,
    Feed,
    FeedFile,
    Flaw,
    LabResult,
    LabTest,
    LateVersion,
    Patient,
    Reading,
    RejectedRow,
    WaitingRow,
)
from ingestion.models.feeds import LEDGER_COLUMNS

Model = type[models.Model]
_asked: ContextVar[datetime | None] = ContextVar("known_at", default=None)


def present() -> datetime:
    """Give the instant that counts as now: the clock's, or the moment that is asked about."""
    return _asked.get() or timezone.now()


def moment_asked() -> datetime | None:
    """Give the moment that is asked about; None where it is the present one."""
    return _asked.get()


@contextmanager
def known_at(at: datetime) -> Iterator[None]:
    """Let every query inside answer from what was known here at an instant.

    All of them see one snapshot: a record that changes meanwhile must not fall between its row
    and what was put aside. Whoever asks must have read every answer before leaving.
    """
    is_outermost = not connection.in_atomic_block
    token = _asked.set(at)
    try:
        with transaction.atomic():
            if is_outermost:
                run("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            _look_back(at)
            yield
            transaction.set_rollback(True)
    finally:
        _asked.reset(token)


def run(statement: str, *values: Any) -> None:
    """Execute one statement."""
    with connection.cursor() as cursor:
        cursor.execute(statement, values or None)


def stored(model: Model) -> str:
    """Name a model's own table, also where a view stands before it."""
    return f"{_schema()}.{model._meta.db_table}"


def columns_of(model: Model) -> list[str]:
    """Name the columns of a model's table."""
    return [str(field.column) for field in model._meta.concrete_fields]


def columns_kept_of(model: Model) -> list[str]:
    """Name the columns that are put aside when a row of this model changes."""
    return [name for name in columns_of(history_of(model)) if not name.startswith("pgh_")]


def history_of(model: Model) -> Model:
    """Give the model that keeps what rows of this one were before."""
    history: Model = model._meta.get_field("earlier").related_model  # type: ignore[assignment]
    return history


def show(model: Model, query: str, *values: object) -> None:
    """Let a model's table name stand for this query, which gives the table's columns in order."""
    run(f"CREATE TEMPORARY VIEW {model._meta.db_table} AS {query}", *values)


def gather(name: str, query: str, *values: object, keys: Sequence[str]) -> None:
    """Keep what a query gives in a table of this transaction, with an index on each key."""
    run(f"CREATE TEMPORARY TABLE {name} ON COMMIT DROP AS {query}", *values)
    for key in keys:
        run(f"CREATE INDEX ON {name} ({key})")
    run(f"ANALYZE {name}")


def listed(columns: Sequence[str], of: str, **instead: str) -> str:
    """Write columns of a table's alias for SELECT; those named in `instead` as it says."""
    written = {name: f'{of}."{name}"' for name in columns} | instead
    return ", ".join(f'{written[name]} AS "{name}"' for name in columns)


def _schema() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT quote_ident(current_schema())")
        return str(cursor.fetchone()[0])


def _look_back(at: datetime) -> None:
    _show_feeds(at)
    _show_files(at)
    _show_rows(at)
    for model in (Patient, Admission, LabTest, LabResult):
        _gather_versions(model, at)
    _show_records(LabTest, at)
    _show_records(LabResult, at)
    _gather_last_tests(at)
    _show_patients(at)
    _show_admissions(at)
    _show_departments(at)


# --- The books ----------------------------------------------------------------------------


def _show_feeds(at: datetime) -> None:
    """What a feed declared is dated by the database's clock, as an operator changes it."""
    then = {
        name: f"CASE WHEN b.pgh_id IS NULL THEN m.{name} ELSE b.{name} END"
        for name in columns_kept_of(Feed)
    }
    columns = listed(columns_of(Feed), "m", **then)
    show(
        Feed,
        f"SELECT {columns} FROM {stored(Feed)} m LEFT JOIN LATERAL ("
        f" SELECT * FROM {stored(history_of(Feed))} b"
        " WHERE b.pgh_obj_id = m.id AND b.pgh_created_at > %s"
        " ORDER BY b.pgh_created_at, b.pgh_id LIMIT 1) b ON TRUE",
        at,
    )


def _show_files(at: datetime) -> None:
    """A file is what its readings until then made of it: a later replay does not count."""
    ledger = ["rows", *LEDGER_COLUMNS, "flaws"]
    then = {
        "status": "coalesce(s.status, 'received')",
        "refusal": "coalesce(s.refusal, '')",
        "reason": "coalesce(s.reason, '')",
        "reading": "CASE WHEN s.status = 'ingested' THEN s.number ELSE 0 END",
        "finished_at": "s.finished_at",
        "feed_id": "CASE WHEN s.status = 'ingested' THEN m.feed_id END",
        **{name: f"coalesce(s.{name}, 0)" for name in ledger},
    }
    columns = columns_of(FeedFile)
    gather(
        "files_then",
        f"SELECT {listed(columns, 'm', **then)} FROM {stored(FeedFile)} m LEFT JOIN LATERAL ("
        f" SELECT * FROM {stored(Reading)} r WHERE r.feed_file_id = m.id AND r.finished_at <= %s"
        " ORDER BY r.status = 'ingested' DESC, r.number DESC LIMIT 1) s ON TRUE"
        " WHERE m.received_at <= %s AND m.id IN ("
        f"SELECT feed_file_id FROM {stored(Reading)} WHERE finished_at > %s)",
        *(at, at, at),
        keys=["id"],
    )
    show(
        FeedFile,
        f"SELECT {listed(columns, 'm')} FROM {stored(FeedFile)} m WHERE m.received_at <= %s"
        " AND NOT EXISTS (SELECT FROM files_then t WHERE t.id = m.id)"
        f" UNION ALL SELECT {listed(columns, 't')} FROM files_then t",
        at,
    )


def _show_rows(at: datetime) -> None:
    not_read_later = (
        f"NOT EXISTS (SELECT FROM {stored(Reading)} r WHERE r.finished_at > %s"
        " AND (r.feed_file_id, r.number) = (m.feed_file_id, m.reading))"
    )
    _show_rejected(at, not_read_later)
    _show_until(Flaw, not_read_later, at)
    applied = "CASE WHEN m.applied_at <= %s THEN m.applied_at END"
    _show_until(WaitingRow, "m.waiting_since <= %s", at, at, applied_at=applied)
    _show_until(LateVersion, "m.known_at <= %s", at)
    _show_until(Drift, "m.first_seen_at <= %s", at)
    _show_until(ConflictDecision, "m.decided_at <= %s", at)
    _show_until(Reading, "m.finished_at <= %s", at)


def _show_until(model: Model, condition: str, *values: object, **instead: str) -> None:
    columns = listed(columns_of(model), "m", **instead)
    show(model, f"SELECT {columns} FROM {stored(model)} m WHERE {condition}", *values)


def _show_rejected(at: datetime, not_read_later: str) -> None:
    """A row that was settled later is as it had been left until then: mostly, still work."""
    unsettled = {"settled_at": "NULL", "settlement": "''", "settled_by": "''", "settled_why": "''"}
    columns = listed(
        columns_of(RejectedRow),
        "m",
        **{
            name: f"CASE WHEN m.settled_at > %s THEN coalesce(b.{name}, {empty}) ELSE m.{name} END"
            for name, empty in unsettled.items()
        },
    )
    show(
        RejectedRow,
        f"SELECT {columns} FROM {stored(RejectedRow)} m LEFT JOIN LATERAL ("
        f" SELECT * FROM {stored(history_of(RejectedRow))} b"
        " WHERE b.pgh_obj_id = m.id AND b.settled_at <= %s"
        " ORDER BY b.settled_at DESC, b.pgh_id DESC LIMIT 1) b ON m.settled_at > %s"
        f" WHERE {not_read_later}",
        *[at] * (len(unsettled) + 3),
    )


# --- The record ---------------------------------------------------------------------------


# By what else than their keys versions are looked up, once for each patient or test.
_LOOKED_UP: dict[Model, Sequence[str]] = {
    Admission: ["patient_id"],
    LabTest: ["patient_id", "test_id"],
    LabResult: ["lab_test_id"],
}


def _gather_versions(model: Model, at: datetime) -> None:
    """Keep what was put aside of each record that has changed since, as it was known then."""
    gather(
        _then(model),
        f"SELECT {listed(columns_kept_of(model), 'b')} FROM {stored(model)} m CROSS JOIN LATERAL ("
        f" SELECT * FROM {stored(history_of(model))} b"
        " WHERE b.pgh_obj_id = m.id AND (b.known_at <= %s OR b.known_at IS NULL)"
        " ORDER BY b.known_at DESC NULLS LAST, b.pgh_id DESC LIMIT 1) b WHERE m.known_at > %s",
        *(at, at),
        keys=["id", *_LOOKED_UP.get(model, ())],
    )


def _then(model: Model) -> str:
    return f"{model._meta.model_name}s_then"


# What became known at no known time counts as always known: no patient may disappear for it.
_KNOWN = "(m.known_at <= %s OR m.known_at IS NULL)"


def _show_records(model: Model, at: datetime) -> None:
    columns = columns_of(model)
    show(
        model,
        f"SELECT {listed(columns, 'm')} FROM {stored(model)} m WHERE {_KNOWN}"
        f" UNION ALL SELECT {listed(columns, 't')} FROM {_then(model)} t",
        at,
    )


def _gather_last_tests(at: datetime) -> None:
    """Derive anew the last test of each patient whose tests or results have changed since.

    The same as ingestion.services.quiet keeps. Not asked through the views: a join could use no
    index there, and would read every test for each patient.
    """
    gather(
        "patients_touched",
        f"""
        SELECT patient_id FROM (
            SELECT patient_id FROM {stored(LabTest)} WHERE known_at > %s
            UNION SELECT t.patient_id FROM {stored(LabResult)} r
                JOIN {stored(LabTest)} t ON t.id = r.lab_test_id WHERE r.known_at > %s
            UNION SELECT t.patient_id FROM {_then(LabResult)} r
                JOIN {stored(LabTest)} t ON t.id = r.lab_test_id
        ) AS touched WHERE patient_id IS NOT NULL
        """,
        *(at, at),
        keys=["patient_id"],
    )
    gather(
        "tests_touched",
        f"""
        SELECT m.id, m.patient_id, m.test_id, m.name, m.ordered_at FROM patients_touched
            JOIN {stored(LabTest)} m USING (patient_id) WHERE NOT m.is_cancelled AND {_KNOWN}
        UNION ALL SELECT t.id, t.patient_id, t.test_id, t.name, t.ordered_at FROM patients_touched
            JOIN {_then(LabTest)} t USING (patient_id) WHERE NOT t.is_cancelled
        """,
        at,
        keys=["id"],
    )
    counts = "NOT {0}.is_withdrawn AND NOT {0}.is_taken_back"
    gather(
        "last_tests_then",
        f"""
        WITH performed AS (
            SELECT m.lab_test_id, m.performed_at FROM tests_touched t JOIN {stored(LabResult)} m
                ON m.lab_test_id = t.id WHERE {counts.format("m")} AND {_KNOWN}
            UNION ALL SELECT r.lab_test_id, r.performed_at FROM tests_touched t
                JOIN {_then(LabResult)} r ON r.lab_test_id = t.id WHERE {counts.format("r")}
        ), latest AS (
            SELECT lab_test_id, max(performed_at) AS at FROM performed GROUP BY lab_test_id
        )
        SELECT DISTINCT ON (p.patient_id) p.patient_id AS patient, t.test_id AS number, t.name,
            greatest(t.ordered_at, latest.at) AS at
        FROM patients_touched p LEFT JOIN tests_touched t USING (patient_id)
        LEFT JOIN latest ON latest.lab_test_id = t.id
        ORDER BY p.patient_id, greatest(t.ordered_at, latest.at) DESC NULLS LAST, t.test_id DESC
        """,
        at,
        keys=["patient"],
    )


def _show_patients(at: datetime) -> None:
    """One row for each patient by the table's own key, so that a join can use its index."""
    instead = {
        name: f"CASE WHEN t.id IS NULL THEN m.{name} ELSE t.{name} END"
        for name in columns_kept_of(Patient)
        if name not in ("id", "patient_id")
    }
    for derived in ("at", "number", "name"):
        name = f"last_test_{derived}"
        instead[name] = f"CASE WHEN q.patient IS NULL THEN m.{name} ELSE q.{derived} END"
    show(
        Patient,
        f"SELECT {listed(columns_of(Patient), 'm', **instead)} FROM {stored(Patient)} m"
        f" LEFT JOIN {_then(Patient)} t ON t.id = m.id"
        " LEFT JOIN last_tests_then q ON q.patient = m.id"
        f" WHERE {_KNOWN} OR t.id IS NOT NULL",
        at,
    )


def _show_admissions(at: datetime) -> None:
    columns = columns_of(Admission)
    kept = "CASE WHEN q.patient IS NULL THEN m.quiet_since ELSE greatest(m.admitted_at, q.at) END"
    anew = "greatest(t.admitted_at, CASE WHEN q.patient IS NULL THEN p.last_test_at ELSE q.at END)"
    show(
        Admission,
        f"SELECT {listed(columns, 'm', quiet_since=kept)}"
        f" FROM {stored(Admission)} m"
        f" LEFT JOIN last_tests_then q ON q.patient = m.patient_id WHERE {_KNOWN}"
        f" UNION ALL SELECT {listed(columns, 't', quiet_since=anew)}"
        f" FROM {_then(Admission)} t"
        f" LEFT JOIN {stored(Patient)} p ON p.id = t.patient_id"
        " LEFT JOIN last_tests_then q ON q.patient = t.patient_id",
        at,
    )


def _show_departments(at: datetime) -> None:
    """A department is known from the first admission that named it."""
    show(
        Department,
        f"SELECT {listed(columns_of(Department), 'm')} FROM {stored(Department)} m WHERE EXISTS ("
        f"SELECT FROM {stored(Admission)} a WHERE a.department_id = m.id"
        " AND (a.known_at <= %s OR a.known_at IS NULL)) OR EXISTS ("
        f"SELECT FROM {stored(history_of(Admission))} b WHERE b.department_id = m.id"
        " AND (b.known_at <= %s OR b.known_at IS NULL))",
        *(at, at),
    )
