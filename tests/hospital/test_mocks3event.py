"""Developers tell of objects as S3 would, with a cloud or without any."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.test import override_settings

from ingestion.models import FeedFile
from ingestion.services.listening import Listener
from ingestion.storage import NoticeQueue, Places
from tests.deliveries import NOON
from tests.ingestion.clouds import Cloud, a_cloud, people
from tests.ingestion.terminal import run

BUCKET = "hospital-pms"
pytestmark = pytest.mark.usefixtures("at_noon")


@pytest.fixture
def cloud() -> Iterator[Cloud]:
    with a_cloud() as cloud:
        cloud.bucket(BUCKET, has_versions=True)
        yield cloud


@pytest.fixture
def inbox(tmp_path: Path) -> Iterator[Path]:
    folder = {
        "BACKEND": "django.core.files.storage.FileSystemStorage",
        "OPTIONS": {"location": str(tmp_path)},
    }
    (tmp_path / "pms").mkdir()
    with override_settings(STORAGES={"inbox": folder}):
        yield tmp_path


def put(inbox: Path, key: str) -> None:
    path = inbox / key
    path.write_bytes(people("P1,Emma,Brown,"))
    os.utime(path, (NOON.timestamp(), NOON.timestamp()))


def on_record() -> list[tuple[str, str, str, str]]:
    return list(FeedFile.objects.order_by("key").values_list("bucket", "key", "status", "found_by"))


def test_a_file_of_the_inbox_is_told_of_without_any_cloud(inbox: Path) -> None:
    put(inbox, "pms/a b+ü.csv")

    ran = run("mocks3event", "pms/a b+ü.csv")
    assert (ran.code, ran.out) == (
        0,
        "ObjectCreated:Put for 'pms/a b+ü.csv': taken by the function.\n",
    )
    assert on_record() == [("inbox", "pms/a b+ü.csv", "ingested", "notice")]


def test_a_file_of_the_inbox_that_is_gone_is_refused_once(inbox: Path) -> None:
    for _ in range(2):
        assert run("mocks3event", "pms/a.csv").code == 0
    assert on_record() == [("inbox", "pms/a.csv", "refused", "notice")]
    put(inbox, "pms/a.csv")
    run("mocks3event", "pms/a.csv")
    assert on_record() == [("inbox", "pms/a.csv", "ingested", "notice")]


def test_an_object_of_a_bucket_is_told_of_by_its_version(cloud: Cloud) -> None:
    version = cloud.put(BUCKET, "a b+ü.csv", people("P1,Emma,Brown,"))

    assert run("mocks3event", "a b+ü.csv").code == 0
    assert on_record() == [(BUCKET, "a b+ü.csv", "ingested", "notice")]
    assert FeedFile.objects.get().version == version


def test_where_a_queue_is_set_the_event_goes_there_unless_it_is_sent_to_the_function(
    cloud: Cloud,
) -> None:
    url = cloud.queue()
    cloud.put(BUCKET, "a.csv", people("P1,Emma,Brown,"))
    with override_settings(NOTICE_QUEUE_URL=url):
        ran = run("mocks3event", "a.csv")
        assert ran.out == "ObjectCreated:Put for 'a.csv': sent to the queue.\n"
        assert on_record() == []
        listener = Listener(NoticeQueue(url), Places.from_settings())
        assert listener.listen(wait_seconds=0) == 1
        run("mocks3event", "--to-function", "a.csv")
    assert on_record() == [(BUCKET, "a.csv", "ingested", "notice")]
    assert cloud.waiting(url) == 0


@pytest.mark.parametrize("name", ["ObjectRemoved:Delete", "s3:TestEvent"])
def test_other_events_can_be_tried_and_put_nothing_on_record(cloud: Cloud, name: str) -> None:
    assert run("mocks3event", "a.csv", "--event", name).code == 0
    assert on_record() == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["a.csv", "--to-queue"], "No queue is set: set HOSPITAL_NOTICE_QUEUE_URL."),
        (["a.csv", "--bucket", "elsewhere"], "No source is declared for 'a.csv' in the bucket"),
        (["a.csv", "--bucket", "inbox"], "A key in the inbox is sub-folder/name."),
        (["a.csv", "--event", "ObjectEaten"], "invalid choice: 'ObjectEaten'"),
        (["a.csv", "--to-queue", "--to-function"], "not allowed with argument"),
        ([], "the following arguments are required: KEY"),
    ],
)
def test_a_wrong_argument_is_told_and_nothing_is_sent(
    cloud: Cloud, arguments: list[str], said: str
) -> None:
    ran = run("mocks3event", *arguments)
    assert said in ran.err
    assert ran.code != 0
    assert on_record() == []


def test_of_several_buckets_one_must_be_named() -> None:
    with a_cloud(("pms", BUCKET, ""), ("lab", "hospital-lab", "")):
        ran = run("mocks3event", "a.csv")
    assert (ran.code, ran.err) == (
        2,
        "Several buckets are declared. Name one: hospital-lab, hospital-pms, inbox.",
    )


def test_a_queue_that_is_not_there_is_told(cloud: Cloud) -> None:
    with override_settings(NOTICE_QUEUE_URL=cloud.queue().replace("notices", "nowhere")):
        ran = run("mocks3event", "a.csv")
    assert ran.code == 1
    assert ran.err.startswith("The queue cannot be reached: The storage answered ")
