"""Hands in, before a production deployment, what the pipeline saw of the items that people see to.

    evidence.py STAGE

Three items of the list *before* are ticked with what GitHub itself says of this commit: that its
pull request was approved by somebody else, that it changed the changelog, and that the run in which
this is said passed the integration tests, since nothing gets here without. What GitHub does not say
is left open, and the deployment refuses to begin: then a person looks. Nothing is ever excepted.

Knows GitHub's API and manage.py's commands. Must not know how a checklist is kept.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parent.parent
STAGES = {"dev": "development", "staging": "staging", "production": "production"}
Ask = Callable[[str], Any]
# Gives the exit status of a command of manage.py, and what it printed.
Manage = Callable[..., tuple[int, str]]


@dataclass(frozen=True)
class Run:
    """What GitHub tells each of its runs about itself."""

    repository: str
    commit: str
    address: str
    api: str
    token: str

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> Run:
        """Read it from the environment. Raises KeyError where this is no run of GitHub's."""
        server, repository = environment["GITHUB_SERVER_URL"], environment["GITHUB_REPOSITORY"]
        return cls(
            repository=repository,
            commit=environment["GITHUB_SHA"],
            address=f"{server}/{repository}/actions/runs/{environment['GITHUB_RUN_ID']}",
            api=environment["GITHUB_API_URL"],
            token=environment["GITHUB_TOKEN"],
        )

    def ask(self, path: str) -> Any:
        """Ask GitHub's API about this repository."""
        request = urllib.request.Request(
            f"{self.api}/repos/{self.repository}/{path}",
            headers={
                "Accept": "application/vnd.github+json",
                "Authorization": f"Bearer {self.token}",
                "X-GitHub-Api-Version": "2022-11-28",
            },
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)


def main(arguments: list[str]) -> int:
    if len(arguments) != 1 or arguments[0] not in STAGES:
        sys.exit(f"Say which stage: one of {', '.join(STAGES)}.")
    (stage,) = arguments
    try:
        run = Run.of(os.environ)
    except KeyError as missing:
        sys.exit(f"{missing} is not set: this is said by GitHub's own runs alone.")
    os.environ["HOSPITAL_AWS_STAGE"] = stage
    return hand_in(STAGES[stage], run, notes(run, run.ask), manage)


def notes(run: Run, ask: Ask) -> dict[str, str]:
    """Say of each item what was seen; what was not seen is not there."""
    found = {"integration-tests": f"Passed on {run.commit[:12]}: {run.address}"}
    pull = merged_pull(run, ask)
    if pull is None:
        return found
    number, author = pull["number"], pull["user"]["login"]
    if others := approvals(
        ask(f"pulls/{number}/reviews?per_page=100"), author, pull["head"]["sha"]
    ):
        who = ", ".join(sorted(others))
        found["review"] = f"Pull request {number} by {author}, approved by {who}."
    files = [each["filename"] for each in ask(f"pulls/{number}/files?per_page=100")]
    if "CHANGELOG.md" in files:
        found["docs"] = f"Pull request {number} changed CHANGELOG.md."
    return found


def merged_pull(run: Run, ask: Ask) -> dict[str, Any] | None:
    """Find the pull request that brought this commit; not one that merely contains it."""
    pulls: list[dict[str, Any]] = ask(f"commits/{run.commit}/pulls")
    brought = [
        each for each in pulls if each["merged_at"] and each["merge_commit_sha"] == run.commit
    ]
    return brought[0] if len(brought) == 1 else None


def approvals(reviews: list[dict[str, Any]], author: str, commit: str) -> set[str]:
    """Name who approved what was merged, by their last word; the author is nobody's second eye."""
    last = {
        each["user"]["login"]: each
        for each in reviews
        if each["user"] and each["state"] in {"APPROVED", "CHANGES_REQUESTED", "DISMISSED"}
    }
    return {
        name
        for name, each in last.items()
        if each["state"] == "APPROVED" and each["commit_id"] == commit and name != author
    }


def hand_in(stage: str, run: Run, seen: Mapping[str, str], manage: Manage) -> int:
    """Tick what was seen on the plan of this commit, and look whether it is on record."""
    number = planned(stage, run, manage)
    if number is None:
        return 1
    for key, note in seen.items():
        # It ends with 1 as long as anything else is open: what counts is asked below.
        manage(*listed(number), "--tick", key, "--note", note, "--by", "the pipeline")
    _, printed = manage(*listed(number), "--show", "--json")
    found = json.loads(printed.splitlines()[0])["items"]
    state = {key: each["state"] for key, each in found.items()}
    for key, note in seen.items():
        print(f"{state.get(key, 'missing'):<8} {key}: {note}")
    if left := sorted({"review", "integration-tests", "docs"} - set(seen)):
        print(f"Left to people: {', '.join(left)} (deployment {number}; docs/pipeline.md).")
    return 0 if all(state.get(key) == "green" for key in seen) else 1


def listed(number: int) -> tuple[str, ...]:
    return ("checklist", "before", "--deployment", str(number))


def planned(stage: str, run: Run, manage: Manage) -> int | None:
    """Find the plan of this very commit, or make it: a run that is repeated makes no second one."""
    if (number := plan_of(stage, run, manage)) is not None:
        return number
    version = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]["version"]
    facts = ("--stage", stage, "--release", version, "--commit", run.commit)
    status, printed = manage("recorddeployment", "plan", *facts, "--by", "the pipeline")
    print(printed.strip())
    return plan_of(stage, run, manage) if status == 0 else None


def plan_of(stage: str, run: Run, manage: Manage) -> int | None:
    status, printed = manage("deployments", "--stage", stage, "--json")
    if status:
        sys.exit(f"What is on record cannot be told: {printed.strip()}")
    found: list[dict[str, Any]] = json.loads(printed)
    return next(
        (
            each["number"]
            for each in found
            if each["status"] == "planned" and each["commit"] == run.commit
        ),
        None,
    )


def manage(*words: str) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "manage.py", *words],
        cwd=PROJECT, stdout=subprocess.PIPE, text=True, check=False,
    )  # fmt: skip
    return done.returncode, done.stdout


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
