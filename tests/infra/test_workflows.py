"""The workflows, held to what they promise: each command is ours, each action is one commit, nobody
has more rights than he needs, and no key lies with GitHub.

What GitHub does with them nobody can see here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

PROJECT = Path(__file__).resolve().parent.parent.parent
GITHUB = PROJECT / ".github"
WORKFLOWS = sorted((GITHUB / "workflows").glob("*.yml"))
# The one that stands for steps that several jobs have.
ACTIONS = sorted((GITHUB / "actions").glob("*/action.yml"))
PINNED = (GITHUB / "actions-pinned.md").read_text()

# No job may have more than this; who may have more than reading stands here by name.
MORE_THAN_READING = {
    "cd.yml staging": {"id-token": "write"},
    "cd.yml production": {"id-token": "write", "pull-requests": "read"},
    "codeql.yml analyse": {"security-events": "write"},
    "drill.yml drill": {"id-token": "write"},
    "infrastructure.yml plan": {"id-token": "write"},
}


def read(path: Path) -> dict[str, Any]:
    """A workflow; YAML takes its key `on` for a truth, which is put right."""
    found = yaml.safe_load(path.read_text())
    if True in found:
        found["on"] = found.pop(True)
    return dict(found)


def jobs() -> Iterator[tuple[str, dict[str, Any]]]:
    for path in WORKFLOWS:
        for name, job in read(path)["jobs"].items():
            yield f"{path.name} {name}", job


def steps() -> Iterator[tuple[str, dict[str, Any]]]:
    for name, job in jobs():
        yield from ((name, step) for step in job.get("steps", []))
    for path in ACTIONS:
        yield from ((path.parent.name, step) for step in read(path)["runs"]["steps"])


def used() -> Iterator[tuple[str, str, str]]:
    """Each action that is used: its name, its commit, and the version that stands beside it."""
    for path in [*WORKFLOWS, *ACTIONS]:
        for line in re.findall(r"uses: (.+)", path.read_text()):
            if not line.startswith("./"):
                name, commit, version = re.fullmatch(r"([^@]+)@(\S+) # (\S+)", line).groups()  # type: ignore[union-attr]
                yield name, commit, version


def targets() -> set[str]:
    return set(re.findall(r"^([a-z-]+):", (PROJECT / "Makefile").read_text(), flags=re.MULTILINE))


def test_each_step_is_one_command_that_runs_anywhere() -> None:
    strange = [
        f"{name}: {step['run']}"
        for name, step in steps()
        if "run" in step and not re.fullmatch(r"make [a-z-]+( STAGE=[a-z]+)?", step["run"].strip())
    ]
    assert strange == []


def test_each_command_is_there() -> None:
    asked = {step["run"].split()[1] for _, step in steps() if "run" in step}
    assert asked - targets() == set()


def test_each_command_is_in_the_papers() -> None:
    paper = (PROJECT / "docs" / "pipeline.md").read_text()
    asked = {step["run"].split()[1] for _, step in steps() if "run" in step}
    assert {f"`make {each}" for each in asked if f"`make {each}" not in paper} == set()


def test_each_action_is_one_commit_and_stands_in_the_list() -> None:
    wrong = [
        f"{name}@{commit} # {version}"
        for name, commit, version in used()
        if not re.fullmatch(r"[0-9a-f]{40}", commit)
        or f"| `{name}` | {version} | `{commit}` |" not in PINNED
    ]
    assert wrong == []


def test_the_list_holds_no_action_that_nobody_uses() -> None:
    listed = re.findall(r"^\| `([^`]+)` \| \S+ \| `([0-9a-f]{40})` \|", PINNED, flags=re.MULTILINE)
    assert set(listed) == {(name, commit) for name, commit, _ in used()}


def test_a_workflow_has_no_rights_of_its_own_and_a_job_those_it_is_known_for() -> None:
    assert [path.name for path in WORKFLOWS if read(path)["permissions"] != {}] == []
    wrong = [
        f"{name}: {job.get('permissions')}"
        for name, job in jobs()
        if job.get("permissions") != {"contents": "read"} | MORE_THAN_READING.get(name, {})
    ]
    assert wrong == []


def test_each_job_ends() -> None:
    # One that calls another workflow has that one's limits.
    endless = [name for name, job in jobs() if "timeout-minutes" not in job and "uses" not in job]
    assert endless == []


def test_two_runs_of_one_thing_do_not_run_at_once() -> None:
    alone = {name: job.get("concurrency", {}).get("group") for name, job in jobs()}
    whole = {path.name for path in WORKFLOWS if "concurrency" in read(path)}

    assert whole == {"ci.yml", "codeql.yml", "drill.yml", "infrastructure.yml"}
    assert alone["cd.yml staging"] == "deploy-staging"
    assert alone["cd.yml production"] == "deploy-production"


@pytest.mark.parametrize("name", ["staging", "production"])
def test_a_deployment_that_is_under_way_is_never_cancelled_by_the_next(name: str) -> None:
    job = read(GITHUB / "workflows" / "cd.yml")["jobs"][name]
    assert job["concurrency"]["cancel-in-progress"] is False


def test_no_checkout_leaves_its_token_behind() -> None:
    checkouts = [
        step for _, step in steps() if step.get("uses", "").startswith("actions/checkout@")
    ]
    kept = [
        step for step in checkouts if step.get("with", {}).get("persist-credentials") is not False
    ]

    assert kept == []
    assert len(checkouts) == sum("steps" in job for _, job in jobs())


def test_aws_is_met_by_a_role_and_no_key_lies_with_github() -> None:
    met = [
        step["with"] for _, step in steps() if "configure-aws-credentials" in step.get("uses", "")
    ]
    text = "".join(path.read_text() for path in [*WORKFLOWS, *ACTIONS])

    assert len(met) == 4
    assert {with_["role-to-assume"] for with_ in met} == {"${{ vars.AWS_ROLE }}"}
    assert re.search(r"aws-access-key-id|aws-secret|AWS_ACCESS_KEY|AWS_SECRET", text) is None
    assert set(re.findall(r"secrets\.(\w+)", text)) == {"SAFETY_API_KEY"}


def test_no_job_that_meets_aws_runs_for_a_fork() -> None:
    for name, job in jobs():
        if job.get("permissions", {}).get("id-token") and name.startswith("infrastructure.yml"):
            assert job["if"] == (
                "github.event.pull_request.head.repo.full_name == github.repository"
            )
    triggers = {path.name: set(read(path)["on"]) for path in WORKFLOWS}
    assert [name for name, on in triggers.items() if "pull_request_target" in on] == []
    assert [name for name, on in triggers.items() if "workflow_run" in on] == []
    assert triggers["cd.yml"] == {"push", "workflow_dispatch"}


def test_what_others_write_never_stands_in_a_command() -> None:
    said = [step["run"] for _, step in steps() if "${{" in step.get("run", "")]
    assert said == []


def test_each_version_of_python_and_node_that_is_supported_is_tried() -> None:
    matrix = read(GITHUB / "workflows" / "ci.yml")["jobs"]["unit"]["strategy"]["matrix"]["include"]
    assert [(each["python"], each["node"]) for each in matrix] == [
        ("3.11", "20"), ("3.12", "22"), ("3.13", "24"),
    ]  # fmt: skip


def test_production_comes_after_staging_and_staging_after_every_check() -> None:
    cd = read(GITHUB / "workflows" / "cd.yml")["jobs"]
    runs = [step["run"] for step in cd["production"]["steps"] if "run" in step]

    assert cd["staging"]["needs"] == "ci"
    assert cd["production"]["needs"] == "staging"
    assert cd["production"]["environment"] == "production"
    assert runs == [
        "make evidence STAGE=production",
        "make deploy STAGE=production",
        "make smoke STAGE=production",
        "make watch STAGE=production",
        "make rollback STAGE=production",
    ]


def test_only_what_was_deployed_is_rolled_back() -> None:
    steps_ = read(GITHUB / "workflows" / "cd.yml")["jobs"]["production"]["steps"]
    assert steps_[-1]["if"] == (
        "${{ failure() && (steps.smoke.outcome == 'failure' || steps.watch.outcome == 'failure') }}"
    )
