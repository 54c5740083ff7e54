"""Which test a result belongs to. Identity is never guessed.

A result that names its patient waits for that patient's test alone. Another belongs to the one
test with its number that is not cancelled; where there is none, to the one that is; where tests of
several patients bear the number, to nobody, unless an operator has decided about exactly these.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db import connection

from ingestion.choices import ConflictKind, RecordKind, WaitReason

# `{rows}` has test_id and patient_number; gives them back with lab_test_id, waits_for and patient.
# `{ids}` are the test numbers among them. A test that waits itself takes no result.
PLACED = f"""
    candidates AS (
        SELECT t.test_id, count(*) AS known, min(t.id) AS one_known,
            count(*) FILTER (WHERE NOT t.is_cancelled) AS standing,
            min(t.id) FILTER (WHERE NOT t.is_cancelled) AS one_standing
        FROM ({{ids}}) AS ids JOIN ingestion_labtest t USING (test_id) GROUP BY t.test_id
    ), placed AS (
        SELECT s.*, chosen.id AS lab_test_id, chosen.patient_id AS patient, CASE
            WHEN chosen.id IS NOT NULL THEN NULL
            WHEN s.patient_number IS NULL AND decided.id IS NULL
                AND (c.standing > 1 OR c.standing = 0 AND c.known > 1)
            THEN '{WaitReason.AMBIGUOUS_TEST}' ELSE '{WaitReason.TEST}' END AS waits_for
        FROM {{rows}} s LEFT JOIN candidates c ON c.test_id = s.test_id
        LEFT JOIN ingestion_labtest own
            ON (own.test_id, own.patient_number) = (s.test_id, s.patient_number)
        LEFT JOIN LATERAL (
            SELECT t.id FROM (
                SELECT * FROM ingestion_conflictdecision d
                WHERE c.standing > 1 AND d.kind = '{ConflictKind.TEST_ID}'
                    AND d.identifier = c.test_id ORDER BY d.decided_at DESC, d.id DESC LIMIT 1
            ) AS d JOIN ingestion_labtest t
                ON t.test_id = d.identifier AND t.patient_number = d.belongs_to
            WHERE NOT t.is_cancelled AND d.sides = (
                SELECT array_agg(side.patient_number::text
                    ORDER BY side.patient_number COLLATE "C")
                FROM ingestion_labtest side
                WHERE side.test_id = d.identifier AND NOT side.is_cancelled
            )
        ) AS decided ON TRUE
        LEFT JOIN ingestion_labtest chosen ON chosen.patient_id IS NOT NULL AND chosen.id = CASE
            WHEN s.patient_number IS NOT NULL THEN own.id WHEN c.standing = 1 THEN c.one_standing
            WHEN c.standing > 1 THEN decided.id WHEN c.known = 1 THEN c.one_known END
    )
"""


def attach_results(ids: str, *, now: datetime, given: Sequence[Any] = ()) -> int:
    """Decide anew where the results on record with these test numbers belong.

    A second test with the same number detaches what was attached to the first. Whom that touched,
    and which results found their test, is noted in the stage. `ids` is a query for test numbers.
    Returns how many were moved.
    """
    rows = f"""(
        SELECT r.id, r.test_id, r.patient_number, r.result_id, r.lab_test_id AS was,
            r.waits_for AS waited FROM ({ids}) AS said JOIN ingestion_labresult r USING (test_id)
    )"""
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            WITH {PLACED.format(ids=ids, rows=rows)}, moved AS (
                UPDATE ingestion_labresult r SET lab_test_id = p.lab_test_id,
                    waits_for = p.waits_for, known_at = greatest(r.known_at, %s)
                FROM placed p WHERE r.id = p.id
                    AND (p.lab_test_id, p.waits_for) IS DISTINCT FROM (p.was, p.waited)
                RETURNING p.*
            ), found AS (
                INSERT INTO stage_found (kind, identity)
                SELECT '{RecordKind.LAB_RESULT}', CASE WHEN result_id IS NULL
                    THEN ARRAY[test_id::text, patient_number::text] ELSE ARRAY[result_id::text] END
                FROM moved WHERE lab_test_id IS NOT NULL
            ), touched AS (
                INSERT INTO stage_touched
                SELECT patient, lab_test_id FROM moved WHERE patient IS NOT NULL
                UNION SELECT t.patient_id, t.id
                FROM moved m JOIN ingestion_labtest t ON t.id = m.was
                WHERE t.patient_id IS NOT NULL
            )
            SELECT count(*) FROM moved
            """,
            [*given, *given, now],
        )
        return int(cursor.fetchone()[0])
