"""Hands export objects to the product, and shows the record that came of them as plain values.

The shape is that of tests/oracle, so that the two can be compared whole.
"""

from __future__ import annotations

import io
from collections.abc import Iterable
from datetime import datetime
from typing import Any

import time_machine

from ingestion.models import Admission, LabResult, LabTest, Patient
from ingestion.services.receiving import Receipt, ingest_all
from ingestion.storage import StoredObject
from tests.oracle import ExportObject
from tests.oracle.hospital import PATIENT_TEXTS, RESULT_TEXTS


def stored(each: ExportObject) -> StoredObject:
    """The same object, as storage tells of it."""
    return StoredObject(
        bucket=each.bucket,
        key=each.key,
        source=each.source,
        last_modified=each.last_modified,
        size=len(each.content),
        open=lambda: io.BytesIO(each.content),
    )


def ingest_in_this_order(objects: Iterable[ExportObject]) -> list[Receipt]:
    """Ingest one delivery after another, each at its own clock."""
    receipts: list[Receipt] = []
    for each in objects:
        with time_machine.travel(each.received_at, tick=False):
            ingest_all([stored(each)], on_done=receipts.append)
    return receipts


def the_record() -> dict[str, dict[str, dict[str, Any]]]:
    """Everything clinical that is on record or waits."""
    return {
        "patients": {one.patient_id: _patient(one) for one in Patient.objects.all()},
        "admissions": {
            f"{one.case_number}|{one.patient_number}": _admission(one)
            for one in Admission.objects.select_related("department")
        },
        "lab_tests": {
            f"{one.test_id}|{one.patient_number}": _test(one) for one in LabTest.objects.all()
        },
        "lab_results": {
            _result_key(one): _result(one)
            for one in LabResult.objects.filter(is_taken_back=False).select_related("lab_test")
        },
    }


def _patient(one: Patient) -> dict[str, Any]:
    born = one.date_of_birth
    return {name: getattr(one, name) for name in PATIENT_TEXTS} | {
        "date_of_birth": born.isoformat() if born else None,
        "extra": _extra(one.extra),
    }


def _admission(one: Admission) -> dict[str, Any]:
    return {
        "waiting": one.patient_id is None,
        "admitted_at": _iso(one.admitted_at),
        "released_at": _iso(one.released_at),
        "planned_release_at": _iso(one.planned_release_at),
        "department": one.department.name if one.department else None,
        "room": one.room,
        "extra": _extra(one.extra),
    }


def _test(one: LabTest) -> dict[str, Any]:
    return {
        "waiting": one.patient_id is None,
        "name": one.name,
        "ordered_at": _iso(one.ordered_at),
        "ordering_physician": one.ordering_physician,
        "case_number": one.case_number,
        "lab_location": one.lab_location,
        "status": one.status,
        "is_cancelled": one.is_cancelled,
        "extra": _extra(one.extra),
    }


def _result(one: LabResult) -> dict[str, Any]:
    test = one.lab_test
    return {name: getattr(one, name) for name in RESULT_TEXTS} | {
        "waiting": one.waits_for,
        "attached_to": f"{test.test_id}|{test.patient_number}" if test else None,
        "performed_at": _iso(one.performed_at),
        "value": one.value,
        "number": str(one.number.normalize()) if one.number is not None else None,
        "comparator": one.comparator,
        "unit_is_ambiguous": one.unit_is_ambiguous,
        "is_withdrawn": one.is_withdrawn,
        "extra": _extra(one.extra),
    }


def _result_key(one: LabResult) -> str:
    return f"r:{one.result_id}" if one.result_id else f"t:{one.test_id}|{one.patient_number}"


def _extra(extra: dict[str, str | None]) -> dict[str, str]:
    return {name: text for name, text in extra.items() if text is not None}


def _iso(at: datetime | None) -> str | None:
    return at.isoformat() if at else None
