"""Patients: the list behind the board, one patient, and a patient's tests."""

from __future__ import annotations

import uuid
from datetime import date, datetime, time
from typing import TYPE_CHECKING, Any

from django.http.response import HttpResponseBase
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response

from alerts.queries.board import discharged_page, open_alerts_of, open_page, stays_of
from alerts.queries.past import known_at
from alerts.queries.standing import Vision, vision_at, vision_through
from api.conditional import moment_now, tagged, unchanged
from api.looks import note_list, note_patient
from api.pagination import cursor_to, position_at
from api.serializers import answers, record
from api.serializers.parameters import (
    PAGE_SIZE,
    HistoryQuery,
    KnownAt,
    LabTestsQuery,
    PatientSearch,
    PatientsQuery,
    asked,
    wanted_in,
)
from api.views.base import Operation
from ingestion.queries import (
    files_behind,
    history_of_patient,
    lab_tests_of,
    patient_by_key,
    shared_case_numbers,
    shared_test_ids,
)
from ingestion.queries.past import moment_asked, present
from ingestion.synthetic import Realm
from ops.replica import replayed_until, slightly_old

if TYPE_CHECKING:
    from ingestion.models import Patient


class PatientsView(Operation):
    """Patients by hours without a test, longest first."""

    @extend_schema(
        operation_id="patients_list", parameters=[PatientsQuery], responses=answers.PatientPage
    )
    def get(self, request: Request) -> HttpResponseBase:
        """List one item per admission."""
        wanted = asked(PatientsQuery, request.query_params)
        with known_at(wanted.get("known_at")):
            answer = self._answer(request, wanted)
        # Out there: what is written while the past is asked is taken back.
        if isinstance(answer, Response):
            note_list(request, wanted, answer.data)
        return answer

    def _answer(self, request: Request, wanted: dict[str, Any]) -> HttpResponseBase:
        moment = moment_now(self.realm)
        if (known := unchanged(request, moment)) is not None:
            return known
        vision = vision_through(moment.feeds, at=moment.at, realm=self.realm)
        return tagged(request, moment, _listed(vision, wanted))


class PatientsSearchView(Operation):
    """The same list, for questions that hold a name: those must not stand in an address."""

    @extend_schema(
        operation_id="patients_search_create",
        request=PatientSearch,
        responses={200: answers.PatientPage},
    )
    def post(self, request: Request) -> Response:
        """List one item per admission."""
        wanted = asked(PatientSearch, request.data)
        with known_at(wanted.get("known_at")):
            body = _listed(vision_at(present(), realm=self.realm), wanted)
        note_list(request, wanted, body)
        return Response(body)


def _listed(vision: Vision, wanted: dict[str, Any]) -> dict[str, Any]:
    kind = wanted.get("status", "open")
    pages = {"open": open_page, "discharged": discharged_page}
    page = pages[kind](
        vision,
        wanted_in(wanted),
        after=position_at(kind, wanted.get("cursor")),
        limit=wanted.get("page_size", PAGE_SIZE),
    )
    return {
        "as_of": vision.at,
        "known_at": moment_asked(),
        "next": cursor_to(kind, page.next),
        "results": [record.patient_item(stay, vision) for stay in page.stays],
    }


def _patient_at(address: dict[str, uuid.UUID], realm: Realm) -> Patient:
    if (patient := patient_by_key(address["id"], realm=realm)) is None:
        raise NotFound
    return patient


class PatientView(Operation):
    """One patient."""

    @extend_schema(
        operation_id="patients_retrieve", parameters=[KnownAt], responses=answers.PatientDetail
    )
    def get(self, request: Request, **address: uuid.UUID) -> Response:
        """Tell everything that is on record of a patient, tests aside."""
        at = asked(KnownAt, request.query_params).get("known_at")
        with known_at(at):
            answer = self._answer(address)
        note_patient(request, address["id"], "patient.opened", at)
        return answer

    def _answer(self, address: dict[str, uuid.UUID]) -> Response:
        patient = _patient_at(address, self.realm)
        vision = vision_at(present(), realm=self.realm)
        stays = stays_of(patient, vision)
        admissions = [stay.admission for stay in stays]
        body = record.patient_page(
            patient,
            stays,
            vision,
            alerts=open_alerts_of(patient),
            files=files_behind([patient, *admissions]),
            shared_case_numbers=shared_case_numbers([one.case_number for one in admissions]),
        )
        return Response(body)


class LabTestsView(Operation):
    """The tests of one patient."""

    @extend_schema(
        operation_id="patients_tests_list",
        parameters=[LabTestsQuery],
        responses=answers.LabTestPage,
    )
    def get(self, request: Request, **address: uuid.UUID) -> Response:
        """List tests with their results, newest first."""
        wanted = asked(LabTestsQuery, request.query_params)
        with known_at(wanted.get("known_at")):
            answer = self._answer(address, wanted)
        note_patient(request, address["id"], "patient.tests_listed", wanted.get("known_at"))
        return answer

    def _answer(self, address: dict[str, uuid.UUID], wanted: dict[str, Any]) -> Response:
        patient = _patient_at(address, self.realm)
        after = position_at("tests", wanted.get("cursor"))
        since = _start_of(wanted.get("from_date"))
        tests = list(lab_tests_of(patient, since=since, after=after)[: PAGE_SIZE + 1])
        shown = tests[:PAGE_SIZE]
        last = (shown[-1].ordered_at, shown[-1].pk) if len(tests) > PAGE_SIZE else None
        files, shared = files_behind(shown), shared_test_ids([one.test_id for one in shown])
        results = [record.lab_test(one, files, shared) for one in shown]
        return Response(
            {"known_at": moment_asked(), "next": cursor_to("tests", last), "results": results}
        )


class HistoryView(Operation):
    """Every version of one patient's records."""

    @extend_schema(
        operation_id="patients_history_list", parameters=[HistoryQuery], responses=answers.History
    )
    def get(self, request: Request, **address: uuid.UUID) -> Response:
        """List versions, the newest known first: what changed, and where and when it was told."""
        limit = asked(HistoryQuery, request.query_params).get("limit", PAGE_SIZE)
        body = slightly_old(lambda: self._answer(address, limit))
        # Out there: it writes.
        note_patient(request, address["id"], "patient.history_read")
        return Response(body)

    def _answer(self, address: dict[str, uuid.UUID], limit: int) -> dict[str, Any]:
        versions = history_of_patient(_patient_at(address, self.realm), limit=limit + 1)
        return {
            "as_of": replayed_until() or present(),
            "has_more": len(versions) > limit,
            "results": [record.version(one) for one in versions[:limit]],
        }


def _start_of(day: date | None) -> datetime | None:
    """Give the first instant of a day of the hospital."""
    return None if day is None else timezone.make_aware(datetime.combine(day, time.min))
