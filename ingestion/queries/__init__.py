"""What can be asked of the books and of the record. Reads only.

Whatever is asked inside `past.known_at` is answered from what was known here at that moment.
"""

from ingestion.queries.doubts import Doubt, doubts_at
from ingestion.queries.feeds import (
    CATCHING_UP,
    FRESH,
    FUTURE_TOLERANCE,
    LATE,
    SILENT,
    FeedBooks,
    Freshness,
    OpenWork,
    books_of_feeds,
    change_count,
    feed_files,
    files_not_done,
    freshness_of_feeds,
    open_work,
    refused_files_without_feed,
)
from ingestion.queries.history import Change, Version, history_of_patient, versions_of
from ingestion.queries.record import (
    department_names,
    files_behind,
    lab_tests_of,
    patient_by_key,
    shared_case_numbers,
    shared_test_ids,
)
from ingestion.queries.worklists import (
    Conflict,
    WaitingRecord,
    case_number_conflicts,
    conflicting_admissions,
    conflicting_tests,
    open_rejected_rows,
    refused_files,
    test_id_conflicts,
    waiting_counts,
    waiting_records,
)

__all__ = [
    "CATCHING_UP",
    "FRESH",
    "FUTURE_TOLERANCE",
    "LATE",
    "SILENT",
    "Change",
    "Conflict",
    "Doubt",
    "FeedBooks",
    "Freshness",
    "OpenWork",
    "Version",
    "WaitingRecord",
    "books_of_feeds",
    "case_number_conflicts",
    "change_count",
    "conflicting_admissions",
    "conflicting_tests",
    "department_names",
    "doubts_at",
    "feed_files",
    "files_behind",
    "files_not_done",
    "freshness_of_feeds",
    "history_of_patient",
    "lab_tests_of",
    "open_rejected_rows",
    "open_work",
    "patient_by_key",
    "refused_files",
    "refused_files_without_feed",
    "shared_case_numbers",
    "shared_test_ids",
    "test_id_conflicts",
    "versions_of",
    "waiting_counts",
    "waiting_records",
]
