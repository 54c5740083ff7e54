"""What the board shows: pages of admissions as they stand, and how many stand how.

Reads only, through the one definition of alerts.queries.standing.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count, F, Q, QuerySet

from alerts.choices import AlertStatus, Standing
from alerts.conditions import Judgement, Limits
from alerts.models import Alert
from alerts.queries.standing import Vision, instant_beyond, open_admissions, standing_admissions
from ingestion.models import Admission, LabTest, Patient
from ingestion.queries.realms import patients_of

# Where a page ends: the last admission's `quiet` (of a discharged one: its release) and key.
Position = tuple[datetime, int]


@dataclass(frozen=True)
class Wanted:
    """Which admissions somebody asks to see; what is empty leaves nobody out.

    `departments` holds names, and None for admissions without one. Each of `words` must be found
    in the room, the name, the patient's number or the case number, whatever its case.
    """

    departments: frozenset[str | None] = frozenset()
    states: frozenset[Standing] = frozenset()
    at_least_hours: float | None = None
    words: tuple[str, ...] = ()


@dataclass(frozen=True)
class Stay:
    """One admission of a known patient, as it stands. `judgement` is None once discharged."""

    admission: Admission
    patient: Patient
    quiet_since: datetime
    last_test_at: datetime | None
    last_test_name: str | None
    limits: Limits
    judgement: Judgement | None


@dataclass(frozen=True)
class Page:
    """Some stays in their order, and where the next page begins, if there is one."""

    stays: list[Stay]
    next: Position | None


@dataclass(frozen=True)
class Tally:
    """How many open admissions stand how."""

    open: int = 0
    due: int = 0
    beyond_second_tier: int = 0
    cannot_know: int = 0

    @property
    def not_due(self) -> int:
        """Count those whose hours are within their threshold."""
        return self.open - self.due - self.cannot_know

    def __add__(self, other: Tally) -> Tally:
        return Tally(
            self.open + other.open,
            self.due + other.due,
            self.beyond_second_tier + other.beyond_second_tier,
            self.cannot_know + other.cannot_know,
        )


def open_page(vision: Vision, wanted: Wanted, *, after: Position | None, limit: int) -> Page:
    """Open admissions by hours without a test, longest first.

    Two halves, so that the first can walk the index instead of sorting every open admission:
    where nothing is dated after the instant, what is kept is what is computed.
    """
    standing: QuerySet[Any] = standing_admissions(vision)
    kept: QuerySet[Any] = open_admissions(vision.realm).annotate(
        quiet=F("quiet_since"), due_before=instant_beyond(vision, "threshold_hours")
    )
    halves = (kept.filter(quiet_since__lte=vision.at), standing.filter(quiet_since__gt=vision.at))
    some, others = (
        half.filter(_is_wanted(vision, wanted), _is_after(after, "quiet"))
        .order_by("quiet", "pk")
        .values_list("pk", "quiet")[: limit + 1]
        for half in halves
    )
    places = list(some.union(others, all=True).order_by("quiet", "pk")[: limit + 1])
    keys = [key for key, _ in places[:limit]]
    # Read once more with all its columns, and judged anew: who was discharged in between is gone.
    found = _whole(standing.filter(pk__in=keys)).order_by("quiet", "pk")
    return Page(_open_stays(found, vision), _end(places, limit))


def discharged_page(vision: Vision, wanted: Wanted, *, after: Position | None, limit: int) -> Page:
    """Discharged admissions, latest release first. Nothing is due on any of them."""
    if wanted.states and Standing.NOT_DUE not in wanted.states:
        return Page([], None)
    released = Admission.objects.filter(
        patients_of(vision.realm), released_at__isnull=False, patient__isnull=False
    )
    found = list(
        _whole(released)
        .annotate(quiet=F("quiet_since"))
        .filter(_is_wanted(vision, wanted, is_open=False))
        .filter(_is_after(after, "released_at", is_descending=True))
        .order_by("-released_at", "-pk")[: limit + 1]
    )
    places = [(one.pk, one.released_at) for one in found]
    return Page([_closed_stay(one, vision) for one in found[:limit]], _end(places, limit))


def stays_of(patient: Patient, vision: Vision) -> list[Stay]:
    """Every admission of a patient as it stands, newest first."""
    stays = {
        one.pk: _closed_stay(one, vision)
        for one in _whole(Admission.objects.filter(patient=patient))
    }
    # Over what was read first: an admission that changes in between is told once, and never lost.
    for stay in _open_stays(_whole(standing_admissions(vision).filter(patient=patient)), vision):
        stays[stay.admission.pk] = stay
    newest_first = sorted(stays.values(), key=lambda stay: stay.admission.pk, reverse=True)
    return sorted(newest_first, key=lambda stay: stay.admission.admitted_at, reverse=True)


def open_alerts_of(patient: Patient) -> dict[int, Alert]:
    """Give the open alerts of a patient by the key of their admission."""
    alerts = Alert.objects.filter(admission__patient=patient).exclude(status=AlertStatus.RESOLVED)
    return {alert.admission_id: alert for alert in alerts}


def tallies(vision: Vision) -> dict[str | None, Tally]:
    """Count the open admissions by the name of their department, None for those without one."""
    rows = (
        standing_admissions(vision)
        .annotate(second_before=instant_beyond(vision, "second_tier_hours"))
        .values("department__name")
        .annotate(
            open=Count("pk"),
            beyond=Count("pk", filter=Q(quiet__lt=F("due_before"))),
            second=Count("pk", filter=Q(quiet__lt=F("second_before"))),
        )
        .values_list("department__name", "open", "beyond", "second")
    )
    if vision.is_blind:
        return {name: Tally(count, cannot_know=beyond) for name, count, beyond, _ in rows}
    return {name: Tally(count, beyond, second) for name, count, beyond, second in rows}


def _is_wanted(vision: Vision, wanted: Wanted, *, is_open: bool = True) -> Q:
    condition = Q()
    if wanted.departments:
        named = [name for name in wanted.departments if name is not None]
        none = Q(department__isnull=True) if None in wanted.departments else Q(pk__in=[])
        condition &= Q(department__name__in=named) | none
    if wanted.at_least_hours is not None:
        condition &= Q(quiet__lte=vision.at - timedelta(hours=wanted.at_least_hours))
    if is_open and wanted.states:
        condition &= _stands(vision, wanted.states)
    for word in wanted.words:
        condition &= _mentions(word)
    return condition


def _stands(vision: Vision, states: Collection[Standing]) -> Q:
    """Beyond the threshold an admission is either due or unknown, as the feeds are; never both."""
    beyond = (Standing.CANNOT_KNOW if vision.is_blind else Standing.DUE) in states
    within = Standing.NOT_DUE in states
    if beyond and within:
        return Q()
    if beyond:
        # The second condition says nothing new; with it the index ends the search early.
        return Q(quiet__lt=F("due_before")) & Q(quiet__lt=_latest_due(vision))
    return Q(quiet__gte=F("due_before")) if within else Q(pk__in=[])


def _latest_due(vision: Vision) -> datetime:
    rules = [vision.rulebook.default, *vision.rulebook.by_department.values()]
    return vision.at - timedelta(hours=min(rule.threshold_hours for rule in rules))


def _mentions(word: str) -> Q:
    return (
        Q(room__icontains=word)
        | Q(case_number__icontains=word)
        | Q(patient__patient_id__icontains=word)
        | Q(patient__last_name__icontains=word)
        | Q(patient__first_name__icontains=word)
    )


def _is_after(after: Position | None, name: str, *, is_descending: bool = False) -> Q:
    if after is None:
        return Q()
    moment, key = after
    way = "lt" if is_descending else "gt"
    return Q(**{f"{name}__{way}e": moment}) & (
        Q(**{f"{name}__{way}": moment}) | Q(**{f"pk__{way}": key})
    )


def _end(places: list[tuple[int, datetime]], limit: int) -> Position | None:
    return (places[limit - 1][1], places[limit - 1][0]) if len(places) > limit else None


def _whole(admissions: QuerySet[Any]) -> QuerySet[Any]:
    """With patient and department, without the bookkeeping that no screen shows."""
    return admissions.select_related("patient", "department").defer(
        "extra", "statements", "patient__extra", "patient__statements"
    )


def _open_stays(admissions: Iterable[Admission], vision: Vision) -> list[Stay]:
    found = [(one, _patient_of(one)) for one in admissions]
    names = _earlier_names(found)
    return [
        Stay(
            admission=one,
            patient=patient,
            quiet_since=one.quiet,  # type: ignore[attr-defined]
            last_test_at=one.last_test,  # type: ignore[attr-defined]
            last_test_name=names.get(patient.pk, patient.last_test_name),
            limits=vision.rulebook.limits_for(one.department_id),
            judgement=vision.judge(one.quiet, one.department_id),  # type: ignore[attr-defined]
        )
        for one, patient in found
    ]


def _earlier_names(found: list[tuple[Admission, Patient]]) -> dict[uuid.UUID, str | None]:
    """Name the last tests that are not the kept ones: the kept ones are dated after the instant."""
    wanted = {
        patient.pk: one.last_test  # type: ignore[attr-defined]
        for one, patient in found
        if one.last_test != patient.last_test_at  # type: ignore[attr-defined]
    }
    if not wanted:
        return {}
    times = [at for at in wanted.values() if at is not None]
    tests = LabTest.objects.filter(patient__in=wanted, is_cancelled=False).filter(
        Q(ordered_at__in=times) | Q(results__performed_at__in=times)
    )
    rows = tests.values_list("patient_id", "ordered_at", "results__performed_at", "name")
    names = {patient: name for patient, *at, name in rows if wanted[patient] in at}
    return {patient: names.get(patient) for patient in wanted}


def _closed_stay(one: Admission, vision: Vision) -> Stay:
    patient = _patient_of(one)
    limits = vision.rulebook.limits_for(one.department_id)
    return Stay(
        one,
        patient,
        one.quiet_since,
        patient.last_test_at,
        patient.last_test_name,
        limits,
        judgement=None,
    )


def _patient_of(admission: Admission) -> Patient:
    assert admission.patient is not None, "only admissions of known patients are shown"
    return admission.patient
