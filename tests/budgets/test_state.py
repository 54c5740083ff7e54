"""How many questions the pages about the place ask, however much there is to tell."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from ops.choices import Health
from ops.models import ProbeDay, ProbeSample
from ops.public import kept_status
from ops.registry import probes
from ops.services.incidents import open_incident
from tests.deliveries import NOON

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("at_noon")]

# Raise a figure only with a reason in the commit. Each tile that is put on the landing page costs
# what it asks, and two for its transaction (here a savepoint); the probes' tiles cost two in all.
BUDGETS = {"/status": 8, "/admin/": 10, "/admin/ops/state/": 6}


@pytest.fixture(autouse=True)
def made_anew() -> Iterator[None]:
    kept_status.forget()
    yield
    kept_status.forget()


def much_to_tell(days: int) -> None:
    for probe in probes():
        ProbeSample.objects.bulk_create(
            ProbeSample(component=probe.name, at=NOON - timedelta(minutes=n), health=Health.WELL)
            for n in range(2 * days)
        )
        ProbeDay.objects.bulk_create(
            ProbeDay(
                component=probe.name,
                day=NOON.date() - timedelta(days=n + 1),
                well=1,
                degraded=0,
                down=0,
                unknown=0,
            )
            for n in range(days)
        )
    for number in range(days):
        open_incident(component="queue", title=f"{number}", words="Words.", is_public=True)


@pytest.mark.parametrize("address", BUDGETS)
def test_a_page_about_the_place_keeps_its_budget(operator: Client, address: str) -> None:
    operator.get("/admin/")  # the first use of a session is written
    asked = []
    for days in (1, 40):
        much_to_tell(days)
        kept_status.forget()
        with CaptureQueriesContext(connection) as captured:
            assert operator.get(address).status_code == 200
        asked.append(len(captured))
        ProbeSample.objects.all().delete()
        ProbeDay.objects.all().delete()
    assert asked == [BUDGETS[address]] * 2
