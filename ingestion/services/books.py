"""The books: what is on record, what waits, what was rejected, and whether it all adds up.

`balanced` is recomputed and not assumed: what is stored of each file's rows is held against
the file's ledger, count by count.
"""

from __future__ import annotations

from typing import Any

from django.db import connection
from django.db.models import Count, QuerySet

from ingestion import queries
from ingestion.choices import FileStatus
from ingestion.models import (
    Admission,
    FeedFile,
    Flaw,
    LabResult,
    LabTest,
    Patient,
    RejectedRow,
)

# For each ingested file: the ledger beside what is stored. A row that created a record left its
# file and line on that record; so did a waiting row, whose lines are told apart by waiting_row.
# `said` are the lines that some record still names as its latest statement.
_UNBALANCED = """
    WITH begun AS (
        SELECT created_in_id AS file, created_line AS line FROM ingestion_patient
        UNION SELECT created_in_id, created_line FROM ingestion_admission
        UNION SELECT created_in_id, created_line FROM ingestion_labtest
        UNION SELECT created_in_id, created_line FROM ingestion_labresult
              WHERE created_in_id IS NOT NULL
    ), said AS (
        SELECT said_in_id AS file, said_line AS line FROM ingestion_patient
        UNION SELECT said_in_id, said_line FROM ingestion_admission
        UNION SELECT said_in_id, said_line FROM ingestion_labtest
        UNION SELECT said_in_id, said_line FROM ingestion_labresult
    ), waits AS (
        SELECT feed_file_id AS file, line FROM ingestion_waitingrow
    ), created AS (
        SELECT begun.file, count(*) AS n FROM begun
        WHERE NOT EXISTS (SELECT FROM waits w WHERE (w.file, w.line) = (begun.file, begun.line))
        GROUP BY begun.file
    ), spoken AS (
        SELECT said.file, count(*) AS n FROM said
        WHERE NOT EXISTS (SELECT FROM waits w WHERE (w.file, w.line) = (said.file, said.line))
        GROUP BY said.file
    ), waiting AS (
        SELECT file, count(*) AS n FROM waits GROUP BY file
    ), rejected AS (
        SELECT feed_file_id AS file, count(*) AS n FROM ingestion_rejectedrow GROUP BY 1
    ), flawed AS (
        SELECT feed_file_id AS file, count(*) AS n FROM ingestion_flaw GROUP BY 1
    )
    SELECT f.id FROM ingestion_feedfile f
    LEFT JOIN created ON created.file = f.id
    LEFT JOIN spoken ON spoken.file = f.id
    LEFT JOIN waiting ON waiting.file = f.id
    LEFT JOIN rejected ON rejected.file = f.id
    LEFT JOIN flawed ON flawed.file = f.id
    WHERE f.created <> coalesce(created.n, 0)
       OR f.waiting <> coalesce(waiting.n, 0)
       OR f.rejected <> coalesce(rejected.n, 0)
       OR f.flaws <> coalesce(flawed.n, 0)
       OR f.created + f.updated + f.unchanged < coalesce(spoken.n, 0)
       OR f.rows <> f.created + f.updated + f.unchanged + f.superseded + f.waiting + f.rejected
    UNION
    -- Rows and records that point at a file which is not there, or was never ingested.
    SELECT origin.file FROM (
        SELECT file FROM begun UNION SELECT file FROM said UNION SELECT file FROM waits
        UNION SELECT file FROM rejected UNION SELECT file FROM flawed
    ) AS origin
    LEFT JOIN ingestion_feedfile f ON f.id = origin.file
    WHERE f.id IS NULL OR f.status <> 'ingested'
    UNION
    -- A line is in one column: what was rejected has neither made nor changed any record.
    SELECT r.feed_file_id FROM ingestion_rejectedrow r JOIN (
        SELECT * FROM begun UNION SELECT * FROM said UNION SELECT * FROM waits
    ) AS applied ON (applied.file, applied.line) = (r.feed_file_id, r.line)
    UNION
    -- A line that waits has its record, which waits too; what was applied has found its parent. A
    -- result may lose its test again to a conflict, so of an applied one it is not asked.
    SELECT w.feed_file_id FROM ingestion_waitingrow w
    LEFT JOIN ingestion_admission a
      ON w.kind = 'admission' AND (a.case_number, a.patient_number) = (w.identity[1], w.identity[2])
    LEFT JOIN ingestion_labtest t
      ON w.kind = 'lab_test' AND (t.test_id, t.patient_number) = (w.identity[1], w.identity[2])
    LEFT JOIN ingestion_labresult r
      ON w.kind = 'lab_result' AND r.result_id = w.identity[1] AND cardinality(w.identity) = 1
    LEFT JOIN ingestion_labresult c
      ON w.kind = 'lab_result' AND c.result_id IS NULL AND cardinality(w.identity) = 2
      AND (c.test_id, c.patient_number) = (w.identity[1], w.identity[2])
    WHERE coalesce(a.id, t.id, r.id, c.id) IS NULL
       OR (w.applied_at IS NULL) <> (coalesce(a.patient_id, t.patient_id) IS NULL)
          AND w.kind <> 'lab_result'
       OR w.applied_at IS NULL AND coalesce(r.lab_test_id, c.lab_test_id) IS NOT NULL
"""


def unbalanced_files() -> list[int]:
    """Give the keys of the files whose ledger differs from what is stored of their rows."""
    with connection.cursor() as cursor:
        cursor.execute(_UNBALANCED)
        return [key for (key,) in cursor.fetchall()]


def books() -> dict[str, Any]:
    """Close the books: counts of everything, and whether they balance."""
    return {
        "patients": Patient.objects.count(),
        "admissions": Admission.objects.filter(patient__isnull=False).count(),
        "open_admissions": Admission.objects.filter(
            patient__isnull=False, released_at__isnull=True
        ).count(),
        "lab_tests": LabTest.objects.filter(patient__isnull=False).count(),
        "lab_results": LabResult.objects.filter(
            lab_test__isnull=False, is_taken_back=False
        ).count(),
        "waiting": queries.waiting_counts(),
        "identity_conflicts": {
            "test_ids": queries.test_id_conflicts().count(),
            "case_numbers": queries.case_number_conflicts().count(),
        },
        "rejected": _by_reason(RejectedRow.objects.all()),
        "flaws": _by_reason(Flaw.objects.all()),
        "files": {
            "ingested": FeedFile.objects.filter(status=FileStatus.INGESTED).count(),
            "refused": FeedFile.objects.filter(status=FileStatus.REFUSED).count(),
        },
        "balanced": not unbalanced_files(),
    }


def _by_reason(rows: QuerySet[Any]) -> dict[str, int]:
    counted = rows.order_by("reason").values("reason").annotate(n=Count("pk"))
    return {row["reason"]: row["n"] for row in counted}
