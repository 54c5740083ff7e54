"""What ingestion stores: the clinical record, and the books of the files that it came from."""

from ingestion.models.feeds import (
    ChangeCounter,
    ColumnSet,
    Drift,
    Feed,
    FeedFile,
    Flaw,
    RejectedRow,
    RejectedSubject,
    WaitingRow,
)
from ingestion.models.records import Admission, Department, LabResult, LabTest, Patient, Record

__all__ = [
    "Admission",
    "ChangeCounter",
    "ColumnSet",
    "Department",
    "Drift",
    "Feed",
    "FeedFile",
    "Flaw",
    "LabResult",
    "LabTest",
    "Patient",
    "Record",
    "RejectedRow",
    "RejectedSubject",
    "WaitingRow",
]
