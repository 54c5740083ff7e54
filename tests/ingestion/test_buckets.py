"""Objects in buckets: the exact version is read, each is ingested once, and none is lost.

The buckets exist in this process alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from botocore.exceptions import ClientError, ConnectTimeoutError, NoCredentialsError
from django.test import override_settings

from ingestion.choices import FoundBy
from ingestion.errors import SourceNotDeclared
from ingestion.models import FeedFile, Patient
from ingestion.notices import Notice
from ingestion.services.draining import drain
from ingestion.services.noticing import take_notice
from ingestion.services.quarantine import replay_files
from ingestion.services.registering import register
from ingestion.storage import Bucket, Places, StorageUnreachable
from ingestion.storage.buckets import as_os_errors
from tests.deliveries import NOON
from tests.ingestion.clouds import Cloud, a_cloud, people

BUCKET = "hospital-pms"
BROWN, GREEN = people("P1,Emma,Brown,"), people("P1,Emma,Green,")
pytestmark = pytest.mark.usefixtures("at_noon")


@pytest.fixture
def cloud() -> Iterator[Cloud]:
    with a_cloud() as cloud:
        yield cloud


def notice(key: str, version: str = "", **more: Any) -> Notice:
    """A notice of a version, as one that names an id or as one that has only an ETag."""
    is_etag = version.startswith('"')
    names = {"version_id": "" if is_etag else version, "etag": version if is_etag else ""}
    return Notice(BUCKET, key, **{**names, "size": 10, "at": NOON, **more})


def take(key: str, version: str = "") -> FeedFile | None:
    return take_notice(notice(key, version), Places.from_settings())


def on_record(*names: str) -> list[tuple[Any, ...]]:
    return list(FeedFile.objects.order_by("pk").values_list(*names))


# --- Versioned buckets ----------------------------------------------------------------------


def test_each_version_is_ingested_once_however_often_it_is_told_of(cloud: Cloud) -> None:
    cloud.bucket(BUCKET, has_versions=True)
    first = cloud.put(BUCKET, "a.csv", BROWN)
    second = cloud.put(BUCKET, "a.csv", GREEN)

    for version in (second, first, first, second):
        take("a.csv", version)
    assert on_record("version", "status", "found_by", "source", "content") == [
        (second, "received", "notice", "pms", ""),
        (first, "received", "notice", "pms", ""),
    ]
    assert drain() == 2
    assert [take("a.csv", version) for version in (first, second)] == [None, None]
    assert drain() == 0
    assert {(len(content), status) for content, status in on_record("content", "status")} == {
        (64, "ingested")
    }


def test_the_version_on_record_is_read_and_never_the_newer_one_under_its_name(
    cloud: Cloud, at_noon: time_machine.Traveller
) -> None:
    cloud.bucket(BUCKET, has_versions=True)
    take("a.csv", cloud.put(BUCKET, "a.csv", BROWN))
    at_noon.shift(60)
    cloud.put(BUCKET, "a.csv", GREEN)

    drain()
    assert Patient.objects.get().last_name == "Brown"


def test_a_version_below_a_delete_marker_is_still_ingested(cloud: Cloud) -> None:
    cloud.bucket(BUCKET, has_versions=True)
    version = cloud.put(BUCKET, "a.csv", BROWN)
    cloud.s3.delete_object(Bucket=BUCKET, Key="a.csv")

    take("a.csv", version)
    assert drain() == 1
    assert on_record("status", "created") == [("ingested", 1)]


def test_a_version_that_is_gone_is_refused_once_on_record(cloud: Cloud) -> None:
    cloud.bucket(BUCKET, has_versions=True)
    version = cloud.put(BUCKET, "a.csv", BROWN)
    cloud.s3.delete_object(Bucket=BUCKET, Key="a.csv", VersionId=version)

    assert [take("a.csv", version) for _ in range(3)] == [None, None, None]
    assert on_record("version", "status", "refusal", "size", "found_by", "source_time") == [
        (version, "refused", "vanished", 10, "notice", NOON)
    ]
    assert FeedFile.objects.get().readings.count() == 1


def test_a_version_gone_before_it_was_read_is_refused_and_the_other_ingested(cloud: Cloud) -> None:
    cloud.bucket(BUCKET, has_versions=True)
    gone, there = cloud.put(BUCKET, "a.csv", BROWN), cloud.put(BUCKET, "a.csv", GREEN)
    take("a.csv", gone)
    take("a.csv", there)
    cloud.s3.delete_object(Bucket=BUCKET, Key="a.csv", VersionId=gone)

    assert drain() == 2
    assert on_record("version", "status", "refusal") == [
        (gone, "refused", "vanished"),
        (there, "ingested", ""),
    ]
    assert Patient.objects.get().last_name == "Green"


def test_a_notice_that_names_no_version_id_still_finds_the_version_it_means(cloud: Cloud) -> None:
    cloud.bucket(BUCKET, has_versions=True)
    first = cloud.put(BUCKET, "a.csv", BROWN)
    etag = cloud.s3.head_object(Bucket=BUCKET, Key="a.csv")["ETag"]
    cloud.put(BUCKET, "a.csv", GREEN)

    assert take("a.csv", etag)
    assert on_record("version", "status") == [(first, "received")]


# --- Buckets without versions -----------------------------------------------------------------


def test_without_versions_the_etag_is_the_version(cloud: Cloud) -> None:
    cloud.bucket(BUCKET)
    etag = cloud.put(BUCKET, "a.csv", BROWN)

    assert take("a.csv", etag)
    take("a.csv", etag)
    drain()
    assert take("a.csv", etag) is None
    assert etag.startswith('"')
    assert on_record("version", "status", "created") == [(etag, "ingested", 1)]


def test_what_was_overwritten_before_it_was_told_of_is_refused_and_its_successor_ingested(
    cloud: Cloud,
) -> None:
    cloud.bucket(BUCKET)
    old, new = cloud.put(BUCKET, "a.csv", BROWN), cloud.put(BUCKET, "a.csv", GREEN)

    take("a.csv", old)
    take("a.csv", new)
    assert drain() == 1
    assert on_record("version", "status", "refusal") == [
        (old, "refused", "vanished"),
        (new, "ingested", ""),
    ]
    assert Patient.objects.get().last_name == "Green"


def test_what_was_overwritten_before_it_was_read_is_refused_and_its_successor_ingested(
    cloud: Cloud,
) -> None:
    cloud.bucket(BUCKET)
    old = cloud.put(BUCKET, "a.csv", BROWN)
    take("a.csv", old)
    new = cloud.put(BUCKET, "a.csv", GREEN)
    take("a.csv", new)

    assert drain() == 2
    assert on_record("version", "status", "refusal") == [
        (old, "refused", "vanished"),
        (new, "ingested", ""),
    ]


def test_what_had_vanished_and_is_put_again_is_ingested(
    cloud: Cloud, at_noon: time_machine.Traveller
) -> None:
    cloud.bucket(BUCKET)
    for key in ("a.csv", "b-2025-03-20T05-20-00Z.csv"):
        etag = cloud.put(BUCKET, key, BROWN)
        cloud.s3.delete_object(Bucket=BUCKET, Key=key)
        assert take(key, etag) is None
        at_noon.shift(60)
        cloud.put(BUCKET, key, BROWN)
        assert take(key, etag)

    assert drain() == 2
    stamp = NOON.replace(hour=5, minute=20)
    assert on_record("status", "refusal", "source_time") == [
        ("ingested", "", NOON + timedelta(minutes=1)),
        ("ingested", "", stamp),
    ]


def test_the_same_bytes_put_again_without_a_stamp_state_everything_anew(
    cloud: Cloud, at_noon: time_machine.Traveller
) -> None:
    cloud.bucket(BUCKET)
    stamped = "b-2025-03-20T05-20-00Z.csv"
    for _ in range(2):
        for key in ("a.csv", stamped):
            take(key, cloud.put(BUCKET, key, BROWN))
        at_noon.shift(60)
    drain()

    again = NOON + timedelta(minutes=1)
    etag = FeedFile.objects.get(key=stamped).version
    assert sorted(on_record("key", "version", "status", "source_time")) == [
        ("a.csv", etag, "ingested", NOON),
        ("a.csv", f"{etag}@{again.isoformat()}", "ingested", again),
        (stamped, etag, "ingested", NOON.replace(hour=5, minute=20)),
    ]


def test_content_that_comes_back_after_another_is_marked_when_it_is_read(
    cloud: Cloud, at_noon: time_machine.Traveller
) -> None:
    cloud.bucket(BUCKET, has_versions=True)
    for content in (BROWN, GREEN, BROWN):
        take("a.csv", cloud.put(BUCKET, "a.csv", content))
        at_noon.shift(60)
    drain()

    assert on_record("is_comeback") == [(False,), (False,), (True,)]
    assert Patient.objects.get().last_name == "Brown"


def test_a_version_from_before_the_bucket_kept_versions_is_read_below_newer_ones(
    cloud: Cloud,
) -> None:
    cloud.bucket(BUCKET)
    etag = cloud.put(BUCKET, "a.csv", BROWN)
    take("a.csv", etag)
    cloud.keep_versions(BUCKET, "Enabled")
    cloud.put(BUCKET, "a.csv", GREEN)

    assert drain() == 1
    assert on_record("version", "status") == [(etag, "ingested")]
    assert Patient.objects.get().last_name == "Brown"


# --- Where objects lie ------------------------------------------------------------------------


def test_a_prefix_tells_the_source_and_a_place_without_one_is_refused_to_be_taken() -> None:
    with a_cloud(("north", "hospital-lab", "north/"), ("south", "hospital-lab", "s/")) as cloud:
        cloud.bucket("hospital-lab")
        for key in ("north/a b+ü.csv", "s/a.csv"):
            etag = cloud.put("hospital-lab", key, BROWN)
            told = Notice("hospital-lab", key, "", etag, 1, NOON)
            assert take_notice(told, Places.from_settings())
        for bucket, key in (("hospital-lab", "northern/a.csv"), ("elsewhere", "north/a.csv")):
            with pytest.raises(SourceNotDeclared):
                take_notice(Notice(bucket, key, "", '"x"', 1, NOON), Places.from_settings())

    assert on_record("source", "key") == [("north", "north/a b+ü.csv"), ("south", "s/a.csv")]


@pytest.mark.parametrize(
    "key", ["a//b.csv", "/a.csv", "a/../b.csv", "a\\b.csv", "%41.csv", "é" * 500]
)
def test_an_odd_key_is_read_as_it_is(cloud: Cloud, key: str) -> None:
    cloud.bucket(BUCKET)
    take(key, cloud.put(BUCKET, key, BROWN))

    assert drain() == 1
    assert on_record("key", "status") == [(key, "ingested")]


def test_a_large_object_is_read_in_blocks_and_can_be_read_twice(cloud: Cloud) -> None:
    cloud.bucket(BUCKET)
    content = b"x" * (20 << 20)
    etag = cloud.put(BUCKET, "a.csv", content)
    stored = Bucket(BUCKET, {"": "pms"}).object_told_of(notice("a.csv", etag))

    with stored.open() as stream:
        assert [len(stream.read()), stream.seek(0), len(stream.read())] == [20 << 20, 0, 20 << 20]


def test_the_inbox_and_buckets_are_drained_side_by_side_by_source_time(
    cloud: Cloud, tmp_path: Any
) -> None:
    (tmp_path / "pms").mkdir()
    (tmp_path / "pms" / "b-2025-03-20T06-00-00Z.csv").write_bytes(GREEN)
    cloud.bucket(BUCKET)
    take("a-2025-03-20T05-00-00Z.csv", cloud.put(BUCKET, "a-2025-03-20T05-00-00Z.csv", BROWN))
    folder = {
        "BACKEND": "django.core.files.storage.FileSystemStorage",
        "OPTIONS": {"location": str(tmp_path)},
    }
    with override_settings(STORAGES={"inbox": folder}):
        places = Places.from_settings()
        register(places.inbox.object("pms/b-2025-03-20T06-00-00Z.csv"), found_by=FoundBy.LOOKOUT)
        assert drain() == 2

    assert on_record("bucket", "created", "updated") == [(BUCKET, 1, 0), ("inbox", 0, 1)]


# --- What goes wrong ----------------------------------------------------------------------------


def failure(code: str, status: int = 400) -> ClientError:
    told: Any = {
        "Error": {"Code": code, "Message": "Brown, Emma"},
        "ResponseMetadata": {"HTTPStatusCode": status},
    }
    return ClientError(told, "GetObject")


@pytest.mark.parametrize(
    ("raised", "expected", "said"),
    [
        (failure("NoSuchKey", 404), FileNotFoundError, "No such object"),
        (failure("NoSuchVersion", 404), FileNotFoundError, "No such object"),
        (failure("404", 404), FileNotFoundError, "No such object"),
        (failure("412", 412), FileNotFoundError, "No such object"),
        (failure("AccessDenied", 403), PermissionError, "Access denied"),
        (failure("403", 403), PermissionError, "Access denied"),
        (failure("InvalidObjectState", 403), OSError, "The storage answered InvalidObjectState"),
        (failure("Brown, Emma"), OSError, "The storage answered an error"),
        (failure("SlowDown", 503), StorageUnreachable, "The storage answered SlowDown"),
        (failure("InternalError", 500), StorageUnreachable, "The storage answered InternalError"),
        (failure("ExpiredToken"), StorageUnreachable, "The storage answered ExpiredToken"),
        (failure("NoSuchBucket", 404), StorageUnreachable, "The storage answered NoSuchBucket"),
        (ConnectTimeoutError(endpoint_url="x"), StorageUnreachable, "ConnectTimeoutError"),
        (NoCredentialsError(), StorageUnreachable, "NoCredentialsError"),
    ],
)
def test_errors_of_a_bucket_are_told_apart_and_hold_no_name(
    raised: Exception, expected: type[OSError], said: str
) -> None:
    with pytest.raises(OSError) as told, as_os_errors():
        raise raised
    assert (type(told.value), told.value.strerror) == (expected, said)


def test_a_bucket_that_does_not_answer_holds_up_nobody_and_its_files_stay_to_be_done() -> None:
    with a_cloud(("pms", BUCKET, ""), ("lab", "hospital-lab", "")) as cloud:
        for name in (BUCKET, "hospital-lab"):
            cloud.bucket(name)
            for key in ("a.csv", "b.csv"):
                told = Notice(name, key, "", cloud.put(name, key, BROWN), 1, NOON)
                take_notice(told, Places.from_settings())
        # Nobody may refuse what lies in a bucket that is not there for the moment.
        for key in ("a.csv", "b.csv"):
            cloud.s3.delete_object(Bucket=BUCKET, Key=key)
        cloud.s3.delete_bucket(Bucket=BUCKET)

        assert [drain(), drain()] == [2, 0]
        assert sorted(on_record("bucket", "key", "status", "attempts")) == [
            ("hospital-lab", "a.csv", "ingested", 1),
            ("hospital-lab", "b.csv", "ingested", 1),
            (BUCKET, "a.csv", "received", 0),
            (BUCKET, "b.csv", "received", 0),
        ]


def test_a_version_that_is_gone_is_replayed_from_a_copy_as_itself(
    cloud: Cloud, tmp_path: Any
) -> None:
    cloud.bucket(BUCKET, has_versions=True)
    version = cloud.put(BUCKET, "a.csv", BROWN)
    cloud.s3.delete_object(Bucket=BUCKET, Key="a.csv", VersionId=version)
    take("a.csv", version)
    copy = tmp_path / "copy.csv"
    copy.write_bytes(BROWN)

    replay_files([FeedFile.objects.get()], by="olga", why="found in the archive", path=copy)
    assert on_record("key", "version", "status", "created") == [("a.csv", version, "ingested", 1)]
    assert take("a.csv", version) is None


def test_a_refused_version_is_replayed_from_its_bucket_below_a_newer_one(cloud: Cloud) -> None:
    cloud.bucket(BUCKET)
    etag = cloud.put(BUCKET, "a.csv", b"no,layout\n1,2\n")
    take("a.csv", etag)
    drain()
    assert on_record("version", "status", "refusal") == [(etag, "refused", "unknown_layout")]
    cloud.keep_versions(BUCKET, "Enabled")
    cloud.put(BUCKET, "a.csv", GREEN)

    replay_files([FeedFile.objects.get()], by="olga", why="the layout is declared")
    file = FeedFile.objects.get()
    assert (file.version, file.refusal, file.readings.count()) == (etag, "unknown_layout", 2)
