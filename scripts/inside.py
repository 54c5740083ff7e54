"""Reaches what lies in a stage's private network, from outside and without opening it.

    inside.py tunnel STAGE -- COMMAND …    a way to its database while the command runs
    inside.py run STAGE -- COMMAND …       the command in a container of its own, beside the worker

The way leads through the worker's container (ECS Exec): nothing listens to the internet, who may
open it is a matter of IAM, and TLS still asks the database for its own name. What is run inside
leaves its output in the container's log, since it may name patients: only its exit status comes
out.

Knows ECS and Session Manager. Must not know what the commands do.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

# pylint: disable=wrong-import-position
from ops.aws.asking import asking
from ops.errors import CloudRefused, CloudUnreachable

STAGES = ("dev", "staging", "production")
HANDED_OVER = (
    "application/worker-cluster", "application/worker-service", "database/host", "database/port",
)  # fmt: skip
DOCUMENT = "AWS-StartPortForwardingSessionToRemoteHost"
LOOPBACK = "127.0.0.1"


class NoWayIn(Exception):
    """Said in one sentence, with what to do."""


@dataclass(frozen=True)
class Inside:
    """What a stage hands over about itself, as far as it is asked here."""

    cluster: str
    service: str
    host: str
    port: int


def main(arguments: list[str]) -> int:
    options = parse(arguments)
    with asking("ssm") as ssm:
        place = find(ssm, options.stage)
    with asking("ecs") as ecs:
        if options.act == "run":
            return run(ecs, place, options.command, minutes=options.minutes)
        entry = target(ecs, place)
    with tunnel(entry, place, seconds=options.seconds) as port:
        way = {"HOSPITAL_DATABASE_HOSTADDR": LOOPBACK, "HOSPITAL_DATABASE_PORT": str(port)}
        return subprocess.run(options.command, env=os.environ | way, check=False).returncode


def parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="inside.py", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("act", choices=("tunnel", "run"))
    parser.add_argument("stage", choices=STAGES)
    parser.add_argument("--seconds", type=int, default=60, help="wait so long for the tunnel")
    parser.add_argument("--minutes", type=int, default=120, help="let the container run so long")
    # By hand: argparse would take a command's own options for its.
    given, divided, command = arguments, "", list[str]()
    if "--" in arguments:
        at = arguments.index("--")
        given, divided, command = arguments[:at], "--", arguments[at + 1 :]
    options = parser.parse_args(given)
    if not divided or not command:
        parser.error("say after -- what is to be run")
    options.command = command
    return options


def find(ssm: Any, stage: str) -> Inside:
    """Read what the layers handed over. Raises NoWayIn."""
    paths = {f"/vigil/{stage}/{name}": name for name in HANDED_OVER}
    answer = ssm.get_parameters(Names=list(paths))
    found = {paths[each["Name"]]: each["Value"] for each in answer["Parameters"]}
    if missing := [path for path, name in paths.items() if name not in found]:
        raise NoWayIn(
            f"{stage} has not handed over {', '.join(missing)}: is its infrastructure there, and"
            " are these credentials of its account?"
        )
    cluster, service, host, port = (found[name] for name in HANDED_OVER)
    return Inside(cluster, service, host, int(port))


def target(ecs: Any, place: Inside) -> str:
    """Name a running container that can be entered. Raises NoWayIn."""
    arns = ecs.list_tasks(
        cluster=place.cluster, serviceName=place.service, desiredStatus="RUNNING"
    )["taskArns"]
    tasks = ecs.describe_tasks(cluster=place.cluster, tasks=arns)["tasks"] if arns else []
    for task in tasks:
        for container in task["containers"]:
            if can_be_entered(container):
                number = task["taskArn"].rpartition("/")[2]
                return f"ecs:{place.cluster}_{number}_{container['runtimeId']}"
    raise NoWayIn(
        f"The service {place.service} has {len(tasks)} running tasks, and none can be entered: it"
        " must run, with ECS Exec enabled, since before it was started."
    )


def can_be_entered(container: dict[str, Any]) -> bool:
    agents = container.get("managedAgents", [])
    return bool(container.get("runtimeId")) and any(
        agent["name"] == "ExecuteCommandAgent" and agent["lastStatus"] == "RUNNING"
        for agent in agents
    )


@contextlib.contextmanager
def tunnel(entry: str, place: Inside, *, seconds: int) -> Iterator[int]:
    """Open a way to the database and give the port at which it begins. Raises NoWayIn."""
    for program in ("aws", "session-manager-plugin"):
        if shutil.which(program) is None:
            raise NoWayIn(f"{program} is not installed: the way to the database needs it.")
    port = free_port()
    to = {"host": [place.host], "portNumber": [str(place.port)], "localPortNumber": [str(port)]}
    command = ["aws", "ssm", "start-session", "--target", entry, "--document-name", DOCUMENT]
    command += ["--parameters", json.dumps(to)]
    # In a group of its own: the plugin that does the work is a child of a child.
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=sys.stderr, start_new_session=True
    ) as session:
        try:
            wait_for(session, port, seconds=seconds)
            yield port
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(session.pid, signal.SIGTERM)


def wait_for(session: subprocess.Popen[bytes], port: int, *, seconds: int) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if (status := session.poll()) is not None:
            raise NoWayIn(f"The session ended with {status} before the way was open; see above.")
        with contextlib.suppress(OSError), socket.create_connection((LOOPBACK, port), timeout=1):
            return
        time.sleep(0.2)
    raise NoWayIn(f"The way to the database was not open after {seconds} seconds.")


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind((LOOPBACK, 0))
        port: int = taken.getsockname()[1]
        return port


def run(ecs: Any, place: Inside, command: list[str], *, minutes: float, pause: float = 10) -> int:
    """Run a command in a container like the worker's, wait for it and give its exit status."""
    task = start(ecs, place, command)
    print(f"Running inside: {' '.join(command)}\n{task}", flush=True)
    until = time.monotonic() + minutes * 60
    try:
        while time.monotonic() < until:
            (seen,) = ecs.describe_tasks(cluster=place.cluster, tasks=[task])["tasks"]
            if seen["lastStatus"] == "STOPPED":
                return outcome(seen)
            time.sleep(pause)
    except BaseException:
        ecs.stop_task(cluster=place.cluster, task=task, reason="Whoever asked for it went away.")
        raise
    ecs.stop_task(cluster=place.cluster, task=task, reason="It took too long.")
    raise NoWayIn(f"It was not done after {minutes:g} minutes, and was stopped.")


def start(ecs: Any, place: Inside, command: list[str]) -> str:
    """Start it as the worker's service does: same image, role, subnets. Raises NoWayIn."""
    found = ecs.describe_services(cluster=place.cluster, services=[place.service])["services"]
    if not found:
        raise NoWayIn(f"There is no service {place.service} in the cluster {place.cluster}.")
    definition = found[0]["taskDefinition"]
    about = ecs.describe_task_definition(taskDefinition=definition)["taskDefinition"]
    name = about["containerDefinitions"][0]["name"]
    answer = ecs.run_task(
        cluster=place.cluster, taskDefinition=definition, launchType="FARGATE", count=1,
        networkConfiguration=found[0]["networkConfiguration"], startedBy="inside.py",
        overrides={"containerOverrides": [{"name": name, "command": command}]},
    )  # fmt: skip
    if not answer["tasks"]:
        why = "; ".join(each.get("reason", "no reason") for each in answer.get("failures", []))
        raise NoWayIn(f"ECS started no container: {why or 'it gave no reason'}.")
    arn: str = answer["tasks"][0]["taskArn"]
    return arn


def outcome(task: dict[str, Any]) -> int:
    """Give the exit status of a container; one that never ran has failed."""
    status: int | None = task["containers"][0].get("exitCode")
    print(f"Ended with {status}: {task.get('stoppedReason', 'no reason given')}", flush=True)
    return 1 if status is None else status


if __name__ == "__main__":
    # A build server that cancels sends SIGTERM: what is running inside is stopped then, too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        sys.exit(main(sys.argv[1:]))
    except (NoWayIn, CloudRefused, CloudUnreachable) as sentence:
        sys.exit(str(sentence))
    except KeyboardInterrupt:
        sys.exit(130)
