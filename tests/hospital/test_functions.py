"""The three functions on AWS Lambda: what each answers, and that it raises on everything else."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from django.db import DatabaseError
from django.test import override_settings
from moto import mock_aws

from hospital.celery import app
from hospital.functions import alerts, api, clock, ingestion, messages
from hospital.functions.start import EventNotKnown
from ingestion.errors import NoticeNotUnderstood
from ingestion.models import Patient
from ops.aws.functions import ROLL_CALL
from ops.models import ProbeSample
from tests.ingestion.clouds import REGION, made_up_credentials

KEY = "only CloudFront knows it"


def request(path: str, **more: Any) -> dict[str, Any]:
    """What API Gateway sends for a request (payload 2.0)."""
    headers = {"host": "127.0.0.1", "x-forwarded-proto": "https"}
    return {
        "version": "2.0",
        "rawPath": path,
        "rawQueryString": "",
        "headers": headers | more.pop("headers", {}),
        "requestContext": {
            "http": {"method": "GET", "path": path, "sourceIp": "10.0.0.1", "protocol": "HTTP/1.1"}
        },
        "isBase64Encoded": False,
        **more,
    }


def tick(at: str) -> dict[str, str]:
    """What the clock of AWS sends, as Zappa's rule passes it on."""
    return {"detail-type": "Scheduled Event", "source": "aws.events", "time": at}


@pytest.fixture
def queues() -> Iterator[dict[str, str]]:
    """The queues of tasks, and a broker that knows these alone."""
    with made_up_credentials(), mock_aws():
        client = boto3.client("sqs", region_name=REGION)
        urls = {
            name: client.create_queue(QueueName=f"vigil-dev-{queue}")["QueueUrl"]
            for name, queue in (("celery", "tasks"), ("keeping", "keeping"), ("long", "long"))
        }
        with override_settings(TASK_QUEUES=urls):
            yield urls


def messages_of(url: str) -> list[Any]:
    """Take what lies in a queue."""
    told = boto3.client("sqs", region_name=REGION).receive_message(
        QueueUrl=url, MaxNumberOfMessages=10, AttributeNames=["All"]
    )
    return list(told.get("Messages", []))


def record_of(message: dict[str, Any], queue: str) -> dict[str, Any]:
    """Write a message as an event source mapping hands it to a function."""
    return {
        "messageId": message["MessageId"],
        "receiptHandle": message["ReceiptHandle"],
        "body": message["Body"],
        "attributes": {"ApproximateReceiveCount": "1"},
        "eventSource": "aws:sqs",
        "eventSourceARN": f"arn:aws:sqs:{REGION}:123456789012:{queue}",
    }


def celery_message(task: str) -> str:
    """A task as kombu writes it into a queue of SQS."""
    inner = base64.b64encode(json.dumps([[], {}, {}]).encode()).decode()
    envelope = {
        "body": inner,
        "headers": {"task": task, "id": "1"},
        "properties": {"body_encoding": "base64"},
    }
    return base64.b64encode(json.dumps(envelope).encode()).decode()


# --- The API -------------------------------------------------------------------------------------


def test_the_api_answers_a_request_of_its_gateway(db: None) -> None:
    answer = api.handler(request("/livez"))
    assert (answer["statusCode"], answer["body"]) == (200, "alive\n")


@pytest.mark.parametrize(
    "event",
    [
        {},
        {"Records": [{"Sns": {"Message": '{"command": "django.core.management.call_command"}'}}]},
        {"command": "hospital.functions.api.stay_warm"},
        {"manage": "flush --no-input"},
        {"raw_command": "import os"},
        {"version": "1.0", "httpMethod": "GET", "path": "/livez"},
    ],
)
def test_the_api_raises_on_whatever_is_no_request(event: dict[str, Any]) -> None:
    with pytest.raises(EventNotKnown):
        api.handler(event)


def test_the_clock_keeps_the_api_warm() -> None:
    assert api.handler(tick("2025-03-20T12:00:00Z")) == {"warm": True}


@override_settings(ORIGIN_KEY=KEY, ADDRESS="https://vigil.example")
def test_whoever_passes_by_the_firewall_is_refused() -> None:
    assert api.handler(request("/livez"))["statusCode"] == 403
    assert api.handler(request("/livez", headers={"x-origin-key": "guessed"}))["statusCode"] == 403


@override_settings(ORIGIN_KEY=KEY, ADDRESS="https://vigil.example", ALLOWED_HOSTS=["vigil.example"])
def test_behind_cloudfront_host_and_client_are_those_of_the_front_door(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: list[dict[str, Any]] = []

    def note(event: dict[str, Any], _context: object) -> dict[str, Any]:
        seen.append(event)
        return {"statusCode": 200}

    monkeypatch.setattr(api, "_answer", note)
    headers = {"x-origin-key": KEY, "x-vigil-address": "2001:db8::7"}
    api.handler(request("/livez", headers=headers))
    assert seen[0]["headers"]["host"] == "vigil.example"
    assert seen[0]["requestContext"]["http"]["sourceIp"] == "2001:db8::7"
    assert "x-origin-key" not in seen[0]["headers"]


# --- Ingestion -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "event", [{}, {"Records": []}, {"Records": [{"eventSource": "aws:sns"}]}, tick("2025-03-20")]
)
def test_ingestion_raises_on_whatever_comes_from_elsewhere(event: dict[str, Any], db: None) -> None:
    with pytest.raises(NoticeNotUnderstood):
        ingestion.handler(event)


def test_a_message_that_failed_comes_again_in_seconds(queues: dict[str, str], db: None) -> None:
    client = boto3.client("sqs", region_name=REGION)
    url = client.create_queue(
        QueueName="vigil-dev-notices", Attributes={"VisibilityTimeout": "1800"}
    )["QueueUrl"]
    client.send_message(QueueUrl=url, MessageBody="poison")
    (message,) = messages_of(url)
    with override_settings(NOTICE_QUEUE_URL=url, RETRY_SECONDS=0.4):
        answer = ingestion.handler({"Records": [record_of(message, "vigil-dev-notices")]})
    assert answer == {"batchItemFailures": [{"itemIdentifier": message["MessageId"]}]}
    assert [each["MessageId"] for each in messages_of(url)] == [message["MessageId"]]
    assert Patient.objects.count() == 0


# --- The clock -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("at", "name", "is_due"),
    [
        ("2025-03-20T12:01:00Z", "evaluate every open admission", True),
        ("2025-03-20T12:01:00Z", "seal the audit trail", True),
        ("2025-03-20T12:01:00Z", "reconcile the buckets with the record", False),
        ("2025-03-20T12:05:00Z", "reconcile the buckets with the record", True),
        ("2025-03-20T12:05:00Z", "count the days that are over", False),
        ("2025-03-20T13:00:00Z", "count the days that are over", True),
        ("2025-03-20T01:17:30Z", "hold the last week of the trail against its seals", True),
        ("2025-03-20T02:17:00Z", "hold the last week of the trail against its seals", False),
    ],
)
def test_each_line_of_the_schedule_is_due_in_its_minutes(at: str, name: str, is_due: bool) -> None:
    moment = datetime.fromisoformat(at).astimezone(UTC)
    assert (name in {entry.name for entry in clock.due(moment)}) is is_due


def test_every_line_of_the_schedule_is_due_within_a_day() -> None:
    minutes = (
        datetime(2025, 3, 20, hour, minute, tzinfo=UTC)
        for hour in range(24)
        for minute in range(60)
    )
    seen = {entry.name for minute in minutes for entry in clock.due(minute)}
    assert seen == set(app.conf.beat_schedule)


def test_a_tick_evaluates_and_samples_what_it_finds(queues: dict[str, str], db: None) -> None:
    answer = alerts.handler(tick("2025-03-20T12:01:00Z"))
    assert "evaluate every open admission" in answer["done"]
    assert ProbeSample.objects.exists()


def test_what_outlasts_a_function_is_put_into_its_queue(
    monkeypatch: pytest.MonkeyPatch, db: None
) -> None:
    sent: list[tuple[str, str, float]] = []
    task = app.tasks["ops.tasks.keep_backups"]
    monkeypatch.setattr(
        type(task),
        "apply_async",
        lambda self, queue, expires: sent.append((self.name, queue, expires)),
    )
    alerts.handler(tick("2025-03-20T12:05:00Z"))
    assert sent == [("ops.tasks.keep_backups", "long", 290.0)]


def test_files_are_taken_in_after_everybody_was_evaluated_sampled_and_sealed() -> None:
    names = [entry.task for entry in clock.due(datetime(2025, 3, 20, 12, 5, tzinfo=UTC))]
    first = names.index(next(name for name in names if name.startswith("ingestion.")))
    assert all(name.startswith("ingestion.") for name in names[first:])
    assert {"alerts.tasks.sweep", "ops.tasks.sample_components", "ops.tasks.seal"} <= set(
        names[:first]
    )


def test_one_task_that_fails_keeps_no_other_from_running(
    monkeypatch: pytest.MonkeyPatch, db: None
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise DatabaseError("away")

    monkeypatch.setattr("alerts.tasks.evaluate", fail)
    with pytest.raises(ExceptionGroup, match="evaluate every open admission"):
        alerts.handler(tick("2025-03-20T12:01:00Z"))
    assert ProbeSample.objects.exists()


def test_a_mistake_of_ours_runs_nothing_a_second_time(
    monkeypatch: pytest.MonkeyPatch, db: None
) -> None:
    """Zappa's own entry point takes a TypeError for a wrong signature, and calls once more."""
    calls: list[int] = []

    def mistake() -> None:
        calls.append(1)
        raise TypeError("one of ours")

    monkeypatch.setattr("alerts.tasks.evaluate", mistake)
    with pytest.raises(ExceptionGroup):
        alerts.handler(tick("2025-03-20T12:01:00Z"))
    assert calls == [1]


# --- Tasks in queues -----------------------------------------------------------------------------


def test_a_task_of_celerys_runs_from_its_queue(queues: dict[str, str], db: None) -> None:
    """Written by kombu itself, as the API's function sends it."""
    with app.connection_for_write("sqs://", transport_options={
        "region": REGION, "predefined_queues": {name: {"url": url} for name, url in queues.items()},
    }) as broker:  # fmt: skip
        app.tasks["ops.tasks.sample_components"].apply_async(  # type: ignore[call-arg]
            connection=broker, queue="celery"
        )
    (message,) = messages_of(queues["celery"])
    answer = alerts.handler({"Records": [record_of(message, "vigil-dev-tasks")]})
    assert answer == {"batchItemFailures": []}
    assert ProbeSample.objects.exists()


def test_of_a_batch_only_the_task_that_failed_stays(queues: dict[str, str], db: None) -> None:
    client = boto3.client("sqs", region_name=REGION)
    for body in (celery_message("ops.tasks.fold_samples"), celery_message("os.system"), "poison"):
        client.send_message(QueueUrl=queues["keeping"], MessageBody=body)
    found = messages_of(queues["keeping"])
    answer = alerts.handler({"Records": [record_of(each, "vigil-dev-keeping") for each in found]})
    assert answer == {
        "batchItemFailures": [{"itemIdentifier": each["MessageId"]} for each in found[1:]]
    }


def test_a_task_that_failed_comes_again_in_seconds(queues: dict[str, str], db: None) -> None:
    client = boto3.client("sqs", region_name=REGION)
    url = queues["keeping"]
    client.set_queue_attributes(QueueUrl=url, Attributes={"VisibilityTimeout": "1800"})
    for body in (celery_message("ops.tasks.fold_samples"), "poison"):
        client.send_message(QueueUrl=url, MessageBody=body)
    done, failed = messages_of(url)
    with override_settings(RETRY_SECONDS=0.4):
        answer = alerts.handler(
            {"Records": [record_of(each, "vigil-dev-keeping") for each in (done, failed)]}
        )
    assert answer == {"batchItemFailures": [{"itemIdentifier": failed["MessageId"]}]}
    assert [each["MessageId"] for each in messages_of(url)] == [failed["MessageId"]]


@pytest.mark.parametrize("body", ["", "[]", "{}", '{"body": 1}', "%%%", celery_message("no.such")])
def test_what_is_no_task_of_ours_is_never_taken_for_done(body: str) -> None:
    with pytest.raises(messages.TaskNotKnown):
        messages.run_message(body)


@pytest.mark.parametrize("event", [{}, {"Records": []}, {"Records": [{"eventSource": "aws:s3"}]}])
def test_the_alerts_function_raises_on_whatever_it_does_not_know(
    event: dict[str, Any], db: None
) -> None:
    with pytest.raises(EventNotKnown):
        alerts.handler(event)


# --- All three -----------------------------------------------------------------------------------


@override_settings(COMMIT="0123abc")
@pytest.mark.parametrize("function", [api, ingestion, alerts])
def test_each_function_answers_the_roll_call_with_its_commit(function: Any) -> None:
    assert function.handler(ROLL_CALL) == {"commit": "0123abc", "stage": "development"}
