"""What a stage on AWS tells of itself: how often calls fail, and whether its alarms are armed."""

from __future__ import annotations

from io import StringIO

import boto3
import pytest
from django.core.management import CommandError, call_command

from ops.checklists import add_items_of_aws, item_of
from ops.choices import Moment
from ops.evidence import NOT_RUN
from tests.deploying.places import Place
from tests.deploying.test_rolling_back import calls
from tests.ops.checks import item, items


@pytest.fixture(autouse=True)
def _on_dev(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOSPITAL_AWS_STAGE", "dev")


def said(*words: str) -> str:
    out = StringIO()
    call_command(*words, stdout=out)
    return out.getvalue()


def test_calls_that_seldom_fail_are_well(place: Place) -> None:
    calls(place, "api", count=200, failed=1)

    words = said("errorrate")

    assert "1 of 200 at vigil-dev," in words
    assert words.endswith("at most 1 %.\n")


def test_one_function_that_fails_is_not_drowned_in_the_others(place: Place) -> None:
    calls(place, "api", count=10_000, failed=0)
    calls(place, "ingestion", count=50, failed=25)

    with pytest.raises(CommandError, match="25 of 50 at vigil-dev-ingestion") as failed:
        said("errorrate")

    assert failed.value.returncode == 1


def test_of_few_calls_nothing_is_said(place: Place) -> None:
    calls(place, "api", count=19, failed=18)

    with pytest.raises(CommandError, match="fewer than 20 say nothing") as failed:
        said("errorrate")

    assert failed.value.returncode == NOT_RUN


def test_of_few_calls_each_failing_is_told(place: Place) -> None:
    calls(place, "api", count=200, failed=0)
    calls(place, "alerts", count=5, failed=5)

    with pytest.raises(CommandError, match="5 of 5 at vigil-dev-alerts: more than 1 %") as failed:
        said("errorrate")

    assert failed.value.returncode == 1


def test_alarms_that_tell_the_topic_are_armed_and_one_that_tells_nobody_is_not(
    place: Place,
) -> None:
    armed = said("alarms")
    boto3.client("cloudwatch").disable_alarm_actions(AlarmNames=["vigil-dev-api-errors"])

    assert armed.startswith("1 of 1 alarms of dev are armed and tell arn:aws:sns:")
    with pytest.raises(CommandError, match="0 of 1 alarms of dev are armed") as failed:
        said("alarms")
    assert failed.value.returncode == 1


def test_elsewhere_alarms_are_not_judged(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HOSPITAL_AWS_STAGE")

    with pytest.raises(CommandError) as failed:
        said("alarms")

    assert failed.value.returncode == NOT_RUN


def test_on_aws_a_command_decides_whether_alarms_are_armed() -> None:
    with items(item("monitoring", Moment.DURING)):
        add_items_of_aws()
        found = item_of(Moment.DURING, "monitoring")

    assert found is not None
    assert str(found.command) == "manage.py alarms"
