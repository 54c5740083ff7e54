"""The schema: generated, committed, and kept by every answer."""

from __future__ import annotations

from io import StringIO
from pathlib import Path

import pytest
from django.core.management import call_command
from django.test import Client

from ingestion.models import Patient
from tests.api.schema import FILE, assert_answers, committed
from tests.deliveries import admission, admit, deliver, deliver_lines, lab_result, order, released


def test_the_committed_schema_is_what_the_code_declares(tmp_path: Path) -> None:
    fresh = tmp_path / "openapi.yaml"
    call_command(
        "spectacular", file=str(fresh), validate=True, fail_on_warn=True, stdout=StringIO()
    )
    assert fresh.read_text() == FILE.read_text()


@pytest.fixture
def a_full_hospital(at_noon: object) -> str:
    """Something of everything that an answer may hold. Gives a patient's key."""
    admit("0042", "Brown, Emma", hours=81, department="Cardiology", room_number="305A")
    admit("0043", "Cohen, Uri", hours=20)
    deliver(admission("C1", "0042", hours=200, **released(150)))
    deliver(admission("C9", "9999", hours=20, department="Cardiology"))
    deliver_lines("patient_id,first_name,last_name,date_of_birth", "0044,Torn")
    deliver_lines("what,is,this")
    order("T1", "0042", "Sodium", hours=61.2)
    order("T1", "0043", "Sodium", hours=3)
    order("T2", "0042", "Potassium", hours=60)
    deliver(lab_result("R1", "T2", "<0.1", hours=59, result_unit="mmol/L"), source="lis")
    deliver(lab_result("R2", "T9", "4.1", hours=59), source="lis")
    return str(Patient.objects.get(patient_id="0042").pk)


@pytest.mark.django_db
def test_every_answer_has_the_declared_shape(nurse: Client, a_full_hospital: str) -> None:
    paths = committed()["paths"]
    assert len(paths) == 10
    for path in paths:
        if path == "/api/v1/patients/search/":
            answer = nurse.post(path, {"search": ""}, content_type="application/json")
            assert_answers(path, answer.json(), method="post")
        else:
            answer = nurse.get(path.replace("{id}", a_full_hospital))
            assert_answers(path, answer.json())
        assert answer.status_code == 200, path


@pytest.mark.django_db
def test_refusals_come_in_the_one_envelope(nurse: Client, stranger: Client) -> None:
    for browser, address, path, status in (
        (nurse, "/api/v1/board/?ward=1", "/api/v1/board/", 400),
        (stranger, "/api/v1/board/", "/api/v1/board/", 403),
        (
            nurse,
            "/api/v1/patients/00000000-0000-4000-8000-000000000000/",
            "/api/v1/patients/{id}/",
            404,
        ),
    ):
        answer = browser.get(address)
        assert answer.status_code == status
        assert_answers(path, answer.json(), status=status)
