"""A message leaves the queue when all that it tells of is on record, and not before."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from django.db import OperationalError, connection

from ingestion.models import FeedFile
from ingestion.notices import Notice, s3_event
from ingestion.services.draining import drain
from ingestion.services.listening import Listener
from ingestion.storage import NoticeQueue, Places, StorageUnreachable
from tests.deliveries import NOON
from tests.ingestion.clouds import Cloud, a_cloud, people

BUCKET = "hospital-pms"
pytestmark = pytest.mark.usefixtures("at_noon")


@dataclass
class Post:
    """A bucket, its queue and who listens to it."""

    cloud: Cloud
    url: str
    listener: Listener

    def listen(self) -> int:
        return self.listener.listen(wait_seconds=0)

    def tell(self, *notices: Notice) -> None:
        records = [s3_event(one, name="ObjectCreated:Put")["Records"][0] for one in notices]
        self.cloud.send(self.url, {"Records": records})

    @property
    def waiting(self) -> int:
        return self.cloud.waiting(self.url)


@pytest.fixture
def post() -> Iterator[Post]:
    with a_cloud() as cloud:
        cloud.bucket(BUCKET)
        url = cloud.queue()
        yield Post(cloud, url, Listener(NoticeQueue(url), Places.from_settings()))


def told(key: str, etag: str, bucket: str = BUCKET) -> Notice:
    return Notice(bucket, key, "", etag, 1, NOON)


def on_record(*names: str) -> list[tuple[Any, ...]]:
    return list(FeedFile.objects.order_by("key").values_list(*names))


def test_what_a_bucket_tells_of_is_put_on_record_and_the_message_deleted(post: Post) -> None:
    post.cloud.notify(BUCKET, post.url)
    for key in ("a b+ü.csv", "folder/", "b.csv.part", "deeper/down/c.csv"):
        post.cloud.put(BUCKET, key, people("P1,Emma,Brown,"))

    assert post.listen() == 2
    assert post.waiting == 0
    assert on_record("key", "found_by", "status") == [
        ("a b+ü.csv", "notice", "received"),
        ("deeper/down/c.csv", "notice", "received"),
    ]


def test_duplicate_and_reordered_messages_leave_one_file_for_each_version(post: Post) -> None:
    keys = [f"{number}.csv" for number in range(4)]
    notices = [told(key, post.cloud.put(BUCKET, key, people(f"P{key},A,B,"))) for key in keys]
    for some in (notices[::-1], notices, notices[2:]):
        post.tell(*some)

    while post.waiting:
        post.listen()
    assert drain() == 4
    assert on_record("key", "status") == [(key, "ingested") for key in keys]


def test_the_test_event_of_a_new_notification_is_deleted(post: Post) -> None:
    post.cloud.send(post.url, {"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": BUCKET})

    assert (post.listen(), post.waiting) == (0, 0)
    assert FeedFile.objects.count() == 0


def test_a_message_that_is_not_understood_stays_and_is_told_of_once(
    post: Post, caplog: pytest.LogCaptureFixture
) -> None:
    post.cloud.send(post.url, "Brown, Emma")
    post.tell(told("a.csv", post.cloud.put(BUCKET, "a.csv", people("P1,Emma,Brown,"))))

    with caplog.at_level(logging.ERROR):
        assert [post.listen() for _ in range(3)] == [1, 0, 0]
    assert post.waiting == 1
    said = [each for each in caplog.records if each.getMessage() == "message stays in the queue"]
    assert [each.why for each in said] == ["A message of the queue is no JSON object."]  # type: ignore[attr-defined]


def test_a_place_without_a_source_keeps_the_message_but_not_the_objects_told_of_beside_it(
    post: Post, caplog: pytest.LogCaptureFixture
) -> None:
    etag = post.cloud.put(BUCKET, "a.csv", people("P1,Emma,Brown,"))
    post.tell(told("Brown.csv", etag, bucket="elsewhere"), told("a.csv", etag))

    post.listen()
    assert post.waiting == 1
    assert on_record("key", "status") == [("a.csv", "received")]
    (said,) = (each for each in caplog.records if each.levelno == logging.ERROR)
    assert "HOSPITAL_BUCKETS" in said.why  # type: ignore[attr-defined]
    assert "Brown" not in json.dumps(said.__dict__, default=str)


def test_a_notice_of_an_object_that_is_gone_is_refused_on_record_and_deleted(post: Post) -> None:
    etag = post.cloud.put(BUCKET, "a.csv", people("P1,Emma,Brown,"))
    post.cloud.s3.delete_object(Bucket=BUCKET, Key="a.csv")
    post.tell(told("a.csv", etag), told("a.csv", etag))

    assert (post.listen(), post.waiting) == (0, 0)
    assert on_record("version", "status", "refusal") == [(etag, "refused", "vanished")]


def test_without_a_database_every_message_stays(post: Post) -> None:
    post.tell(told("a.csv", post.cloud.put(BUCKET, "a.csv", people("P1,Emma,Brown,"))))

    def is_down(*_: Any) -> Any:
        raise OperationalError("down")

    with connection.execute_wrapper(is_down), pytest.raises(OperationalError):
        post.listen()
    assert post.waiting == 1
    assert post.listen() == 1
    assert post.waiting == 0


def test_a_queue_that_is_not_there_is_an_outage() -> None:
    with a_cloud() as cloud:
        url = cloud.queue().replace("notices", "nowhere")
        listener = Listener(NoticeQueue(url), Places.from_settings())
        with pytest.raises(OSError) as raised:
            listener.listen(wait_seconds=0)
    assert isinstance(raised.value, (StorageUnreachable, OSError))
    assert raised.value.strerror
