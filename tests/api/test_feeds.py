"""Feeds and files: every file and row accounted for."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.test import Client

from ingestion.models import Feed, FeedFile
from tests.deliveries import (
    NOON,
    admission,
    admit,
    deliver,
    deliver_lines,
    lab_result,
    lab_test,
    order,
    patient,
)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("at_noon")]


def feeds(browser: Client) -> dict[str, Any]:
    body: dict[str, Any] = browser.get("/api/v1/feeds/").json()
    return body


def files(browser: Client, query: str = "") -> list[dict[str, Any]]:
    answer = browser.get(f"/api/v1/feed-files/{query}")
    assert answer.status_code == 200, answer.content
    results: list[dict[str, Any]] = answer.json()["results"]
    return results


def test_a_feed_tells_its_newest_file_and_adds_up_its_books(lab_staff: Client) -> None:
    deliver(patient("1"), patient("2"))
    deliver(admission("C1", "1", hours=5), at=NOON - timedelta(minutes=3))
    newest = deliver(
        admission("C9", "9", hours=5),
        {**admission("C2", "2", hours=5), "admission_time": "noon"},
        admission("C3", "2", hours=5, release_date="never"),
    )
    (feed,) = [one for one in feeds(lab_staff)["results"] if one["feed"] == "pms.admissions"]
    del feed["id"]
    assert feed == {
        "feed": "pms.admissions",
        "source": "pms",
        "system": "PMS",
        "freshness": "fresh",
        "newest_source_time": "2025-03-20T12:00:00Z",
        "silent_since": None,
        "interval_minutes": 15,
        "newest_file": {
            "key": newest,
            "source_time": "2025-03-20T12:00:00Z",
            "finished_at": "2025-03-20T12:00:00Z",
            "rows": 3,
        },
        "files": {"ingested": 2, "refused": 0},
        "rows": 4,
        "rejected": 1,
        "waiting": 1,
        "flaws": 1,
    }


def test_a_row_that_has_been_applied_waits_no_longer(lab_staff: Client) -> None:
    deliver(lab_result("R1", "T1", "5", hours=2), source="lis")
    (feed,) = feeds(lab_staff)["results"]
    assert feed["waiting"] == 1
    order("T1", "1", "CRP", hours=3)
    deliver(patient("1"))
    waiting = {one["feed"]: one["waiting"] for one in feeds(lab_staff)["results"]}
    assert waiting == {"lis.lab_results": 0, "lis.lab_tests": 0, "pms.patients": 0}


def test_a_row_that_was_said_again_rightly_is_rejected_no_longer(lab_staff: Client) -> None:
    deliver(patient("1"))
    torn = {**admission("C1", "1", hours=5), "admission_time": "noon"}
    deliver(torn, at=NOON - timedelta(minutes=1))
    deliver(admission("C1", "1", hours=5))
    rejected = {one["feed"]: one["rejected"] for one in feeds(lab_staff)["results"]}
    assert rejected == {"pms.admissions": 0, "pms.patients": 0}


def test_refused_files_belong_to_no_feed_and_are_counted(lab_staff: Client) -> None:
    deliver_lines("what,is,this")
    body = feeds(lab_staff)
    assert (body["results"], body["refused_files_without_feed"]) == ([], 1)


def test_a_file_that_is_not_done_is_counted(lab_staff: Client) -> None:
    times = dict.fromkeys(("last_modified", "source_time", "received_at"), NOON)
    FeedFile.objects.create(bucket="inbox", key="k", version="v", source="pms", size=1, **times)
    assert feeds(lab_staff)["files_not_done"] == 1
    (file,) = files(lab_staff, "?status=received")
    assert (file["key"], file["finished_at"], file["feed"], file["reason"]) == (
        "k",
        None,
        None,
        None,
    )


def test_a_retired_feed_is_listed_no_more(lab_staff: Client) -> None:
    deliver(patient("1"))
    Feed.objects.update(retired_at=NOON)
    assert feeds(lab_staff)["results"] == []


def test_a_feed_is_silent_after_its_own_interval(
    lab_staff: Client, at_noon: time_machine.Traveller
) -> None:
    deliver(patient("1"))
    Feed.objects.update(interval_minutes=60)

    def freshness() -> str:
        word: str = feeds(lab_staff)["results"][0]["freshness"]
        return word

    at_noon.shift(timedelta(minutes=48))
    assert freshness() == "fresh"
    at_noon.shift(1)
    assert freshness() == "late"
    at_noon.shift(timedelta(minutes=12) - timedelta(seconds=1))
    assert freshness() == "late"
    at_noon.shift(1)
    assert freshness() == "silent"


def test_on_a_late_feed_rules_still_rest(nurse: Client, at_noon: time_machine.Traveller) -> None:
    admit("1", "Brown, Emma", hours=60)
    deliver(lab_test("T9", "9", "Sodium", hours=1), source="lis")
    at_noon.shift(timedelta(minutes=13))

    board = nurse.get("/api/v1/board/").json()

    assert {one["freshness"] for one in board["feeds"]} == {"late"}
    assert {one["silent_since"] for one in board["feeds"]} == {None}
    assert (board["counts"]["due"], board["counts"]["cannot_know"]) == (1, 0)
    assert [one["kind"] for one in board["doubts"]] == []


def test_files_are_listed_newest_first_with_their_ledgers(lab_staff: Client) -> None:
    first = deliver(patient("1"), patient("2"))
    second = deliver_lines("what,is,this")
    third = deliver(patient("1", "Brown, Emilia"), patient("2"), {**patient("3"), "patient_id": ""})
    listed = files(lab_staff)
    assert [file["key"] for file in listed] == [third, second, first]
    ledger = (
        "rows",
        "created",
        "updated",
        "unchanged",
        "superseded",
        "waiting",
        "rejected",
        "flaws",
    )
    assert tuple(listed[0][name] for name in ledger) == (3, 0, 1, 1, 0, 0, 1, 0)
    assert (listed[1]["status"], listed[1]["feed"]) == ("refused", None)
    assert listed[1]["reason"]
    assert (listed[2]["status"], listed[2]["feed"], listed[2]["reason"]) == (
        "ingested",
        "pms.patients",
        None,
    )


def test_files_can_be_narrowed_to_a_feed_and_a_status(lab_staff: Client) -> None:
    key = deliver(patient("1"))
    deliver(admission("C1", "1", hours=5))
    refused = deliver_lines("what,is,this")
    (feed,) = [one["id"] for one in feeds(lab_staff)["results"] if one["feed"] == "pms.patients"]
    assert [file["key"] for file in files(lab_staff, f"?feed={feed}")] == [key]
    assert [file["key"] for file in files(lab_staff, "?status=refused")] == [refused]
    assert files(lab_staff, f"?status=refused&feed={feed}") == []
    assert files(lab_staff, "?feed=999") == []


def test_files_come_in_pages_that_hold_each_once(lab_staff: Client) -> None:
    keys = [deliver_lines("what,is,this", at=NOON - timedelta(seconds=n)) for n in range(101)]
    first = lab_staff.get("/api/v1/feed-files/").json()
    second = lab_staff.get(f"/api/v1/feed-files/?cursor={first['next']}").json()
    shown = [file["key"] for file in first["results"] + second["results"]]
    assert (len(first["results"]), second["next"], shown) == (100, None, keys[::-1])


@pytest.mark.parametrize("query", ["?feed=lis", "?feed=-1", "?status=lost", "?page=2", "?cursor=1"])
def test_a_parameter_that_says_nothing_sensible_is_refused(lab_staff: Client, query: str) -> None:
    assert lab_staff.get(f"/api/v1/feed-files/{query}").status_code == 400
