"""Alerts that have ended may go after ten years, if the hospital says so; an open one never."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
import time_machine
from django.test import override_settings
from django.utils import timezone

from alerts.models import Alert
from alerts.services.evaluation import evaluate
from ingestion.models import Admission, Patient
from ingestion.services.books import books
from ops.choices import HoldScope
from ops.registry import RetentionKind, retention_kinds
from ops.services.holding import place_hold
from ops.services.retention import Line, apply, report
from tests.alerts.test_evaluation import a_living_lab
from tests.deliveries import NOON, admission, deliver, patient, released

TEN_YEARS = timedelta(days=3653)
SECOND = timedelta(seconds=1)


@pytest.fixture(autouse=True)
def ten_years(at_noon: time_machine.Traveller) -> Iterator[None]:
    """A hospital that keeps ended alerts for ten years."""
    with override_settings(RETENTION_DAYS={"alerts.resolved": 3653}):
        yield


def kinds() -> list[RetentionKind]:
    return [one for one in retention_kinds() if one.name == "alerts.resolved"]


def told() -> Line:
    return report(kinds(), now=timezone.now())[0]


def remove() -> int:
    return apply(kinds(), by="olga", why="Nightly.", now=timezone.now()).gone


def alerts() -> list[tuple[str, str]]:
    found = Alert.objects.select_related("admission").order_by("pk")
    return [(one.admission.case_number, one.status) for one in found]


def stays(*numbers: str) -> None:
    """Let patients lie in a bed without a test until an alert is raised for each."""
    a_living_lab()
    for number in numbers:
        deliver(patient(number), at=NOON)
        deliver(admission(f"C{number}", number, hours=60))
    evaluate()


def discharge(number: str) -> None:
    deliver(admission(f"C{number}", number, hours=60) | released(0), at=NOON + SECOND)
    evaluate()


def test_an_alert_goes_a_second_after_ten_years_and_its_patient_stays(
    at_noon: time_machine.Traveller,
) -> None:
    stays("1")
    discharge("1")
    assert alerts() == [("C1", "resolved")]
    closed = books()

    at_noon.move_to(NOON + TEN_YEARS, tick=False)
    assert (told().over, remove()) == (0, 0)
    at_noon.move_to(NOON + TEN_YEARS + SECOND, tick=False)
    assert (told().over, remove()) == (1, 1)

    assert (alerts(), books(), closed["balanced"]) == ([], closed, True)
    assert (Patient.objects.count(), Admission.objects.count()) == (1, 1)


def test_an_open_alert_and_every_alert_of_a_patient_in_a_bed_stay(
    at_noon: time_machine.Traveller,
) -> None:
    stays("1", "2", "3")
    discharge("1")
    discharge("2")
    # Patient 2 is here again, under another case number.
    deliver(admission("C2-again", "2", hours=1), at=NOON + SECOND)
    at_noon.move_to(NOON + 2 * TEN_YEARS, tick=False)

    assert (told().count, told().over, remove()) == (2, 1, 1)

    assert alerts() == [("C2", "resolved"), ("C3", "open")]
    assert Admission.objects.filter(released_at__isnull=True).count() == 2


def test_by_default_every_alert_stays(at_noon: time_machine.Traveller) -> None:
    stays("1")
    discharge("1")
    at_noon.move_to(NOON + 4 * TEN_YEARS, tick=False)

    with override_settings(RETENTION_DAYS={}):
        assert (told().days, remove()) == (None, 0)

    assert alerts() == [("C1", "resolved")]


def test_a_hold_on_a_patient_keeps_their_alerts_alone(at_noon: time_machine.Traveller) -> None:
    stays("1", "2")
    discharge("1")
    discharge("2")
    held = Patient.objects.get(patient_id="1").pk
    hold = place_hold(HoldScope.PATIENT, by="sophie", why="A court asks.", patient=held)
    at_noon.move_to(NOON + 2 * TEN_YEARS, tick=False)

    line = told()
    assert (line.over, line.held, line.holds) == (2, 1, [{"hold": hold.pk, "count": 1}])
    assert (remove(), alerts()) == (1, [("C1", "resolved")])
