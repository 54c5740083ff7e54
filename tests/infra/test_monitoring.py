"""Monitoring: alarms and dashboards speak of what there is, by the names that it has."""

from __future__ import annotations

import functools
import json
import re
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from ops import metrics
from ops.aws.handover import QUEUES, STAGES, function_names
from tests.infra.templates import PROJECT, TOOLS

FILE = PROJECT / "infra" / "cloudformation" / "monitoring.yaml"
FACTS = {
    "Stage": "production",
    "ApplicationStage": "production",
    "Api": "a1b2c3",
    "DatabaseInstance": "vigil-production",
    "AWS::Region": "eu-central-1",
    "AWS::AccountId": "111122223333",
    "AWS::Partition": "aws",
}
# Where the components are asked, and their figures named.
PROBES = (
    "ops/probes.py", "ops/safekeeping.py", "ingestion/probes.py", "ingestion/services/books.py",
    "alerts/probes.py",
)  # fmt: skip


class _Loader(yaml.SafeLoader):
    """Reads CloudFormation's short forms: `!Sub` is written out, the rest keeps its name."""


def _short_form(loader: _Loader, suffix: str, node: yaml.Node) -> Any:
    value: Any
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        assert isinstance(node, yaml.MappingNode)
        value = loader.construct_mapping(node, deep=True)
    if suffix == "Sub":
        return re.sub(r"\$\{([^}]+)\}", lambda found: FACTS[found[1]], str(value))
    if suffix == "Ref":
        return FACTS.get(value, value)
    return {suffix: value}


_Loader.add_multi_constructor("!", _short_form)


@functools.cache
def template() -> dict[str, Any]:
    read: dict[str, Any] = yaml.load(FILE.read_text(), _Loader)
    return read


def resources(kind: str) -> dict[str, dict[str, Any]]:
    return {
        name: each["Properties"]
        for name, each in template()["Resources"].items()
        if each["Type"] == kind
    }


def alarms() -> dict[str, dict[str, Any]]:
    return {each["AlarmName"]: each for each in resources("AWS::CloudWatch::Alarm").values()}


def dimensions(alarm: dict[str, Any]) -> dict[str, str]:
    return {each["Name"]: each["Value"] for each in alarm["Dimensions"]}


def shown() -> list[list[Any]]:
    """Every metric of every dashboard, as AWS's list of words."""
    return [
        metric
        for board in resources("AWS::CloudWatch::Dashboard").values()
        for widget in json.loads(board["DashboardBody"])["widgets"]
        for metric in widget["properties"]["metrics"]
    ]


def emitted() -> set[str]:
    """The names of figures that the probes give."""
    text = "\n".join((PROJECT / path).read_text() for path in PROBES)
    told = set(re.findall(r'"([a-z]+(?:_[a-z]+)+)(?::\{|")', text))
    told |= {f"{what}_age_seconds" for what in re.findall(r'_seconds\("(\w+)"', text)}
    return told | {f"feeds_{name}" for name in ("late", "silent", "catching_up")}


# --- Alarms --------------------------------------------------------------------------------


@pytest.mark.parametrize("what", ["api", "ingestion", "alerts"])
def test_more_than_five_errors_of_a_function_in_five_minutes_are_told(what: str) -> None:
    alarm = alarms()[f"vigil-production-{what}-errors"]
    assert (alarm["Namespace"], alarm["MetricName"], alarm["Statistic"]) == (
        "AWS/Lambda", "Errors", "Sum",
    )  # fmt: skip
    assert (alarm["Period"], alarm["EvaluationPeriods"]) == (300, 1)
    assert (alarm["ComparisonOperator"], alarm["Threshold"]) == ("GreaterThanThreshold", 5)
    assert dimensions(alarm) == {"FunctionName": function_names("production")[what]}


@pytest.mark.parametrize("what", ["api", "ingestion", "alerts"])
def test_a_function_that_aws_refuses_to_run_is_told_of(what: str) -> None:
    alarm = alarms()[f"vigil-production-{what}-throttles"]
    assert (alarm["MetricName"], alarm["Threshold"]) == ("Throttles", 0)
    assert dimensions(alarm) == {"FunctionName": function_names("production")[what]}


@pytest.mark.parametrize("queue", QUEUES)
def test_a_single_message_that_was_given_up_is_told_of(queue: str) -> None:
    alarm = alarms()[f"vigil-production-{queue}-dead"]
    assert (alarm["MetricName"], alarm["Statistic"], alarm["Period"]) == (
        "ApproximateNumberOfMessagesVisible", "Maximum", 60,
    )  # fmt: skip
    assert (alarm["ComparisonOperator"], alarm["Threshold"]) == ("GreaterThanThreshold", 0)
    assert dimensions(alarm) == {"QueueName": f"vigil-production-{queue}-dead"}


@pytest.mark.parametrize(
    ("queue", "seconds"), [("notices", 300), ("tasks", 600), ("keeping", 3600), ("long", 21600)]
)
def test_a_queue_in_which_something_waits_too_long_is_told_of(queue: str, seconds: int) -> None:
    alarm = alarms()[f"vigil-production-{queue}-age"]
    assert (alarm["MetricName"], alarm["Threshold"]) == (
        "ApproximateAgeOfOldestMessage", seconds,
    )  # fmt: skip
    assert dimensions(alarm) == {"QueueName": f"vigil-production-{queue}"}


def test_a_place_that_says_nothing_of_itself_is_taken_for_dead() -> None:
    silent = {name for name, each in alarms().items() if each["TreatMissingData"] == "breaching"}
    assert silent == {
        "vigil-production-heartbeat",
        "vigil-production-evaluation-age",
        "vigil-production-database-storage",
        "vigil-production-replica-lag",
    }
    heartbeat = alarms()["vigil-production-heartbeat"]
    assert (heartbeat["Period"], heartbeat["EvaluationPeriods"]) == (60, 5)
    assert heartbeat["Namespace"] == "Vigil"


def test_there_are_alarms_for_api_database_feeds_books_trail_and_backups() -> None:
    assert {name.removeprefix("vigil-production-") for name in alarms()} >= {
        "api-5xx", "api-latency", "database-storage", "database-cpu", "database-connections",
        "replica-lag", "feed-silent", "feed-age", "file-waits", "books", "trail-unsealed",
        "backup-age",
    }  # fmt: skip


def test_every_alarm_tells_the_topic_and_bears_the_prefix_that_deployments_look_for() -> None:
    for name, alarm in alarms().items():
        assert name.startswith("vigil-production-")
        assert alarm["AlarmActions"] == ["Topic"]
        assert alarm["OKActions"] == ["Topic"]
        assert len(alarm["AlarmDescription"]) > 30


def test_an_alarm_of_the_replica_exists_only_where_there_is_one() -> None:
    assert template()["Resources"]["ReplicaLag"]["Condition"] == "HasReplica"
    assert dimensions(alarms()["vigil-production-replica-lag"]) == {
        "DBInstanceIdentifier": "vigil-production-reader-1"
    }


# --- Names ---------------------------------------------------------------------------------


def test_only_metrics_that_vigil_emits_are_watched_and_shown() -> None:
    watched = {
        each["MetricName"] for each in alarms().values() if each["Namespace"] == metrics.NAMESPACE
    }
    on_boards = {each[1] for each in shown() if each[0] == metrics.NAMESPACE}
    searched = set(re.findall(r'MetricName="(\w+)"', FILE.read_text().replace('\\"', '"')))
    assert searched == {"feed_age_seconds"}
    assert (watched | on_boards | searched) - emitted() == set()
    assert {"open_alerts", "oldest_file_not_done_seconds", "feeds_silent"} <= on_boards


def test_they_are_watched_with_the_dimensions_that_vigil_emits() -> None:
    documents = [
        json.loads(each)["_aws"]["CloudWatchMetrics"][0]
        for each in metrics.embedded(
            {"a": {"open_alerts": 1, "feed_age_seconds:lab": 3}},
            stage="production",
            at=datetime(2026, 11, 28, tzinfo=UTC),
        )
    ]
    assert [each["Dimensions"] for each in documents] == [[["stage"]], [["stage", "of"]]]
    assert {each["Namespace"] for each in documents} == {"Vigil"}
    for alarm in alarms().values():
        if alarm["Namespace"] == "Vigil":
            assert dimensions(alarm) == {"stage": "production"}
    for each in shown():
        if each[0] == "Vigil":
            assert each[2:4] == ["stage", "production"]
    (search,) = [each[0]["expression"] for each in shown() if isinstance(each[0], dict)]
    assert search.startswith('SEARCH(\'{Vigil,stage,of} MetricName="feed_age_seconds"')


def test_boards_show_functions_and_queues_by_the_names_of_the_convention() -> None:
    assert {each[3] for each in shown() if each[0] == "AWS/Lambda"} == set(
        function_names("production").values()
    )
    assert {each[3] for each in shown() if each[0] == "AWS/SQS"} == {
        f"vigil-production-{queue}{dead}" for queue in QUEUES for dead in ("", "-dead")
    }
    assert {each[1] for each in shown() if each[0] == "AWS/RDS"} == {
        "CPUUtilization", "DatabaseConnections", "FreeStorageSpace", "ReplicaLag",
    }  # fmt: skip


def test_the_stages_are_those_of_the_handover() -> None:
    assert template()["Parameters"]["Stage"]["AllowedValues"] == list(STAGES)
    stages = json.loads((PROJECT / "infra" / "stages.json").read_text())
    assert template()["Parameters"]["ApplicationStage"]["AllowedValues"] == [
        each["stage"] for each in stages.values()
    ]


# --- Who is told ---------------------------------------------------------------------------


def test_people_are_told_by_mail_and_no_function_ever_is() -> None:
    for each in resources("AWS::SNS::Subscription").values():
        assert each["Protocol"] == "email"
    (policy,) = resources("AWS::SNS::TopicPolicy").values()
    refused = {
        each["Sid"]: each
        for each in policy["PolicyDocument"]["Statement"]
        if each["Effect"] == "Deny"
    }
    assert refused["NoFunctions"]["Action"] == "sns:Subscribe"
    assert "lambda" in refused["NoFunctions"]["Condition"]["StringEquals"]["sns:Protocol"]
    assert refused["TlsOnly"]["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


def test_the_topic_is_encrypted_with_a_key_that_alarms_may_use() -> None:
    (topic,) = resources("AWS::SNS::Topic").values()
    assert topic["KmsMasterKeyId"] == {"GetAtt": "TopicKey.Arn"}
    (key,) = resources("AWS::KMS::Key").values()
    assert key["EnableKeyRotation"] is True
    (alarms_publish,) = [
        each for each in key["KeyPolicy"]["Statement"] if each["Sid"] == "AlarmsPublish"
    ]
    assert alarms_publish["Principal"] == {"Service": "cloudwatch.amazonaws.com"}


def test_the_topic_is_handed_over() -> None:
    (parameter,) = resources("AWS::SSM::Parameter").values()
    assert parameter == {
        "Name": "/vigil/production/monitoring/alarm-topic",
        "Type": "String",
        "Value": "Topic",
    }


# --- Lint ----------------------------------------------------------------------------------


def linted(path: Path) -> tuple[int, str]:
    done = subprocess.run(
        [str(TOOLS / "infra/bin/cfn-lint"), str(path)], capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout + done.stderr


def test_cfn_lint_finds_nothing_in_it_and_a_misspelt_property_is_found(tmp_path: Path) -> None:
    assert linted(FILE) == (0, "")
    wrong = tmp_path / "monitoring.yaml"
    wrong.write_text(FILE.read_text().replace("TreatMissingData", "TreatMissedData", 1))
    code, words = linted(wrong)
    assert code == 2
    assert "'TreatMissedData' was unexpected" in words


def test_it_is_made_without_a_bucket_to_put_it_into() -> None:
    assert len(FILE.read_bytes()) < 51_200
