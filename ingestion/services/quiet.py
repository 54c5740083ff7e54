"""Since when each patient is without a test: derived from the record, kept beside it.

Kept and not computed on the fly, because the board asks for it every second and the history
of tests only grows. Recomputed for the patients whom a file touched.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection
from typing import Any

import pgtrigger
from django.db import connection

# The latest of all order and performed times of the tests that are not cancelled; a withdrawn
# result's time does not count, nor does that of a result which was taken back. Written as a
# subquery for each test: joined, a table that grows within one transaction, of which the planner
# knows nothing yet, is read whole for every patient.
_LAST_TESTS = """
    SELECT touched.id AS patient, last.at, last.name
    FROM ({touched}) AS touched(id)
    LEFT JOIN LATERAL (
        SELECT t.name, greatest(t.ordered_at, (
            SELECT max(r.performed_at) FROM ingestion_labresult r
            WHERE r.lab_test_id = t.id AND NOT r.is_withdrawn AND NOT r.is_taken_back
        )) AS at
        FROM ingestion_labtest t WHERE t.patient_id = touched.id AND NOT t.is_cancelled
        ORDER BY 2 DESC, t.test_id DESC LIMIT 1
    ) AS last ON TRUE
"""
_TELL_PATIENTS = """
    UPDATE ingestion_patient p SET last_test_at = last.at, last_test_name = last.name
    FROM {last} AS last WHERE p.id = last.patient
      AND (p.last_test_at, p.last_test_name) IS DISTINCT FROM (last.at, last.name)
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
    """Set each patient's last test and each of their admissions' `quiet_since`."""
    if patients:
        _recompute("SELECT unnest(%s::uuid[])", [sorted(str(patient) for patient in patients)])


def recompute_quiet_of_stage(*, is_large: bool) -> None:
    """The same for whom a staged file touched, however many they are."""
    touched = "SELECT DISTINCT patient FROM stage_touched"
    if not is_large:
        _recompute(touched, [])
        return
    # In steps, and the planner is told how many they are, or it would look for each of them among
    # all the others.
    with pgtrigger.ignore(*_PAST_HISTORY), connection.cursor() as cursor:
        cursor.execute("ANALYZE stage_touched")
        cursor.execute(
            f"INSERT INTO stage_last (patient, at, name) {_LAST_TESTS.format(touched=touched)}"
        )
        cursor.execute("ANALYZE stage_last")
        cursor.execute(_TELL_PATIENTS.format(last="stage_last"))
        cursor.execute(_TELL_ADMISSIONS.format(last="stage_last"))


def _recompute(touched: str, given: list[Any]) -> None:
    last = _LAST_TESTS.format(touched=touched)
    told = _TELL_PATIENTS.format(last="last")
    with pgtrigger.ignore(*_PAST_HISTORY), connection.cursor() as cursor:
        cursor.execute(
            f"WITH last AS ({last}), told AS ({told}) {_TELL_ADMISSIONS.format(last='last')}",
            given,
        )
