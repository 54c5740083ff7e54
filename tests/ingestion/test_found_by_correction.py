"""A waiting result that a later file corrects was updated, not begun again: the books balance."""

from __future__ import annotations

from datetime import timedelta

import pytest

from ingestion.models import FeedFile
from ingestion.services.balance import unbalanced_files
from ingestion.services.books import books
from tests.deliveries import NOON, deliver, lab_result, lab_test, patient

pytestmark = pytest.mark.usefixtures("at_noon")

BEFORE, AFTER = NOON - timedelta(minutes=2), NOON - timedelta(minutes=1)


def ledger(key: str) -> dict[str, int]:
    return {name: rows for name, rows in FeedFile.objects.get(key=key).ledger.items() if rows}


def two_patients_with_one_test_number() -> None:
    for number in ("P1", "P2"):
        deliver(patient(number))
        deliver(lab_test("T1", number, "Sodium", hours=9), source="lis")


def test_a_result_corrected_to_a_test_that_is_known_was_updated() -> None:
    deliver(patient("P1"))
    deliver(lab_test("T1", "P1", "Sodium", hours=9), source="lis")
    first = deliver(lab_result("R1", "T9", "5", hours=3), at=BEFORE, source="lis")

    second = deliver(lab_result("R1", "T1", "5", hours=3), at=AFTER, source="lis")

    assert (ledger(first), ledger(second)) == ({"waiting": 1, "rows": 1}, {"updated": 1, "rows": 1})
    assert list(unbalanced_files()) == []
    assert books()["balanced"] is True


def test_an_ambiguous_result_that_is_sent_again_with_its_patient_was_updated() -> None:
    two_patients_with_one_test_number()
    first = deliver(lab_result("R1", "T1", "5", hours=3), at=BEFORE, source="lis")

    second = deliver(lab_result("R1", "T1", "5", hours=3, patient_id="P1"), at=AFTER, source="lis")

    assert ledger(first)["waiting"] == 1
    assert ledger(second)["updated"] == 1
    assert books()["balanced"] is True


def test_a_result_that_waits_and_is_found_within_one_file_was_created_there() -> None:
    deliver(patient("P1"))
    deliver(lab_test("T1", "P1", "Sodium", hours=9), source="lis")

    one = deliver(
        lab_result("R1", "T9", "5", hours=3), lab_result("R1", "T1", "5", hours=3),
        at=AFTER, source="lis",
    )  # fmt: skip

    assert ledger(one)["created"] == 1
    assert books()["balanced"] is True
