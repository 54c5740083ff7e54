"""Steps are told and put on record, also over a connection that broke on the way."""

from __future__ import annotations

import pytest
from django.db import connection

from ops.choices import StepOutcome
from ops.models import DeploymentStep
from ops.services.procedure import Came, NotRun, Steps, Stopped
from tests.deploying.acts import quiet
from tests.deploying.test_faults import a_dead_one
from tests.ops.seals import empty_the_trail

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _emptied(transactional_db: None) -> object:
    yield
    empty_the_trail()


def on_record() -> list[tuple[str, str]]:
    return list(DeploymentStep.objects.order_by("pk").values_list("name", "outcome"))


def broken() -> str:
    """Work for so long that somebody between forgets the connection."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        (mine,) = cursor.fetchone()
    other = connection.copy()
    with other.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s, 5000)", [mine])
    other.close()
    return "It took long."


def test_what_was_done_before_there_was_a_record_is_put_there() -> None:
    told: list[Came] = []
    steps = Steps(quiet, told.append)
    steps.take("first", lambda: "Done.")
    steps.record_in(a_dead_one())

    def nothing() -> str:
        raise NotRun("Nothing to do.")

    steps.take("second", nothing)

    assert on_record()[1:] == [("first", "passed"), ("second", "not_run")]
    assert [(came.name, came.words) for came in told] == [
        ("first", "Done."), ("second", "Nothing to do."),
    ]  # fmt: skip


def test_a_step_that_fails_is_on_record_and_stops() -> None:
    steps = Steps(quiet, lambda _: None)
    steps.record_in(a_dead_one())

    with pytest.raises(Stopped) as stopped:
        steps.take("divide", lambda: str(1 // 0))

    assert stopped.value.words == "It stopped at an error that nobody foresaw: ZeroDivisionError."
    assert on_record()[1:] == [("divide", StepOutcome.FAILED)]


def test_a_connection_that_broke_on_the_way_costs_no_step() -> None:
    steps = Steps(quiet, lambda _: None)
    steps.record_in(a_dead_one())

    steps.take("functions", broken)
    steps.take("settle", lambda: str(DeploymentStep.objects.count()))

    assert on_record()[1:] == [("functions", "passed"), ("settle", "passed")]
