"""What Zappa calls while it works, so that `zappa update production` as typed does all of it.

Zappa loads this file by itself, from the project's folder: it must not import the application. It
fills in what only the infrastructure knows, makes the package what it should be, and carries on
with the other two functions and `manage.py afterdeploy` where Zappa stops.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

PROJECT = Path.cwd()
sys.path.insert(0, str(PROJECT))

# pylint: disable=wrong-import-position
from ops.aws.handover import Handover
from ops.aws.packages import finish
from ops.aws.trees import Tree
from ops.aws.zappa import CALLED

KEPT = PROJECT / ".cache" / "deploy"
SIBLINGS = ("ingestion", "alerts")
_BRINGING = ("deploy", "update")
_PACKING = (*_BRINGING, "package")


class NotBegun(Exception):
    """Zappa must not do its part as things are. Nothing was brought."""


class Unfinished(Exception):
    """Zappa did its part; what has to follow failed, and the whole must not look done."""


def fill_in(cli: Any) -> None:
    """Put in what the settings file cannot know: network and bucket of this stage.

    Called by each of Zappa's commands. Those that have no callback of their own, rollback and
    undeploy, are carried on from here.
    """
    stage, what = _parts(cli)
    if cli.command in _PACKING and not cli.vargs.get("zip") and stage != "dev":
        Tree.look(PROJECT).require_committed()
    if cli.command == "package":
        return  # it asks nothing of AWS
    if CALLED not in os.environ:
        _before(cli, stage, what)
    handed = Handover.read(stage)
    cli.s3_bucket_name = handed.release_bucket
    if subnets := handed.get("network/private-subnets"):
        cli.vpc_config = {
            "SubnetIds": subnets.split(","),
            "SecurityGroupIds": [handed["network/function-security-group"]],
        }
    if what == "api":
        _carry_on_after(cli, "rollback", lambda: ["--num-rollback", str(cli.vargs["num_rollback"])])
        _carry_on_after(cli, "undeploy", lambda: ["--yes"])


def _before(cli: Any, stage: str, what: str) -> None:
    """Do before the code goes live what `manage.py deploy` does. Raises NotBegun."""
    if cli.command not in (*_BRINGING, "rollback"):
        return
    if what != "api" and cli.command in _BRINGING:
        # Its package would be whatever lies here: only the first entry's is finished.
        raise NotBegun(
            f"`zappa {cli.command} {cli.api_stage}` would bring one function alone: type `zappa"
            f" {cli.command} {stage}`, which does all three from one package."
        )
    more = ["--back"] if cli.command == "rollback" else []
    command = [sys.executable, "manage.py", "beforedeploy", stage, *more]
    if subprocess.run(command, cwd=PROJECT, env=os.environ, check=False).returncode:
        raise NotBegun(
            f"`zappa {cli.command} {stage}` was not begun, and no function was touched: what"
            " manage.py beforedeploy says above is the cause."
        )


def finish_package(cli: Any) -> None:
    """Make the package what it should be, whatever lay in the folder, and keep a copy."""
    stage, _ = _parts(cli)
    path = PROJECT / cli.zip_path
    print(f"The package: {finish(path, project=PROJECT, takes_changes=stage == 'dev')}")
    KEPT.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(path, KEPT / f"{stage}.zip")


def carry_on(cli: Any) -> None:
    """After deploy and update: the same package for the other two functions, then settle."""
    stage, _ = _parts(cli)
    package = cli.vargs.get("zip") or str(KEPT / f"{stage}.zip")
    for each in SIBLINGS:
        _zappa(_verb(f"vigil-{stage}-{each}", cli), f"{stage}-{each}", "--zip", package)
    _manage("afterdeploy", stage)


def _verb(function: str, cli: Any) -> str:
    """Deploy a function that there is not, and update one that there is: half a first deployment
    must be able to go on."""
    return "update" if cli.zappa.get_lambda_function_versions(function) else "deploy"


def _carry_on_after(cli: Any, command: str, arguments: Any) -> None:
    """Let a command that has no callback do the other two functions, too."""
    own = getattr(cli, command)

    def whole(*given: Any, **named: Any) -> None:
        stage, _ = _parts(cli)
        own(*given, **named)
        for each in SIBLINGS:
            _zappa(command, f"{stage}-{each}", *arguments())
        if command == "rollback":
            _manage("afterdeploy", stage)

    setattr(cli, command, whole)


def _parts(cli: Any) -> tuple[str, str]:
    stage, _, what = str(cli.api_stage).partition("-")
    return stage, what or "api"


def _zappa(*arguments: str) -> None:
    _run([str(Path(sys.prefix) / "bin" / "zappa"), *arguments], **{CALLED: "1"})


def _manage(*arguments: str) -> None:
    _run([sys.executable, "manage.py", *arguments])


def _run(command: list[str], **more: str) -> None:
    words = " ".join([Path(command[0]).name, *command[1:]])
    print(f"── {words}", flush=True)
    done = subprocess.run(command, cwd=PROJECT, env=os.environ | more, check=False)
    if done.returncode:
        raise Unfinished(
            f"`{words}` failed: the functions are not as they should be. What it says above is the"
            " cause; mend it and do the same again."
        )
