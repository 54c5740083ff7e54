"""What a row comes to does not hang on how many others stand in its file."""

from __future__ import annotations

from datetime import timedelta

import pytest
import time_machine

from ingestion.models import Admission, Feed, FeedFile, LabResult, LabTest
from ingestion.services.books import unbalanced_files
from ingestion.services.receiving import Replay, ingest
from tests.deliveries import NOON, deliver, deliver_lines, lab_result, lab_test, patient
from tests.exports.files import bytes_of
from tests.ingestion.test_receiving import stored

RESULT = "result_id test_id result_value performed_date performed_time patient_id"
COMBINED = "patient_id,first_name,last_name,date_of_birth,admission_id,admission_date,ward,status"


@pytest.mark.parametrize("fillers", [0, 30])
def test_a_result_whose_patient_is_corrected_goes_to_that_patient(
    at_noon: time_machine.Traveller, fillers: int
) -> None:
    deliver(patient("P1"), patient("P2"))
    deliver(
        lab_test("T1", "P1", "Potassium", hours=9),
        lab_test("T1", "P2", "Potassium", hours=9),
        source="lis",
    )
    others = [lab_result(f"X{n}", f"X{n}", "5", hours=8, patient_id="P1") for n in range(fillers)]
    told = lab_result("R1", "T1", "5", hours=8, patient_id="P1")
    deliver(told, *others, at=NOON - timedelta(hours=1), source="lis", columns=RESULT)

    key = deliver(told | {"patient_id": "P2"}, source="lis", columns=RESULT)

    result = LabResult.objects.get(result_id="R1")
    assert result.lab_test is not None
    assert result.lab_test.patient_number == "P2"
    assert FeedFile.objects.get(key=key).updated == 1


def stay(number: str, status: str) -> str:
    return f"{number},Anna,One,1950-01-01,C{number},2025-03-10 08:00,South,{status}"


@pytest.mark.parametrize("fillers", [0, 30])
def test_a_status_that_says_nothing_takes_no_discharge_back(
    at_noon: time_machine.Traveller, fillers: int
) -> None:
    others = [stay(f"F{n}", "Active") for n in range(fillers)]
    deliver_lines(COMBINED, stay("Z", "Discharged"), *others, at=NOON - timedelta(hours=2))

    key = deliver_lines(COMBINED, stay("Z", ""), *others, at=NOON - timedelta(hours=1))

    assert Admission.objects.get(case_number="CZ").released_at == NOON - timedelta(hours=2)
    assert FeedFile.objects.get(key=key).updated == 0


@pytest.mark.parametrize("fillers", [0, 30])
def test_a_header_without_a_status_takes_no_discharge_back(
    at_noon: time_machine.Traveller, fillers: int
) -> None:
    others = [stay(f"F{n}", "") for n in range(fillers)]
    deliver_lines(COMBINED, stay("V", "Discharged"), *others, at=NOON - timedelta(hours=2))

    deliver_lines(
        COMBINED.removesuffix(",status"),
        stay("V", "").removesuffix(","),
        at=NOON - timedelta(hours=1),
    )

    assert Admission.objects.get(case_number="CV").released_at == NOON - timedelta(hours=2)


@pytest.mark.parametrize("fillers", [3, 1_100])
def test_what_is_read_again_begins_what_is_new_and_lets_be_what_is_known(
    at_noon: time_machine.Traveller, fillers: int
) -> None:
    deliver(patient("P1"))
    known = [f"K{n},P1,Sodium,2025-03-11,08:00" for n in range(fillers)]
    turned = ["D1,P1,Sodium,02/01/2025,08:00", "D2,P1,Sodium,03/01/2025,08:00"]
    # Told by its month first, no such day; the second tells of the same test as the first.
    new = [f"N{n},P1,Sodium,13/03/2025,08:00" for n in range(fillers)]
    new += ["N0,P1,Potassium,14/03/2025,08:00", "K0,P1,Chloride,15/03/2025,08:00"]
    lines = ["test_id,patient_id,test_name,order_date,order_time", *known, *turned, *new]
    file = stored(bytes_of(lines), at=NOON)
    first = ingest(file).file
    assert (first.created, first.rejected) == (fillers + 2, fillers + 2)

    Feed.objects.filter(layout="lis.lab_tests").update(is_day_first=True)
    again = ingest(file, replay=Replay("olga", "days come first")).file

    assert again.ledger == {
        "rows": 2 * fillers + 4, "created": fillers, "updated": 4, "unchanged": fillers,
        "superseded": 0, "waiting": 0, "rejected": 0,
    }  # fmt: skip
    tests = LabTest.objects.all()
    assert tests.count() == 2 * fillers + 2
    assert tests.get(test_id="D1").ordered_at.month == 1
    assert tests.get(test_id="N0").name == "Potassium"
    assert tests.get(test_id="K0").name == "Chloride"
    assert unbalanced_files() == []
