"""What no notice told of is found by listing the buckets, once, and operators are told."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import pytest
import time_machine
from django.test import Client

from ingestion.choices import FileStatus
from ingestion.models import FeedFile
from ingestion.notices import Notice
from ingestion.services.claims import claimed
from ingestion.services.draining import drain
from ingestion.services.noticing import take_notice
from ingestion.services.reconciling import reconcile
from ingestion.storage import Places
from ingestion.tasks import reconcile_buckets
from tests.deliveries import NOON
from tests.ingestion.clouds import Cloud, a_cloud, people
from tests.ingestion.terminal import run

BUCKET = "hospital-pms"
pytestmark = pytest.mark.usefixtures("at_noon")


@pytest.fixture
def cloud() -> Iterator[Cloud]:
    with a_cloud() as cloud:
        yield cloud


def sweep() -> list[tuple[Any, ...]]:
    """Two minutes later, list the buckets; give source, listed, found and error of each."""
    with time_machine.travel(NOON.replace(minute=2), tick=False):
        told = reconcile(Places.from_settings(), now=NOON.replace(minute=2))
    assert told is not None
    return [(one.source, one.listed, one.found, one.error) for one in told]


def on_record(*names: str) -> list[tuple[Any, ...]]:
    return list(FeedFile.objects.order_by("key", "pk").values_list(*names))


def test_what_no_notice_told_of_is_found_once_and_said(
    cloud: Cloud, caplog: pytest.LogCaptureFixture
) -> None:
    cloud.bucket(BUCKET, has_versions=True)
    told = cloud.put(BUCKET, "a.csv", people("P1,Emma,Brown,"))
    take_notice(Notice(BUCKET, "a.csv", told, "", 1, NOON), Places.from_settings())
    lost = [cloud.put(BUCKET, "b b+ü.csv", people(f"P2,Otto,{name},")) for name in ("Fox", "Elk")]

    with caplog.at_level(logging.WARNING):
        assert sweep() == [("pms", 3, 2, "")]
    assert drain() == 3
    assert sweep() == [("pms", 3, 0, "")]
    assert sorted(on_record("key", "version", "found_by", "status")) == sorted(
        [
            ("a.csv", told, "notice", "ingested"),
            *(("b b+ü.csv", version, "sweep", "ingested") for version in lost),
        ]
    )
    said = [(each.getMessage(), each.source, each.count) for each in caplog.records]  # type: ignore[attr-defined]
    assert said == [("objects found of which no notice told", "pms", 2)]


def test_a_notice_that_comes_after_the_sweep_changes_nothing(cloud: Cloud) -> None:
    cloud.bucket(BUCKET)
    etag = cloud.put(BUCKET, "a.csv", people("P1,Emma,Brown,"))
    sweep()

    late = Notice(BUCKET, "a.csv", "", etag, 1, NOON)
    assert take_notice(late, Places.from_settings()) is not None  # still to be done
    drain()
    assert take_notice(late, Places.from_settings()) is None
    assert on_record("found_by", "status") == [("sweep", "ingested")]


def test_what_was_put_within_the_last_minute_is_left_to_its_notice(
    cloud: Cloud, at_noon: time_machine.Traveller
) -> None:
    cloud.bucket(BUCKET)
    cloud.put(BUCKET, "old.csv", people("P1,Emma,Brown,"))
    at_noon.shift(1)
    cloud.put(BUCKET, "new.csv", people("P2,Otto,Fox,"))
    at_noon.shift(59)

    told = reconcile(Places.from_settings(), now=NOON.replace(minute=1))
    assert told is not None
    assert [one.found for one in told] == [1]
    assert on_record("key") == [("old.csv",)]


def test_markers_of_folders_and_deletions_and_names_left_alone_are_passed_over(
    cloud: Cloud,
) -> None:
    cloud.bucket(BUCKET, has_versions=True)
    for key in ("pms/", "pms/.hidden.csv", "pms/a.csv.part", "pms/A.TMP"):
        cloud.put(BUCKET, key, b"")
    cloud.s3.delete_object(Bucket=BUCKET, Key="never-there.csv")

    assert sweep() == [("pms", 0, 0, "")]
    assert FeedFile.objects.count() == 0


def test_every_page_of_a_bucket_is_held_against_the_record_by_one_query(
    cloud: Cloud, django_assert_num_queries: Any
) -> None:
    cloud.bucket(BUCKET, has_versions=True)
    versions = [cloud.put(BUCKET, f"{number:05}.csv", b"") for number in range(1001)]
    FeedFile.objects.bulk_create(
        FeedFile(
            bucket=BUCKET,
            key=f"{number:05}.csv",
            version=version,
            source="pms",
            size=0,
            last_modified=NOON,
            source_time=NOON,
            received_at=NOON,
            status=FileStatus.RECEIVED,
        )
        for number, version in enumerate(versions)
    )

    # Two pages, and the lock taken and given back.
    with django_assert_num_queries(2 + 2):
        assert sweep() == [("pms", 1001, 0, "")]


def test_a_prefix_is_listed_for_its_own_source_alone() -> None:
    with a_cloud(("north", "hospital-lab", "north/"), ("south", "hospital-lab", "s/")) as cloud:
        cloud.bucket("hospital-lab")
        for key in ("north/a.csv", "north/b.csv", "s/a.csv", "elsewhere/a.csv"):
            cloud.put("hospital-lab", key, people("P1,Emma,Brown,"))

        assert sweep() == [("north", 2, 2, ""), ("south", 1, 1, "")]
    assert on_record("source", "key") == [
        ("north", "north/a.csv"),
        ("north", "north/b.csv"),
        ("south", "s/a.csv"),
    ]


def test_a_bucket_that_cannot_be_listed_is_told_of_and_does_not_stop_the_others(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with a_cloud(("gone", "hospital-gone", ""), ("pms", BUCKET, "")) as cloud:
        cloud.bucket(BUCKET)
        cloud.put(BUCKET, "a.csv", people("P1,Emma,Brown,"))

        missing = "The storage answered NoSuchBucket"
        assert sweep() == [("gone", 0, 0, missing), ("pms", 1, 1, "")]
    assert "bucket cannot be listed" in caplog.messages


def test_a_file_refused_as_vanished_that_is_there_is_to_be_done_again(cloud: Cloud) -> None:
    cloud.bucket(BUCKET)
    etag = cloud.put(BUCKET, "a.csv", people("P1,Emma,Brown,"))
    cloud.s3.delete_object(Bucket=BUCKET, Key="a.csv")
    take_notice(Notice(BUCKET, "a.csv", "", etag, 1, NOON), Places.from_settings())
    assert on_record("status", "refusal") == [("refused", "vanished")]
    cloud.put(BUCKET, "a.csv", people("P1,Emma,Brown,"))

    assert sweep() == [("pms", 1, 1, "")]
    assert drain() == 1
    assert sweep() == [("pms", 1, 0, "")]
    assert on_record("status", "refusal") == [("ingested", "")]


def test_the_same_bytes_put_again_are_found_though_their_first_time_is_on_record(
    cloud: Cloud, at_noon: time_machine.Traveller
) -> None:
    cloud.bucket(BUCKET)
    for _ in range(2):
        cloud.put(BUCKET, "a.csv", people("P1,Emma,Brown,"))
        assert sweep() == [("pms", 1, 1, "")]
        at_noon.shift(30)

    assert sweep() == [("pms", 1, 0, "")]
    assert on_record("source_time") == [(NOON,), (NOON.replace(second=30),)]


def test_the_command_counts_per_source_and_exits_with_what_could_not_be_listed(
    at_noon: time_machine.Traveller,
) -> None:
    with a_cloud(("pms", BUCKET, ""), ("gone", "hospital-gone", "")) as cloud:
        cloud.bucket(BUCKET)
        cloud.put(BUCKET, "a.csv", people("P1,Emma,Brown,"))
        at_noon.shift(60)
        ran = run("reconcile")

    ended = "It could not be listed to its end: The storage answered NoSuchBucket"
    assert (ran.code, ran.out.splitlines()) == (
        1,
        [
            "pms: 1 listed, 1 of which no notice told",
            f"gone: 0 listed, 0 of which no notice told. {ended}",
        ],
    )


def test_without_a_bucket_the_command_says_what_to_set() -> None:
    ran = run("reconcile")
    assert (ran.code, ran.err) == (1, "No bucket is declared: set HOSPITAL_BUCKETS.")


def test_the_task_finds_and_hands_over_to_a_worker(
    cloud: Cloud, at_noon: time_machine.Traveller
) -> None:
    cloud.bucket(BUCKET)
    cloud.put(BUCKET, "a.csv", people("P1,Emma,Brown,"))
    at_noon.shift(90)

    assert [reconcile_buckets(), reconcile_buckets()] == [1, 0]
    assert on_record("status", "found_by") == [("received", "sweep")]


def test_operators_filter_files_by_what_told_of_them_first(cloud: Cloud, operator: Client) -> None:
    cloud.bucket(BUCKET)
    cloud.put(BUCKET, "a.csv", people("P1,Emma,Brown,"))
    sweep()
    drain()

    page = operator.get("/admin/ingestion/feedfile/?found_by__exact=sweep").content.decode()
    assert "The sweep, of which no notice told" in page
    assert "a.csv" in page
    (listed,) = operator.get("/api/v1/feed-files/").json()["results"]
    assert (listed["key"], listed["found_by"]) == ("a.csv", "sweep")


def test_the_sweeps_lock_is_given_back() -> None:
    with a_cloud() as cloud:
        cloud.bucket(BUCKET)
        assert sweep() == sweep()
        with claimed(0x5649_4749_4C05) as is_free:
            assert is_free
