"""Since when each patient is without a test: derived from the record, kept beside it.

Kept and not computed on the fly, because the board asks for it every second and the history
of tests only grows. Derived anew for the patients whom a file touched, from the tests that it
touched: reading all of a patient's tests each time would make files slower from year to year.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection
from typing import Any

import pgtrigger
from django.db import connection

# When a test `t` was last ordered or performed; a withdrawn result's time does not count, nor does
# that of a result which was taken back. A subquery for each test: joined, a table that grows within
# one transaction, of which the planner knows nothing yet, is read whole for every patient.
_AT = """
    greatest(t.ordered_at, (
        SELECT max(r.performed_at) FROM ingestion_labresult r
        WHERE r.lab_test_id = t.id AND NOT r.is_withdrawn AND NOT r.is_taken_back
    ))
"""
# The latest of all tests of a patient `p` that are not cancelled.
_OF_ALL_TESTS = f"""
    SELECT {_AT} AS at, t.test_id AS number, t.name
    FROM ingestion_labtest t WHERE t.patient_id = p.id AND NOT t.is_cancelled
    ORDER BY 1 DESC, t.test_id DESC LIMIT 1
"""
_LAST_OF_ALL = f"""
    SELECT p.id AS patient, last.at, last.number, last.name
    FROM unnest(%s::uuid[]) AS touched(id) JOIN ingestion_patient p ON p.id = touched.id
    LEFT JOIN LATERAL ({_OF_ALL_TESTS}) AS last ON TRUE
"""
# No test that was left alone is later than the last one that is kept. So the latest of those that
# were touched is the last if it is no earlier than that; else the kept one is, if it still stands
# where it stood. Only where that was cancelled, moved or set back, all have to be read. OFFSET 0:
# merged into one join, the planner reads ten million tests to find a hundred thousand.
_LAST_OF_TOUCHED = f"""
    WITH best AS MATERIALIZED (
        SELECT DISTINCT ON (patient_id) patient_id, at, number, name
        FROM (SELECT DISTINCT test FROM stage_touched) AS touched CROSS JOIN LATERAL (
            SELECT t.patient_id, {_AT} AS at, t.test_id AS number, t.name
            FROM ingestion_labtest t WHERE t.id = touched.test AND NOT t.is_cancelled OFFSET 0
        ) AS of ORDER BY patient_id, at DESC, number DESC
    ), asked AS MATERIALIZED (
        SELECT p.id, p.patient_id, p.last_test_at AS kept_at, p.last_test_number AS kept_number,
            best.at, best.number, best.name, p.last_test_at IS NULL
                OR coalesce((best.at, best.number) >= (p.last_test_at, p.last_test_number), FALSE)
                AS is_last
        FROM (SELECT DISTINCT patient FROM stage_touched) AS touched
        JOIN ingestion_patient p ON p.id = touched.patient
        LEFT JOIN best ON best.patient_id = touched.patient
    )
    SELECT id AS patient, at, number, name FROM asked WHERE is_last
    UNION ALL
    SELECT p.id, last.at, last.number, last.name FROM asked p
    LEFT JOIN LATERAL (
        SELECT {_AT} AS at, t.test_id AS number, t.name FROM ingestion_labtest t
        WHERE t.test_id = p.kept_number AND t.patient_number = p.patient_id AND NOT t.is_cancelled
    ) AS kept ON kept.at = p.kept_at
    LEFT JOIN LATERAL (
        SELECT kept.at, kept.number, kept.name WHERE kept.at IS NOT NULL
        UNION ALL SELECT * FROM ({_OF_ALL_TESTS}) AS of_all WHERE kept.at IS NULL
    ) AS last ON TRUE
    WHERE NOT p.is_last
"""
_TELL_PATIENTS = """
    UPDATE ingestion_patient p
    SET last_test_at = last.at, last_test_number = last.number, last_test_name = last.name
    FROM {last} AS last WHERE p.id = last.patient
      AND (p.last_test_at, p.last_test_number, p.last_test_name)
          IS DISTINCT FROM (last.at, last.number, last.name)
"""
_TELL_ADMISSIONS = """
    UPDATE ingestion_admission a SET quiet_since = greatest(a.admitted_at, last.at)
    FROM {last} AS last WHERE a.patient_id = last.patient
      AND a.quiet_since IS DISTINCT FROM greatest(a.admitted_at, last.at)
"""


# What derives from the record is no version of it.
_PAST_HISTORY = (
    "ingestion.Patient:patient_before_update",
    "ingestion.Admission:admission_before_update",
)


def recompute_quiet(patients: Collection[uuid.UUID]) -> None:
    """Set these patients' last test and their admissions' `quiet_since`, from all their tests."""
    if patients:
        _recompute(_LAST_OF_ALL, [sorted(str(patient) for patient in patients)])


def recompute_quiet_of_stage(*, is_large: bool) -> None:
    """The same for whom a staged file touched, however many they are.

    Whatever may have changed the time of a test must be noted in `stage_touched`, with the test.
    """
    if not is_large:
        _recompute(_LAST_OF_TOUCHED, [])
        return
    # In steps, and the planner is told how many they are, or it would look for each of them among
    # all the others.
    with pgtrigger.ignore(*_PAST_HISTORY), connection.cursor() as cursor:
        cursor.execute("ANALYZE stage_touched")
        cursor.execute(f"INSERT INTO stage_last (patient, at, number, name) {_LAST_OF_TOUCHED}")
        cursor.execute("ANALYZE stage_last")
        cursor.execute(_TELL_PATIENTS.format(last="stage_last"))
        cursor.execute(_TELL_ADMISSIONS.format(last="stage_last"))


def _recompute(last: str, given: list[Any]) -> None:
    told = _TELL_PATIENTS.format(last="last")
    with pgtrigger.ignore(*_PAST_HISTORY), connection.cursor() as cursor:
        cursor.execute(
            f"WITH last AS MATERIALIZED ({last}), told AS ({told})"
            f" {_TELL_ADMISSIONS.format(last='last')}",
            given,
        )
