"""How long what was taken in is kept: the record and its books for ever, and why nothing less.

The one thing that may go is the text of rejected rows that ceased to be work: the row itself stays
in its ledger.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any
from uuid import UUID

import pgtrigger
from django.db.models import Q, QuerySet
from django.db.models.expressions import RawSQL
from django.utils import timezone

from ingestion.models import (
    Admission,
    ColumnSet,
    ConflictDecision,
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
from ingestion.queries.past import history_of
from ops.registry import RetentionKind, add_retention_kind, set_patient_check
from ops.services.removing import RowsOver, counted, estimated

_RECORD = (Patient, Admission, LabTest, LabResult)


def add_kinds() -> None:
    """Put what ingestion keeps among the kinds of data, and say how a patient's key is known."""
    for kind in (_REJECTED_TEXT, *_KEPT):
        add_retention_kind(kind)
    set_patient_check(lambda key: Patient.objects.filter(pk=key).exists())


# Of whom a rejected row spoke, as far as it could be told. A result's number leads to its test's
# patient; where that result, or the patient, is not on record, `patient` is NULL.
_WHOSE = """
    SELECT s.rejected_row_id AS "row", p.id AS patient, named.number
    FROM ingestion_rejectedsubject s
    LEFT JOIN ingestion_labresult r ON s.kind = 'lab_result' AND cardinality(s.identity) = 1
        AND r.result_id = s.identity[1]
    LEFT JOIN ingestion_labtest t ON t.id = r.lab_test_id
    CROSS JOIN LATERAL (SELECT CASE
        WHEN s.kind = 'lab_result' AND cardinality(s.identity) = 1
            THEN coalesce(t.patient_number, r.patient_number)
        ELSE s.identity[cardinality(s.identity)] END AS number) AS named
    LEFT JOIN ingestion_patient p ON p.patient_id = named.number
"""
_IN_A_BED = f"""
    SELECT w."row" FROM ({_WHOSE}) AS w
    JOIN ingestion_admission a ON a.patient_id = w.patient WHERE a.released_at IS NULL
    UNION ALL
    SELECT w."row" FROM ({_WHOSE}) AS w
    JOIN ingestion_admission a ON a.patient_number = w.number AND a.patient_id IS NULL
    WHERE a.released_at IS NULL
"""
# Whoever cannot be told may be the one who is held.
_HELD = f"""
    SELECT w."row" FROM ({_WHOSE}) AS w WHERE w.patient IS NULL OR w.patient = ANY (%s::uuid[])
    UNION ALL
    SELECT j.id FROM ingestion_rejectedrow j WHERE NOT EXISTS (
        SELECT FROM ingestion_rejectedsubject s WHERE s.rejected_row_id = j.id)
"""


def texts_over(before: datetime) -> QuerySet[RejectedRow]:
    """Give the rejected rows, settled before an instant, whose text is still there.

    None of a patient who lies in a bed, and none that is still work.
    """
    return RejectedRow.objects.filter(settled_at__lt=before, raw_removed_at__isnull=True).exclude(
        pk__in=RawSQL(_IN_A_BED, [])
    )


def _of_patients(patients: Collection[UUID]) -> Q:
    return Q(pk__in=RawSQL(_HELD, [[str(patient) for patient in patients]]))


def _remove_text(rows: QuerySet[Any]) -> None:
    # No settlement changes, so nothing of it is put aside.
    with pgtrigger.ignore("ingestion.RejectedRow:rejected_row_before_update"):
        rows.update(raw="", raw_removed_at=timezone.now())


_REJECTED_TEXT = RetentionKind(
    name="ingestion.rejected_text",
    title="Text of rejected rows that are settled",
    holds="Lines as they came that could not be trusted, and may hold names and values.",
    why="Only the text goes; the row stays in its ledger with its reason and how it was settled. A"
    " rejected line may be the only trace of what a source once said, so it is kept for ever,"
    " unless the hospital says otherwise. Never of a row that is still work, or of a patient in a"
    " bed.",
    tell=lambda: counted(
        RejectedRow.objects.filter(settled_at__isnull=False, raw_removed_at__isnull=True),
        "settled_at",
    ),
    least=365,
    removal=RowsOver(texts_over, of_patients=_of_patients, remove=_remove_text),
    order=20,
)
_KEPT = (
    RetentionKind(
        name="ingestion.record",
        title="The clinical record",
        holds="Patients, admissions, tests and results, those of open stays above all.",
        why="Many countries want it kept for ten years and longer. The ledgers say of each line"
        " which record it began: one that is gone would leave the books open, and a late file"
        " would begin it again as somebody new.",
        tell=lambda: estimated(*_RECORD),
        order=80,
    ),
    RetentionKind(
        name="ingestion.history",
        title="What records were before, and what came late",
        holds="Every earlier version of a patient's records.",
        why="An earlier moment is told from these: without them a patient who lay in a bed then"
        " would be missing from it. The database lets nobody remove a version.",
        tell=lambda: estimated(*(history_of(model) for model in _RECORD), LateVersion),
        order=81,
    ),
    RetentionKind(
        name="ingestion.ledgers",
        title="Files, readings and their ledgers",
        holds="Which objects came, and what became of each of their lines. Names of objects.",
        why="Every record names the file that said it. And a file that is forgotten, but still lies"
        " in its bucket, would be taken in as new.",
        tell=lambda: counted(FeedFile.objects.all(), "received_at"),
        order=82,
    ),
    RetentionKind(
        name="ingestion.rows",
        title="Rejected and waiting rows, and flaws",
        holds="Lines of files that could not be trusted, or waited for their parent.",
        why="Ledgers count them: a row that is gone would leave the books open. Flaws do not say"
        " whose they are, so no hold could keep their values.",
        tell=lambda: estimated(RejectedRow, history_of(RejectedRow), WaitingRow, Flaw, Reading),
        order=84,
    ),
    RetentionKind(
        name="ingestion.decisions",
        title="Decisions, feeds, columns and drift",
        holds="What operators decided about conflicts and declared of feeds. Patients' numbers.",
        why="Decisions are in effect; versions of records rest on the columns. Few rows.",
        tell=lambda: estimated(ConflictDecision, Feed, history_of(Feed), ColumnSet, Drift),
        order=85,
    ),
)
