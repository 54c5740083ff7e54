"""What ingestion stores: the clinical record, and the books of the files that it came from."""

from ingestion.models.conflicts import ConflictDecision
from ingestion.models.feeds import (
    ChangeCounter,
    ColumnSet,
    Drift,
    Feed,
    FeedFile,
    Flaw,
    LateVersion,
    Reading,
    RejectedRow,
    RejectedSubject,
    WaitingRow,
)
from ingestion.models.records import Admission, Department, LabResult, LabTest, Patient, Record

__all__ = [
    "Admission",
    "ChangeCounter",
    "ColumnSet",
    "ConflictDecision",
    "Department",
    "Drift",
    "Feed",
    "FeedFile",
    "Flaw",
    "LabResult",
    "LabTest",
    "LateVersion",
    "Patient",
    "Reading",
    "Record",
    "RejectedRow",
    "RejectedSubject",
    "WaitingRow",
]
