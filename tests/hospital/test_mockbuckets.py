"""Buckets and queue for whoever develops with a stand-in for AWS; and never at AWS."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote_plus

import boto3
import pytest
import requests
from django.conf import settings
from django.test import override_settings
from moto.server import ThreadedMotoServer

from tests.ingestion.clouds import made_up_credentials
from tests.ingestion.terminal import run

KEPT = {
    name: {"BACKEND": "ops.storage.KeptBucket", "OPTIONS": {"bucket_name": bucket, "location": ""}}
    for name, bucket in (("backups", "kept-backups"), ("seals", "kept-seals"))
}


@pytest.fixture(name="stand_in")
def _stand_in() -> Iterator[str]:
    """An AWS that listens here, with nothing in it."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    # What it keeps belongs to the process, not to the server.
    requests.post(f"http://{host}:{port}/moto-api/reset", timeout=10)
    with made_up_credentials():
        yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture(name="place")
def _place(stand_in: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A place whose settings name everything there."""
    declared = override_settings(
        BUCKETS=[("pms", "of-pms", ""), ("lis", "of-lis", "exports/")],
        NOTICE_QUEUE_URL=f"{stand_in}/123456789012/notices",
        STORAGES={**settings.STORAGES, **KEPT},
    )
    monkeypatch.setenv("AWS_ENDPOINT_URL", stand_in)
    with declared:
        yield


def there() -> list[str]:
    return sorted(bucket["Name"] for bucket in boto3.client("s3").list_buckets()["Buckets"])


@pytest.mark.usefixtures("place")
def test_what_the_settings_name_is_made() -> None:
    done = run("mockbuckets")

    assert done.code == 0
    assert there() == ["kept-backups", "kept-seals", "of-lis", "of-pms"]
    s3 = boto3.client("s3")
    assert s3.get_bucket_versioning(Bucket="of-pms")["Status"] == "Enabled"
    locked: Any = s3.get_object_lock_configuration(Bucket="kept-seals")
    assert locked["ObjectLockConfiguration"]["ObjectLockEnabled"] == "Enabled"


@pytest.mark.usefixtures("place")
def test_an_object_that_is_put_is_told_of() -> None:
    run("mockbuckets")
    boto3.client("s3").put_object(Bucket="of-lis", Key="exports/a.csv", Body=b"x")

    received = boto3.client("sqs").receive_message(
        QueueUrl=settings.NOTICE_QUEUE_URL, MaxNumberOfMessages=10
    )
    events = [json.loads(each["Body"]) for each in received["Messages"]]
    told = [record["s3"]["object"]["key"] for each in events for record in each.get("Records", [])]
    assert [unquote_plus(key) for key in told] == ["exports/a.csv"]


@pytest.mark.usefixtures("place")
def test_the_second_time_everything_is_left_as_it_is() -> None:
    run("mockbuckets")
    boto3.client("s3").put_object(Bucket="of-pms", Key="a.csv", Body=b"x")

    done = run("mockbuckets")

    assert done.code == 0
    assert "of-pms: was there" in done.out
    assert boto3.client("s3").get_object(Bucket="of-pms", Key="a.csv")["Body"].read() == b"x"


@pytest.mark.parametrize(
    ("is_development", "address"),
    [(False, None), (True, ""), (True, "https://s3.eu-central-1.amazonaws.com")],
)
@pytest.mark.usefixtures("place")
def test_elsewhere_it_makes_nothing(
    is_development: bool, address: str | None, stand_in: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with override_settings(IS_DEVELOPMENT=is_development):
        monkeypatch.setenv("AWS_ENDPOINT_URL", stand_in if address is None else address)
        done = run("mockbuckets")

    assert done.code == 2
    assert "Nothing was made" in done.err
    monkeypatch.setenv("AWS_ENDPOINT_URL", stand_in)
    assert there() == []
