"""What Zappa leaves undone is done and asserted: each of its traps, on functions that moto holds.

Beside each trap of Zappa stands here the test that shows it closed (docs/deploying.md has the
table).
"""

from __future__ import annotations

import io
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder

from ops.errors import NotSettled
from ops.services.deploying import alone
from ops.services.settling import Assertion, require_settled, settle
from tests.deploying.acts import deployed
from tests.deploying.places import FRONTEND, Place
from tests.ingestion.clouds import REGION

QUEUE = f"arn:aws:sqs:{REGION}:123456789012:vigil-dev"


def found(place: Place) -> dict[str, Assertion]:
    """Settle the stage; gives each assertion by its name."""
    return {each.name: each for each in settle(place.handed)}


def wrong(place: Place) -> dict[str, str]:
    """Settle the stage; gives the words of what does not hold."""
    return {name: each.words for name, each in found(place).items() if not each.holds}


def mapping_of(place: Place, function: str, queue: str) -> dict[str, Any]:
    """Give the mapping that feeds a function from a queue."""
    told = place.functions.list_event_source_mappings(FunctionName=function)
    (mapping,) = [
        each for each in told["EventSourceMappings"] if each["EventSourceArn"] == f"{QUEUE}-{queue}"
    ]
    return dict(mapping)


def test_a_settled_stage_has_nothing_left_to_do(place: Place) -> None:
    deployed(place)

    words = " ".join(each.words for each in found(place).values())

    assert wrong(place) == {}
    assert "(set)" not in words
    assert "made" not in words


def test_failures_are_told_message_by_message_from_the_first_deployment_on(place: Place) -> None:
    deployed(place)

    for function, queue in (("ingestion", "notices"), ("alerts", "tasks"), ("alerts", "keeping")):
        mapping = mapping_of(place, f"vigil-dev-{function}", queue)
        assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]


def test_no_queue_hands_out_more_than_its_function_may_run(place: Place) -> None:
    deployed(place)

    most = [
        mapping_of(place, f"vigil-dev-{function}", queue)["ScalingConfig"]["MaximumConcurrency"]
        for function, queue in (("ingestion", "notices"), ("alerts", "tasks"))
    ]

    assert most == [2, 2]


def test_a_mapping_that_would_delete_failed_messages_is_mended(place: Place) -> None:
    deployed(place)
    mapping = mapping_of(place, "vigil-dev-ingestion", "notices")
    place.functions.delete_event_source_mapping(UUID=mapping["UUID"])
    place.functions.create_event_source_mapping(
        FunctionName="vigil-dev-ingestion", EventSourceArn=f"{QUEUE}-notices", BatchSize=10
    )

    told = found(place)["vigil-dev-ingestion: queues"]

    assert (told.holds, "mended" in told.words) == (True, True)
    mended = mapping_of(place, "vigil-dev-ingestion", "notices")
    assert mended["FunctionResponseTypes"] == ["ReportBatchItemFailures"]


def test_a_function_that_is_fed_from_elsewhere_is_named(place: Place) -> None:
    deployed(place)
    place.functions.create_event_source_mapping(
        FunctionName="vigil-dev-ingestion", EventSourceArn=f"{QUEUE}-long", BatchSize=10
    )

    assert wrong(place) == {
        "vigil-dev-ingestion: queues": "it is also fed from vigil-dev-long: remove that mapping"
    }


@pytest.mark.parametrize("caller", ["sns.amazonaws.com", "s3.amazonaws.com"])
def test_a_topic_or_bucket_that_may_call_a_function_is_found(place: Place, caller: str) -> None:
    deployed(place)
    place.functions.add_permission(
        FunctionName="vigil-dev-alerts", StatementId="strange", Action="lambda:InvokeFunction",
        Principal=caller,
    )  # fmt: skip

    assert wrong(place) == {
        "vigil-dev-alerts: callers": f"may be called by {caller}: remove that permission"
    }


def test_variables_that_the_settings_no_longer_name_are_removed(place: Place) -> None:
    deployed(place)
    place.functions.update_function_configuration(
        FunctionName="vigil-dev", Environment={"Variables": {"HOSPITAL_DEMO": "1"}}
    )

    told = found(place)["vigil-dev: variables"]

    assert told.words == "set anew; no longer there: HOSPITAL_DEMO"
    is_now = place.functions.get_function_configuration(FunctionName="vigil-dev")
    assert is_now.get("Environment", {}).get("Variables", {}) == {}


def test_failed_ticks_of_the_clock_are_put_aside_also_where_an_update_lost_it(
    place: Place,
) -> None:
    deployed(place)
    place.functions.delete_function_event_invoke_config(FunctionName="vigil-dev-alerts")

    found(place)

    is_now = place.functions.get_function_event_invoke_config(FunctionName="vigil-dev-alerts")
    assert is_now["DestinationConfig"]["OnFailure"] == {"Destination": f"{QUEUE}-tasks-dead"}


def test_functions_that_run_different_code_are_found(place: Place) -> None:
    deployed(place)
    place.write("two")
    place.zappa_does("half")
    with pytest.raises(Exception, match="It failed at functions"):
        deployed(place)
    other = place.s3.list_objects_v2(Bucket="vigil-releases", Prefix="packages/")["Contents"]
    runs = place.functions.get_function_configuration(FunctionName="vigil-dev")["CodeSha256"]
    for each in other:
        place.functions.update_function_code(
            FunctionName="vigil-dev", S3Bucket="vigil-releases", S3Key=each["Key"], Publish=True
        )
        is_now = place.functions.get_function_configuration(FunctionName="vigil-dev")
        if is_now["CodeSha256"] != runs:
            break

    assert "the functions run different code" in wrong(place)["one package"]


def test_a_function_that_is_not_there_is_named_with_the_command_that_makes_it(
    place: Place,
) -> None:
    deployed(place)
    place.functions.delete_function(FunctionName="vigil-dev-ingestion")

    assert wrong(place)["vigil-dev-ingestion"] == "there is none: `zappa update dev`"


def test_a_configuration_that_zappa_left_as_it_was_is_named(place: Place) -> None:
    deployed(place)
    place.functions.update_function_configuration(FunctionName="vigil-dev", Timeout=3)

    assert wrong(place) == {"vigil-dev: configuration": "time-out is 3, not 30"}


def test_a_clock_that_does_not_call_is_found(place: Place) -> None:
    deployed(place)
    place.clock("vigil-dev-alerts", "rate(1 minute)")

    assert wrong(place) == {
        "vigil-dev-alerts: clock": "called at no time, not at ['rate(1 minute)']"
    }


def test_whatever_does_not_hold_makes_the_command_fail(place: Place) -> None:
    deployed(place)
    place.functions.update_function_configuration(FunctionName="vigil-dev", Timeout=3)
    said = io.StringIO()

    with pytest.raises(CommandError, match="time-out is 3, not 30") as failed:
        call_command("afterdeploy", "dev", stdout=said)

    assert failed.value.returncode == 3
    assert "FAILS  vigil-dev: configuration: time-out is 3, not 30" in said.getvalue()


def test_nothing_is_called_settled_that_is_not(place: Place) -> None:
    deployed(place)
    place.functions.update_function_configuration(FunctionName="vigil-dev", Timeout=3)

    with pytest.raises(NotSettled) as raised:
        require_settled(settle(place.handed))

    assert raised.value.failed == ["vigil-dev: configuration: time-out is 3, not 30"]


def test_static_files_that_the_code_names_and_the_bucket_has_not_are_found(place: Place) -> None:
    deployed(place)
    place.write("two")

    words = wrong(place)

    assert list(words) == ["static files"]
    assert "3 that the code names are not in the bucket" in words["static files"]
    assert "`manage.py beforedeploy dev` adds them" in words["static files"]


def test_before_zappa_as_typed_the_static_files_are_added(place: Place) -> None:
    deployed(place)
    place.write("two")
    said = io.StringIO()

    call_command("beforedeploy", "dev", stdout=said)

    assert place.served("app/assets/index-two.js") == b"board('two')"
    assert place.served("app/assets/index-one.js") == b"board('one')"
    assert place.served("app/vigil.svg") == b"<svg>one</svg>"
    assert " static files added; the database has all migrations." in said.getvalue()
    assert wrong(place) == {}


def test_code_without_its_migrations_is_refused_before_anything_is_added(place: Place) -> None:
    deployed(place)
    place.write("two")
    before = place.keys(FRONTEND)
    recorder = MigrationRecorder(connection)
    name = recorder.migration_qs.filter(app="ops").latest("name").name
    recorder.record_unapplied("ops", name)

    try:
        with pytest.raises(CommandError, match=r"manage\.py deploy dev` brings both") as refused:
            call_command("beforedeploy", "dev")
    finally:
        recorder.record_applied("ops", name)

    assert (refused.value.returncode, name in str(refused.value)) == (2, True)
    assert place.keys(FRONTEND) == before


@pytest.mark.parametrize("more", [[], ["--back"]])
def test_while_somebody_deploys_zappa_as_typed_is_refused(place: Place, more: list[str]) -> None:
    deployed(place)
    place.write("two")
    before = place.keys(FRONTEND)

    with (
        alone("development"),
        pytest.raises(CommandError, match="is running already") as refused,
    ):
        call_command("beforedeploy", "dev", *more)

    assert refused.value.returncode == 2
    assert place.keys(FRONTEND) == before


def test_going_back_asks_for_nothing_else(place: Place) -> None:
    deployed(place)
    place.write("two")
    before = place.keys(FRONTEND)

    call_command("beforedeploy", "dev", "--back")

    assert place.keys(FRONTEND) == before
