"""The way into a stage's network, on stand-ins for what lies outside this machine: the program
`aws`, and ECS.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws

from tests.infra.scripts import load
from tests.ingestion.clouds import made_up_credentials

inside = load("inside")
PLACE = inside.Inside("vigil-staging", "vigil-staging-worker", "db.internal", 5432)
TASK = "arn:aws:ecs:eu-central-1:111122223333:task/vigil-staging/0f1e2d3c"


class Ecs:
    """As much of ECS as is asked, with what it answers in AWS's words."""

    def __init__(self, *, containers: list[dict[str, Any]], stops_after: int = 0) -> None:
        self.containers = containers
        self.stops_after = stops_after
        self.started: list[dict[str, Any]] = []
        self.stopped: list[str] = []

    def list_tasks(self, **asked: Any) -> dict[str, Any]:
        assert asked["desiredStatus"] == "RUNNING"
        return {"taskArns": [TASK] if self.containers else []}

    def describe_tasks(self, **asked: Any) -> dict[str, Any]:
        self.stops_after -= 1
        status = "STOPPED" if self.stops_after < 0 else "RUNNING"
        task = {"taskArn": TASK, "lastStatus": status, "containers": self.containers}
        return {"tasks": [task | {"stoppedReason": "Essential container in task exited"}]}

    def describe_services(self, **asked: Any) -> dict[str, Any]:
        network = {"awsvpcConfiguration": {"subnets": ["subnet-1"], "assignPublicIp": "DISABLED"}}
        return {"services": [{"taskDefinition": "worker:7", "networkConfiguration": network}]}

    def describe_task_definition(self, **asked: Any) -> dict[str, Any]:
        return {"taskDefinition": {"containerDefinitions": [{"name": "worker"}]}}

    def run_task(self, **asked: Any) -> dict[str, Any]:
        self.started.append(asked)
        return {"tasks": [{"taskArn": TASK}], "failures": []}

    def stop_task(self, **asked: Any) -> None:
        self.stopped.append(asked["reason"])


def container(*, agent: str = "RUNNING", **more: Any) -> dict[str, Any]:
    agents = [{"name": "ExecuteCommandAgent", "lastStatus": agent}]
    return {"name": "worker", "runtimeId": "0f1e2d3c-99", "managedAgents": agents} | more


@pytest.fixture(name="programs")
def _programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder before all others on the path, for programs that a test invents."""
    folder = tmp_path / "programs"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    return folder


def put(folder: Path, name: str, code: str) -> None:
    program = folder / name
    program.write_text(f"#!{sys.executable}\n{code}\n")
    program.chmod(0o755)


LISTENS = """
import json, os, socket, sys, time
told = json.loads(sys.argv[sys.argv.index("--parameters") + 1])
with open(os.environ["TOLD"], "w") as file:
    json.dump([sys.argv[1:5], told["host"], told["portNumber"], os.getpid()], file)
server = socket.create_server(("127.0.0.1", int(told["localPortNumber"][0])))
time.sleep(60)
"""


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_stage_is_found_by_what_was_handed_over() -> None:
    with made_up_credentials(), mock_aws():
        ssm = boto3.client("ssm")
        for name, value in {
            "application/worker-cluster": "vigil-staging",
            "application/worker-service": "vigil-staging-worker",
            "database/host": "db.internal",
            "database/port": "5432",
        }.items():
            ssm.put_parameter(Name=f"/vigil/staging/{name}", Value=value, Type="String")

        assert inside.find(ssm, "staging") == PLACE
        with pytest.raises(inside.NoWayIn, match=r"production has not handed .*worker-cluster"):
            inside.find(ssm, "production")


def test_the_way_leads_through_a_container_that_can_be_entered() -> None:
    assert inside.target(Ecs(containers=[container()]), PLACE) == (
        "ecs:vigil-staging_0f1e2d3c_0f1e2d3c-99"
    )


@pytest.mark.parametrize("containers", [[], [container(agent="STOPPED")], [{"name": "worker"}]])
def test_without_such_a_container_there_is_no_way_and_it_says_why(
    containers: list[dict[str, Any]],
) -> None:
    with pytest.raises(inside.NoWayIn, match=r"vigil-staging-worker .* none can be entered"):
        inside.target(Ecs(containers=containers), PLACE)


def test_a_tunnel_is_open_while_it_is_needed_and_gone_afterwards(
    programs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = tmp_path / "told"
    monkeypatch.setenv("TOLD", str(told))
    put(programs, "aws", LISTENS)
    put(programs, "session-manager-plugin", "")

    with inside.tunnel("ecs:a_b_c", PLACE, seconds=20) as port:
        words, host, remote, pid = json.loads(told.read_text())
        assert is_alive(pid)

    assert words == ["ssm", "start-session", "--target", "ecs:a_b_c"]
    assert (host, remote) == (["db.internal"], ["5432"])
    assert port != 5432
    until = time.monotonic() + 10
    while is_alive(pid) and time.monotonic() < until:
        time.sleep(0.05)
    assert not is_alive(pid)


def test_a_session_that_is_refused_is_no_tunnel(programs: Path) -> None:
    put(programs, "aws", "raise SystemExit(254)")
    put(programs, "session-manager-plugin", "")

    with (
        pytest.raises(inside.NoWayIn, match="ended with 254 before the way was open"),
        inside.tunnel("ecs:a_b_c", PLACE, seconds=20),
    ):
        raise AssertionError("it was opened")


def test_a_session_that_never_opens_is_given_up(programs: Path) -> None:
    put(programs, "aws", "import time; time.sleep(60)")
    put(programs, "session-manager-plugin", "")

    with (
        pytest.raises(inside.NoWayIn, match="not open after 1 seconds"),
        inside.tunnel("ecs:a_b_c", PLACE, seconds=1),
    ):
        raise AssertionError("it was opened")


def test_what_runs_inside_is_like_the_worker_and_gives_its_status() -> None:
    ecs = Ecs(containers=[container(exitCode=3)], stops_after=2)

    status = inside.run(ecs, PLACE, ["python", "manage.py", "drill"], minutes=1, pause=0)

    assert status == 3
    asked = ecs.started[0]
    assert len(ecs.started) == 1
    assert asked["taskDefinition"] == "worker:7"
    assert asked["networkConfiguration"]["awsvpcConfiguration"]["assignPublicIp"] == "DISABLED"
    assert asked["overrides"] == {
        "containerOverrides": [{"name": "worker", "command": ["python", "manage.py", "drill"]}]
    }
    assert ecs.stopped == []


def test_a_container_that_never_ran_has_failed() -> None:
    ecs = Ecs(containers=[container(agent="STOPPED")])
    assert inside.run(ecs, PLACE, ["true"], minutes=1, pause=0) == 1


def test_what_takes_too_long_inside_is_stopped() -> None:
    ecs = Ecs(containers=[container()], stops_after=1_000_000)

    with pytest.raises(inside.NoWayIn, match="not done after"):
        inside.run(ecs, PLACE, ["sleep"], minutes=0.001, pause=0.01)

    assert ecs.stopped == ["It took too long."]


def test_an_unknown_stage_or_no_command_is_refused_before_anything_is_asked(
    capsys: pytest.CaptureFixture[str],
) -> None:
    for arguments in (
        ["tunnel", "prod", "--", "true"],
        ["tunnel", "staging"],
        ["run", "dev", "--"],
    ):
        with pytest.raises(SystemExit) as stopped:
            inside.parse(arguments)
        assert stopped.value.code == 2
    assert "say after -- what is to be run" in capsys.readouterr().err
