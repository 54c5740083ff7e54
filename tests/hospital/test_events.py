"""Events given straight to a function are ingested at once, or raised; none is swallowed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from hospital.events import handle
from ingestion.errors import NoticeNotUnderstood, SourceNotDeclared
from ingestion.models import FeedFile, Patient
from ingestion.notices import Notice, s3_event
from tests.deliveries import NOON
from tests.ingestion.clouds import Cloud, a_cloud, people

BUCKET = "hospital-pms"
pytestmark = pytest.mark.usefixtures("at_noon")
TEST_EVENT = {"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": BUCKET}


@pytest.fixture
def cloud() -> Iterator[Cloud]:
    with a_cloud() as cloud:
        cloud.bucket(BUCKET, has_versions=True)
        yield cloud


def event(*places: tuple[str, str, str]) -> dict[str, Any]:
    """The event of S3 for objects that were put: bucket, key and version of each."""
    notices = [Notice(bucket, key, version, "", 1, NOON) for bucket, key, version in places]
    records = [s3_event(one, name="ObjectCreated:Put")["Records"][0] for one in notices]
    return {"Records": records}


def put(cloud: Cloud, key: str, *rows: str) -> tuple[str, str, str]:
    return BUCKET, key, cloud.put(BUCKET, key, people(*rows))


def batch(**bodies: Any) -> dict[str, Any]:
    """The event of a queue, by each message's id."""
    texts = {
        name: body if isinstance(body, str) else json.dumps(body) for name, body in bodies.items()
    }
    return {
        "Records": [
            {"eventSource": "aws:sqs", "messageId": name, "body": body}
            for name, body in texts.items()
        ]
    }


def on_record() -> list[tuple[str, str]]:
    return list(FeedFile.objects.order_by("key").values_list("key", "status"))


def test_an_event_of_a_bucket_is_ingested_in_the_same_invocation(cloud: Cloud) -> None:
    told = event(put(cloud, "a b+ü.csv", "P1,Emma,Brown,"), put(cloud, "b.csv", "P2,Otto,Fox,"))

    for _ in range(2):
        assert handle(told, None) == {"batchItemFailures": []}
    assert on_record() == [("a b+ü.csv", "ingested"), ("b.csv", "ingested")]
    assert Patient.objects.count() == 2


def test_of_a_queues_batch_only_the_messages_that_failed_come_again(cloud: Cloud) -> None:
    told = batch(
        good=event(put(cloud, "a.csv", "P1,Emma,Brown,")),
        odd="Brown, Emma",
        elsewhere=event(("elsewhere", "a.csv", "v1")),
        test=TEST_EVENT,
        also_good=event(put(cloud, "b.csv", "P2,Otto,Fox,")),
    )

    assert handle(told) == {
        "batchItemFailures": [{"itemIdentifier": "odd"}, {"itemIdentifier": "elsewhere"}]
    }
    assert on_record() == [("a.csv", "ingested"), ("b.csv", "ingested")]


def test_a_notice_from_a_place_without_a_source_is_raised_and_what_came_with_it_ingested(
    cloud: Cloud,
) -> None:
    told = event(("elsewhere", "a.csv", "v1"), put(cloud, "a.csv", "P1,Emma,Brown,"))

    with pytest.raises(SourceNotDeclared):
        handle(told)
    assert on_record() == [("a.csv", "ingested")]


def test_the_test_event_is_passed_over(cloud: Cloud) -> None:
    assert handle(TEST_EVENT) == {"batchItemFailures": []}
    assert on_record() == []


@pytest.mark.parametrize(
    "odd",
    [
        {},
        {"Records": []},
        {"Records": [{"EventSource": "aws:sns", "Sns": {"Message": "Brown"}}]},
        {"command": "hospital.events.handle"},
        {"source": "aws.events", "detail-type": "Scheduled Event"},
        {"Records": [{"eventSource": "aws:s3"}, {"eventSource": "aws:sqs", "body": "{}"}]},
        {"Records": [{"eventSource": "aws:s3", "eventName": "ObjectCreated:Put"}]},
        ["Brown"],
        None,
    ],
)
def test_what_is_not_known_never_counts_as_handled(cloud: Cloud, odd: Any) -> None:
    with pytest.raises(NoticeNotUnderstood) as raised:
        handle(odd)
    assert "Brown" not in str(raised.value)
    assert FeedFile.objects.count() == 0
