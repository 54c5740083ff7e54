"""What the pipeline hands in before a deployment: with what GitHub would say, in its own words, and
with the commands and the database as they are.
"""

from __future__ import annotations

from typing import Any

import pytest

from ops.models import AuditEvent, ChecklistTick, Deployment
from tests.infra.scripts import load
from tests.ingestion import terminal

evidence = load("evidence")
COMMIT, HEAD = "01234567" * 5, "76543210" * 5
RUN = evidence.Run("hospital/vigil", COMMIT, "https://github.example/runs/981", "", "")


def review(name: str, state: str = "APPROVED", commit: str = HEAD) -> dict[str, Any]:
    return {"user": {"login": name}, "state": state, "commit_id": commit}


def pull(**more: Any) -> dict[str, Any]:
    return {
        "number": 12, "merged_at": "2026-11-28T10:00:00Z", "merge_commit_sha": COMMIT,
        "user": {"login": "olga"}, "head": {"sha": HEAD},
    } | more  # fmt: skip


def github(
    *,
    pulls: list[dict[str, Any]] | None = None,
    reviews: list[dict[str, Any]] | None = None,
    files: tuple[str, ...] = ("CHANGELOG.md", "ops/smoke.py"),
) -> Any:
    answers = {
        f"commits/{COMMIT}/pulls": [pull()] if pulls is None else pulls,
        "pulls/12/reviews?per_page=100": [review("ines")] if reviews is None else reviews,
        "pulls/12/files?per_page=100": [{"filename": name} for name in files],
    }
    return answers.__getitem__


def manage(*words: str) -> tuple[int, str]:
    ran = terminal.run(*words)
    return ran.code, ran.out


PASSED = "Passed on 012345670123: https://github.example/runs/981"


def test_what_github_says_is_said() -> None:
    assert evidence.notes(RUN, github()) == {
        "integration-tests": PASSED,
        "review": "Pull request 12 by olga, approved by ines.",
        "docs": "Pull request 12 changed CHANGELOG.md.",
    }


@pytest.mark.parametrize(
    "reviews",
    [
        [],
        [review("olga")],  # her own
        [review("ines", "COMMENTED")],
        [review("ines", commit=COMMIT)],  # of what it was before
        [review("ines"), review("ines", "CHANGES_REQUESTED")],
        [review("ines"), review("ines", "DISMISSED")],
    ],
)
def test_what_is_no_approval_of_what_was_merged_is_no_review(
    reviews: list[dict[str, Any]],
) -> None:
    assert set(evidence.notes(RUN, github(reviews=reviews))) == {"integration-tests", "docs"}


def test_without_a_line_in_the_changelog_the_papers_are_left_to_people() -> None:
    assert set(evidence.notes(RUN, github(files=("a.py",)))) == {"integration-tests", "review"}


@pytest.mark.parametrize(
    "pulls",
    [[], [pull(merged_at=None)], [pull(merge_commit_sha=HEAD)], [pull(), pull(number=13)]],
)
def test_a_commit_that_no_one_pull_request_brought_was_reviewed_by_nobody(
    pulls: list[dict[str, Any]],
) -> None:
    assert evidence.notes(RUN, github(pulls=pulls)) == {"integration-tests": PASSED}


@pytest.mark.django_db
def test_it_is_ticked_on_the_plan_of_this_commit_and_on_the_trail() -> None:
    assert evidence.hand_in("production", RUN, {"review": "Seen.", "docs": "Seen."}, manage) == 0

    planned = Deployment.objects.get()
    assert (planned.stage, planned.commit, planned.status) == ("production", COMMIT, "planned")
    ticks = ChecklistTick.objects.order_by("key").values_list("key", "state", "by", "note")
    assert list(ticks) == [
        ("docs", "green", "the pipeline", "Seen."),
        ("review", "green", "the pipeline", "Seen."),
    ]
    assert AuditEvent.objects.filter(who="the pipeline").count() == 4


@pytest.mark.django_db
def test_a_run_that_is_repeated_makes_no_second_plan() -> None:
    evidence.hand_in("production", RUN, {"docs": "Seen."}, manage)
    evidence.hand_in("production", RUN, {"docs": "Seen again."}, manage)

    assert Deployment.objects.count() == 1


@pytest.mark.django_db
def test_an_item_that_there_is_not_is_not_taken_for_handed_in() -> None:
    assert evidence.hand_in("production", RUN, {"nothing-like-it": "Seen."}, manage) == 1
    assert ChecklistTick.objects.count() == 0
