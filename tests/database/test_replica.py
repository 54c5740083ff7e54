"""Reads that may be a little old go to the replica, and nobody misses what he wrote himself."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.database.replica import replicated_place


@pytest.fixture(scope="module", name="told")
def _told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    data: Path = tmp_path_factory.mktemp("replicated") / "data"
    data.mkdir()
    with replicated_place(data) as place:
        told: dict[str, Any] = json.loads(
            place.run("-m", "tests.database.replica_story", DATABASE_READER_MAX_LAG_SECONDS="60")
        )
    return told


def test_lists_of_what_is_past_are_read_from_the_replica_and_nothing_else_is(
    told: dict[str, Any],
) -> None:
    assert told["state"] == ["well", True]
    assert {name for name, at_replica in told["lists"].items() if at_replica} == {
        "files",
        "trail",
        "tests",
    }


def test_a_history_from_the_replica_says_as_of_when_it_is(told: dict[str, Any]) -> None:
    assert told["history"] == [True, True, 2]


def test_whoever_wrote_reads_it_although_the_replica_has_it_not_and_others_are_answered_there(
    told: dict[str, Any],
) -> None:
    assert told["after her own write"] == [False, True]
    assert told["somebody else"] == [True, False]
    assert told["files while paused"] == [2, 0]


def test_the_replica_is_asked_again_once_it_has_replayed_that_write(told: dict[str, Any]) -> None:
    assert told["once it has caught up"] == [True, True]


def test_a_conditional_question_is_never_answered_from_the_replica(told: dict[str, Any]) -> None:
    assert told["conditional"] == [False, 304]


def test_it_is_not_asked_outside_of_requests_nor_where_something_was_written(
    told: dict[str, Any],
) -> None:
    assert told["no request"] == [False, True]
    assert told["in a transaction"] is False
    assert told["in a request that wrote"] is False


def test_one_that_is_far_behind_or_no_replica_at_all_is_not_asked(told: dict[str, Any]) -> None:
    assert told["too far behind"] is False
    assert told["no replica"] == [False, "degraded"]


def test_what_fails_there_is_asked_of_the_writer(told: dict[str, Any]) -> None:
    assert told["fails half-way"] == ["reader", "default", "default"]


def test_without_it_every_page_is_answered_and_the_state_says_so(told: dict[str, Any]) -> None:
    assert told["gone"] == [[200, 200, 200], True, "degraded"]


def test_a_session_at_the_replica_cannot_write(told: dict[str, Any]) -> None:
    assert told["writing there"] == "cannot execute INSERT in a read-only transaction"
