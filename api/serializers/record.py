"""How the record is said in JSON: plain dictionaries, quickly made.

The shapes are declared in `answers`; a test holds each answer against them.
"""

from __future__ import annotations

from typing import Any

from alerts.conditions import Limits
from alerts.models import Alert
from alerts.queries.board import Stay, Tally
from alerts.queries.standing import Rulebook, Vision
from api.serializers.parameters import NO_DEPARTMENT
from ingestion.models import FeedFile, LabResult, LabTest, Patient, Record
from ingestion.queries import Doubt, FeedBooks, Freshness, Version
from ingestion.queries.past import moment_asked

Json = dict[str, Any]


def patient_item(stay: Stay, vision: Vision) -> Json:
    """One line of the board: a patient in one admission."""
    return {
        **_person(stay.patient),
        "admission": _admission(stay),
        "last_test": _last_test(stay.last_test_name, stay.last_test_at),
        **_standing(stay, vision),
    }


def patient_page(
    patient: Patient,
    stays: list[Stay],
    vision: Vision,
    *,
    alerts: dict[int, Alert],
    files: dict[int, FeedFile],
    shared_case_numbers: set[str],
) -> Json:
    """A patient with every admission, newest first."""
    last_test = (patient.last_test_name, patient.last_test_at)
    still_in = next((stay for stay in stays if stay.judgement), None)
    if still_in is not None:
        last_test = (still_in.last_test_name, still_in.last_test_at)
    return {
        "as_of": vision.at,
        "known_at": moment_asked(),
        **_person(patient),
        "primary_physician": patient.primary_physician,
        "insurance_provider": patient.insurance_provider,
        "blood_type": patient.blood_type,
        "allergies": patient.allergies,
        "extra": patient.extra,
        "origin": _origin(patient, files),
        "last_test": _last_test(*last_test),
        "admissions": [
            {
                **_admission(stay),
                "is_open": stay.judgement is not None,
                **_standing(stay, vision),
                "alert": _alert(alerts.get(stay.admission.pk)),
                "case_number_conflict": stay.admission.case_number in shared_case_numbers,
                "origin": _origin(stay.admission, files),
            }
            for stay in stays
        ],
    }


def _person(patient: Patient) -> Json:
    return {
        "id": patient.pk,
        "patient_id": patient.patient_id,
        "name": patient.name,
        "first_name": patient.first_name,
        "last_name": patient.last_name,
        "date_of_birth": patient.date_of_birth,
        "gender": patient.gender,
    }


def _admission(stay: Stay) -> Json:
    one = stay.admission
    return {
        "id": one.pk,
        "case_number": one.case_number,
        "department": one.department.name if one.department else None,
        "room": one.room,
        "admitted_at": one.admitted_at,
        "released_at": one.released_at,
        "planned_release_at": one.planned_release_at,
    }


def _standing(stay: Stay, vision: Vision) -> Json:
    judgement = stay.judgement
    state = judgement.standing if judgement else "not_due"
    return {
        "quiet_since": stay.quiet_since,
        # Not rounded: 47.96 h must not read as 48 beside a state that says "not due".
        "hours_without_test": judgement.hours if judgement else None,
        "threshold_hours": stay.limits.threshold,
        "second_tier_hours": stay.limits.second_tier,
        "tier": judgement.tier if judgement else 0,
        "state": state,
        "cannot_know_since": vision.cannot_know_since if state == "cannot_know" else None,
    }


def _last_test(name: str | None, at: object) -> Json | None:
    return {"name": name, "at": at} if at else None


def _alert(alert: Alert | None) -> Json | None:
    return {"raised_at": alert.raised_at, "status": alert.status} if alert else None


def _origin(record: Record, files: dict[int, FeedFile]) -> Json:
    said_in = files[record.said_in_id]
    return {
        "file": said_in.key,
        "line": record.said_line,
        "source_time": said_in.source_time,
        "known_at": record.known_at,
    }


def lab_test(test: LabTest, files: dict[int, FeedFile], shared_test_ids: set[str]) -> Json:
    """One test with its results. A cancelled test takes no part in a conflict."""
    return {
        "id": test.pk,
        "test_id": test.test_id,
        "name": test.name,
        "ordered_at": test.ordered_at,
        "ordering_physician": test.ordering_physician,
        "lab_location": test.lab_location,
        "status": test.status,
        "is_cancelled": test.is_cancelled,
        "test_id_conflict": not test.is_cancelled and test.test_id in shared_test_ids,
        "origin": _origin(test, files),
        "results": [_lab_result(result, files) for result in test.results.all()],
    }


def _lab_result(result: LabResult, files: dict[int, FeedFile]) -> Json:
    return {
        "id": result.pk,
        "result_id": result.result_id,
        "value": result.value,
        # In digits and not as a JSON number: a laboratory's decimals are kept as sent.
        "number": None if result.number is None else format(result.number, "f"),
        "comparator": result.comparator or None,
        "unit": result.unit,
        "unit_is_ambiguous": result.unit_is_ambiguous,
        "reference_range": result.reference_range,
        "status": result.status,
        "is_withdrawn": result.is_withdrawn,
        "performed_at": result.performed_at,
        "reviewing_physician": result.reviewing_physician,
        "origin": _origin(result, files),
    }


def version(one: Version) -> Json:
    """One version of a record."""
    return {
        "kind": one.kind,
        "identifier": one.identifier,
        "said_at": one.said_at,
        "known_at": one.known_at,
        "file": one.file.key if one.file else None,
        "line": one.line,
        "is_late": one.is_late,
        "changes": [
            {"attribute": each.attribute, "before": each.before, "now": each.now}
            for each in one.changes
        ],
        "stated": one.stated,
    }


def rule(book: Rulebook) -> Json:
    """The rule in force, and the departments that have their own."""
    own = sorted(book.by_department.values(), key=lambda one: str(one.department))
    return {
        "threshold_hours": book.default.threshold_hours,
        "second_tier_hours": book.default.second_tier_hours,
        "departments": [
            {
                "department": str(one.department),
                "threshold_hours": one.threshold_hours,
                "second_tier_hours": one.second_tier_hours,
            }
            for one in own
        ],
    }


def counts(tally: Tally) -> Json:
    """How many stand how."""
    return {
        "open": tally.open,
        "due": tally.due,
        "beyond_second_tier": tally.beyond_second_tier,
        "cannot_know": tally.cannot_know,
        "not_due": tally.not_due,
    }


def department(name: str | None, tally: Tally, limits: Limits) -> Json:
    """One department, or those who are in none."""
    return {
        "key": NO_DEPARTMENT if name is None else name,
        "name": name,
        "open_admissions": tally.open,
        "due": tally.due,
        "beyond_second_tier": tally.beyond_second_tier,
        "cannot_know": tally.cannot_know,
        "threshold_hours": limits.threshold,
        "second_tier_hours": limits.second_tier,
    }


def feed(one: Freshness) -> Json:
    """One feed and how fresh it is."""
    return {
        "id": str(one.feed.pk),
        "feed": one.feed.layout,
        "source": one.feed.source,
        "system": one.feed.system,
        "freshness": one.freshness,
        "newest_source_time": one.newest_source_time,
        "silent_since": one.silent_since,
        "interval_minutes": round(one.interval.total_seconds() / 60),
    }


def feed_with_books(one: Freshness, books: FeedBooks) -> Json:
    """One feed, and what came of its files."""
    newest = books.newest
    return {
        **feed(one),
        "newest_file": newest
        and {
            "key": newest.key,
            "source_time": newest.source_time,
            "finished_at": newest.finished_at,
            "rows": newest.rows,
        },
        "files": {"ingested": books.ingested, "refused": books.refused},
        "rows": books.rows,
        "rejected": books.rejected,
        "waiting": books.waiting,
        "flaws": books.flaws,
    }


def feed_file(file: FeedFile) -> Json:
    """One file with its ledger."""
    return {
        "id": str(file.pk),
        "key": file.key,
        "source": file.source,
        "feed": file.feed.layout if file.feed else None,
        "status": file.status,
        "reason": file.reason or None,
        "found_by": file.found_by,
        "source_time": file.source_time,
        "received_at": file.received_at,
        "finished_at": file.finished_at,
        **file.ledger,
        "flaws": file.flaws,
    }


def doubt(one: Doubt) -> Json:
    """One thing that the board cannot vouch for."""
    return {
        "kind": one.kind,
        "department": one.department,
        "count": one.count,
        "feed": one.feed,
        "since": one.since,
    }
