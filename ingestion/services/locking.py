"""Who may write what at once: files that speak of the same patient or test take turns.

Locks are taken before anything is read, all of a file's in one order: so there are no deadlocks,
and the outcome is that of some order of files. They end with the transaction, or with its worker.
"""

from __future__ import annotations

from collections.abc import Collection

from django.db import connection

from ingestion.choices import RecordKind
from ingestion.services.tables import (
    ADMISSIONS,
    COMBINED_RESULTS,
    LAB_RESULTS,
    LAB_TESTS,
    PATIENTS,
    Table,
)

# Above so many rows a file takes every lock there is by taking one: to list them would cost more
# than it spares.
WHOLE_RECORD_ROWS = 5_000
_RECORD = 0x5649_4749_4C01
# Identifiers share so many locks of each sort: the server's table of locks is small.
_STRIPES = 256

_IDENTIFIERS = 0x5649_4710  # and the sort of identifier: 1 patients, 2 tests, 3 results
# Every identifier whose records a file may touch, as it stands now. A result touches the patients
# of all tests that bear its test number, and of those that bear the number it had before; a new
# patient touches the tests that wait for it, and their results.
_PLAN = """
    WITH ids(test_id) AS ({ids}), numbers(number) AS (
        {numbers} SELECT t.patient_number FROM ingestion_labtest t
        WHERE t.test_id = ANY (ARRAY(SELECT test_id FROM ids))
    )
    SELECT DISTINCT 1, hashtext(number) & {last} FROM numbers WHERE number IS NOT NULL
    UNION SELECT 2, hashtext(test_id) & {last} FROM ids
    {more} ORDER BY 1, 2
"""
_NUMBERS = {
    PATIENTS: "SELECT patient_id FROM stage_patient UNION ",
    ADMISSIONS: "SELECT patient_number FROM stage_admission UNION ",
    LAB_TESTS: "SELECT patient_number FROM stage_lab_test UNION ",
    LAB_RESULTS: "SELECT patient_number FROM stage_lab_result UNION ",
    COMBINED_RESULTS: "SELECT patient_number FROM stage_combined_result UNION ",
}
_IDS = {
    PATIENTS: (
        "SELECT t.test_id FROM stage_patient s JOIN ingestion_labtest t"
        " ON t.patient_number = s.patient_id WHERE t.patient_id IS NULL"
    ),
    LAB_TESTS: "SELECT test_id FROM stage_lab_test",
    LAB_RESULTS: (
        "SELECT test_id FROM stage_lab_result UNION SELECT r.test_id FROM ingestion_labresult r"
        " WHERE r.result_id = ANY (ARRAY(SELECT result_id FROM stage_lab_result))"
    ),
    COMBINED_RESULTS: "SELECT test_id FROM stage_combined_result",
}
_RESULTS = " UNION SELECT 3, hashtext(result_id) & {last} FROM stage_lab_result"
# What a rejected row spoke of: its record may be applied by another file at this moment.
_SUBJECTS = f"""
    UNION SELECT CASE kind WHEN '{RecordKind.LAB_RESULT}' THEN 3 ELSE 1 END,
        hashtext(identity[cardinality(identity)]) & {{last}} FROM stage_subject
    UNION SELECT 2, hashtext(identity[1]) & {{last}} FROM stage_subject
    WHERE kind IN ('{RecordKind.LAB_TEST}', '{RecordKind.LAB_RESULT}')
    UNION SELECT 2, hashtext(r.test_id) & {{last}} FROM stage_subject s JOIN ingestion_labresult r
        ON s.kind = '{RecordKind.LAB_RESULT}' AND r.result_id = s.identity[1]
"""


class TurnTaken(Exception):
    """Somebody else came between the plan of the locks and their taking: begin again."""


def take_turn(tables: Collection[Table], *, has_subjects: bool, alone: bool) -> None:
    """Wait until nobody else writes what the staged rows speak of. Call before anything is read.

    `alone`: until nobody else writes at all. Raises TurnTaken where the record changed meanwhile so
    that other locks are needed.
    """
    if alone:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_RECORD])
        return
    plan = _plan_of(tables, has_subjects=has_subjects)
    with connection.cursor() as cursor:
        # Each statement sees what was committed before it, also where one call sends two.
        cursor.execute(f"SELECT pg_advisory_xact_lock_shared(%s); {plan}", [_RECORD])
        planned = cursor.fetchall()
        cursor.execute(
            "SELECT pg_advisory_xact_lock(%s + sort, stripe)"
            " FROM (SELECT * FROM unnest(%s::int[], %s::int[]) AS l(sort, stripe) OFFSET 0) AS l;"
            f" {plan}",
            [_IDENTIFIERS, [sort for sort, _ in planned], [stripe for _, stripe in planned]],
        )
        # Another file may have added a test, or moved a result, while this one waited.
        if set(cursor.fetchall()) - set(planned):
            raise TurnTaken


def _plan_of(tables: Collection[Table], *, has_subjects: bool) -> str:
    ids = [_IDS[table] for table in tables if table in _IDS]
    more = (_RESULTS if LAB_RESULTS in tables else "") + (_SUBJECTS if has_subjects else "")
    return _PLAN.format(
        ids=" UNION ".join(ids) or "SELECT NULL::text WHERE FALSE",
        numbers="".join(_NUMBERS[table] for table in tables),
        more=more.format(last=_STRIPES - 1),
        last=_STRIPES - 1,
    )
