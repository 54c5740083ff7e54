"""The books balance because everything stored was counted again, and not because they say so."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import connection, transaction

from alerts.models import Alert
from ingestion.models import (
    Admission,
    FeedFile,
    Flaw,
    LabResult,
    LabTest,
    Patient,
    RejectedRow,
    WaitingRow,
)
from ingestion.services.books import books, unbalanced_files
from tests.deliveries import NOON, admission, deliver, deliver_lines, lab_result, lab_test, patient

pytestmark = pytest.mark.usefixtures("at_noon")


@pytest.fixture(autouse=True)
def a_hospital(at_noon: object) -> None:
    """Something in every column of a ledger, a refused file, and both combined layouts."""
    deliver(patient("P1"), patient("P2", date_of_birth="soon"), patient("", "Nobody, Nora"))
    deliver(patient("P1", "Green, Emma"), patient("P2"), patient("P2"))
    deliver(admission("C1", "P1", hours=60), admission("C9", "P9", hours=1))
    deliver(
        lab_test("T1", "P1", "Sodium", hours=5),
        lab_test("T9", "P9", "Sodium", hours=5),
        lab_test("T2", "P1", "Sodium", hours=-1),
        source="lis",
    )
    deliver(
        lab_result("R1", "T1", "5", hours=4), lab_result("R9", "T9", "5", hours=4), source="lis"
    )
    deliver_lines("Dear colleague,")
    deliver_lines(
        "test_id,patient_id,test_type,test_date,result",
        "T7,P2,Sodium,2025-03-20T08:00:00Z,140",
        source="lis-b",
    )


def count(sql: str) -> Callable[[], None]:
    def act() -> None:
        with connection.cursor() as cursor:
            cursor.execute(sql)
            assert cursor.rowcount >= 1

    return act


def shift(one: str, other: str) -> Callable[[], None]:
    """Take a row out of one column of a ledger and put it into another: it still adds up."""
    return count(
        f"UPDATE ingestion_feedfile SET {one} = {one} - 1, {other} = {other} + 1"
        f" WHERE id = (SELECT min(id) FROM ingestion_feedfile WHERE {one} > 0)"
    )


def elsewhere(table: str, column: str, *, of: str = "TRUE") -> Callable[[], None]:
    return count(
        f"UPDATE {table} SET {column} = (SELECT max(id) FROM ingestion_feedfile"
        f" WHERE status = 'ingested' AND id <> {column}) WHERE {of}"
    )


PLANTED = {
    "a rejected row is gone": lambda: (
        count("DELETE FROM ingestion_rejectedsubject")(),
        RejectedRow.objects.order_by("pk").last().delete(),  # type: ignore[union-attr]
    ),
    "a flaw is gone": lambda: Flaw.objects.all().delete(),
    "a waiting row is gone": lambda: WaitingRow.objects.first().delete(),  # type: ignore[union-attr]
    "a result is gone": lambda: LabResult.objects.get(result_id="R1").delete(),
    "an admission is gone": lambda: (
        Alert.objects.all().delete(),
        Admission.objects.get(case_number="C1").delete(),
    ),
    "a waiting test is gone": lambda: (
        WaitingRow.objects.filter(kind="lab_test").delete(),
        LabTest.objects.get(test_id="T9").delete(),
    ),
    "an admission that waits is gone, and its line still waits": lambda: Admission.objects.get(
        case_number="C9"
    ).delete(),
    "a line that waits was called applied": count(
        "UPDATE ingestion_waitingrow SET applied_at = now() WHERE kind = 'admission'"
    ),
    "a patient was begun elsewhere": elsewhere(
        "ingestion_patient", "created_in_id", of="patient_id = 'P1'"
    ),
    "a test was begun by a file that is not there": count(
        "UPDATE ingestion_labtest SET created_in_id = 0 WHERE test_id = 'T1'"
    ),
    "a test was said last by a file that is not there": count(
        "UPDATE ingestion_labtest SET said_in_id = 0 WHERE test_id = 'T1'"
    ),
    "a record was begun by a line that was rejected": count(
        "UPDATE ingestion_patient SET created_line = 4 WHERE patient_id = 'P2'"
    ),
    "created became updated": shift("created", "updated"),
    "updated became created": shift("updated", "created"),
    "waiting became created": shift("waiting", "created"),
    "rejected became superseded": shift("rejected", "superseded"),
    "a flaw was counted that is not there": count(
        "UPDATE ingestion_feedfile SET flaws = flaws + 1 WHERE status = 'ingested'"
    ),
    "a refused file has a rejected row": count(
        "UPDATE ingestion_rejectedrow SET feed_file_id ="
        " (SELECT id FROM ingestion_feedfile WHERE status = 'refused') WHERE reason = 'future'"
    ),
    "a refused file has a flaw": count(
        'INSERT INTO ingestion_flaw (feed_file_id, line, "column", reason, value)'
        " SELECT id, 2, '', 'bad_date', '' FROM ingestion_feedfile WHERE status = 'refused'"
    ),
}


@pytest.mark.parametrize("fault", PLANTED)
def test_the_books_see_that(fault: str) -> None:
    assert books()["balanced"] is True
    with transaction.atomic():
        PLANTED[fault]()
        assert unbalanced_files() != []
        assert books()["balanced"] is False
        transaction.set_rollback(True)
    assert books()["balanced"] is True


def test_every_row_is_in_exactly_one_column_of_its_files_ledger() -> None:
    ledgers = [tuple(file.ledger.values()) for file in FeedFile.objects.order_by("pk")]

    # rows, created, updated, unchanged, superseded, waiting, rejected
    assert ledgers == [
        (3, 2, 0, 0, 0, 0, 1),
        (3, 0, 2, 1, 0, 0, 0),
        (2, 1, 0, 0, 0, 1, 0),
        (3, 1, 0, 0, 0, 1, 1),
        (2, 1, 0, 0, 0, 1, 0),
        (0, 0, 0, 0, 0, 0, 0),
        (1, 1, 0, 0, 0, 0, 0),
    ]


def test_the_books_count_what_waits_conflicts_and_was_refused() -> None:
    assert books() == {
        "patients": 2,
        "admissions": 1,
        "open_admissions": 1,
        "lab_tests": 2,
        "lab_results": 2,
        "waiting": {"admissions": 1, "lab_tests": 1, "lab_results": 1},
        "identity_conflicts": {"test_ids": 0, "case_numbers": 0},
        "rejected": {"future": 1, "missing": 1},
        "dismissed": {},
        "flaws": {"bad_date": 1},
        "files": {"ingested": 6, "refused": 1},
        "balanced": True,
    }


def test_what_was_superseded_is_counted_as_such_and_still_balances() -> None:
    deliver(patient("P1", "Older, Emma"), at=NOON - timedelta(hours=1))
    assert FeedFile.objects.latest("pk").ledger["superseded"] == 1
    assert Patient.objects.get(patient_id="P1").last_name == "Green"
    assert books()["balanced"] is True
