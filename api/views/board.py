"""What stands around the list of patients: counts, feeds, and what cannot be vouched for."""

from __future__ import annotations

from django.conf import settings
from django.http.response import HttpResponseBase
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from alerts.queries.board import Tally, tallies
from alerts.queries.past import known_at
from alerts.queries.standing import vision_through
from api.conditional import moment_now, tagged, unchanged
from api.serializers import answers, record
from api.serializers.parameters import BoardQuery, KnownAt, asked, departments_in
from api.views.base import Operation
from ingestion.queries import department_names, doubts_at


class BoardView(Operation):
    """The board of some departments, or of all."""

    @extend_schema(operation_id="board_retrieve", parameters=[BoardQuery], responses=answers.Board)
    def get(self, request: Request) -> HttpResponseBase:
        """Say how everybody stands, by which rule, and how sure that is."""
        question = asked(BoardQuery, request.query_params)
        with known_at(question.get("known_at")):
            return self._answer(request, departments_in(question.get("department")))

    def _answer(self, request: Request, wanted: frozenset[str | None]) -> HttpResponseBase:
        moment = moment_now(self.realm)
        if (known := unchanged(request, moment)) is not None:
            return known
        vision = vision_through(moment.feeds, at=moment.at, realm=self.realm)
        counted = tallies(vision)
        # What cannot be told of a department may concern each of them.
        doubts = [
            one
            for one in doubts_at(moment.at, feeds=moment.feeds, realm=self.realm)
            if not wanted or one.department in {None, *wanted}
        ]
        body = {
            "as_of": moment.at,
            "known_at": moment.known_at,
            "time_zone": settings.TIME_ZONE,
            "rule": record.rule(vision.rulebook),
            "counts": record.counts(
                sum((t for name, t in counted.items() if not wanted or name in wanted), Tally())
            ),
            "cannot_know_since": vision.cannot_know_since,
            "feeds": [record.feed(one) for one in moment.feeds],
            "doubts": [record.doubt(one) for one in doubts],
        }
        return tagged(request, moment, body)


class DepartmentsView(Operation):
    """The departments and how each of them stands."""

    @extend_schema(
        operation_id="departments_list", parameters=[KnownAt], responses=answers.DepartmentPage
    )
    def get(self, request: Request) -> Response:
        """List every department by name, and at the end those who are in none, if there are any."""
        with known_at(asked(KnownAt, request.query_params).get("known_at")):
            return self._answer()

    def _answer(self) -> Response:
        moment = moment_now(self.realm)
        vision = vision_through(moment.feeds, at=moment.at, realm=self.realm)
        counted = tallies(vision)
        names: list[str | None] = [
            *department_names(self.realm),
            *([None] if None in counted else []),
        ]
        limits = vision.rulebook.limits_by_name
        results = [
            record.department(name, counted.get(name, Tally()), limits(name)) for name in names
        ]
        return Response({"as_of": moment.at, "known_at": moment.known_at, "results": results})
