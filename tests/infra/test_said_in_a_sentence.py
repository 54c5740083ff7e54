"""Who acts on AWS without what it takes is told what to do: no traceback, and no success."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]
NOBODY = {
    "PATH": os.environ["PATH"],
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_CONFIG_FILE": os.devnull,
}
STACKS = ("scripts/stacks.py", "apply", "--stage", "dev")
TUNNEL = ("scripts/inside.py", "tunnel", "dev", "--", "true")
JOURNEY = "tests/aws/test_journey.py"


def run(*command: str, **more: str) -> subprocess.CompletedProcess[str]:
    """Run a program in the project's folder, for somebody who has no credentials."""
    return subprocess.run(
        command, cwd=PROJECT, env=NOBODY | more, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("program", [STACKS, TUNNEL])
def test_without_credentials_the_next_step_is_told(program: tuple[str, ...]) -> None:
    done = run(sys.executable, *program, AWS_DEFAULT_REGION="eu-central-1")

    told = done.stderr.strip().splitlines()[-1]
    assert done.returncode == 1
    assert told.startswith("There are no credentials for AWS: give this machine a role, or set")
    assert "Traceback" not in done.stderr


def test_without_a_region_the_next_step_is_told() -> None:
    done = run(sys.executable, *TUNNEL)

    assert (done.returncode, done.stderr) == (1, "No region is set: set AWS_DEFAULT_REGION.\n")


@pytest.mark.parametrize(
    "target", ["deploy", "rollback", "smoke", "watch", "evidence", "drill", "plan"]
)
def test_make_asks_for_the_stage_before_anything_else(target: str) -> None:
    done = run("make", "--silent", target)

    assert done.returncode == 2
    assert done.stderr.startswith(f"Say on which stage: make {target} STAGE=dev ")
    assert done.stdout == ""


@pytest.mark.parametrize(
    ("told", "status", "words"),
    [({"VIGIL_NEEDS_TOOLS": "1"}, 77, "not run: "), ({}, 0, "skipped")],
)
def test_a_journey_without_its_tools_is_a_success_only_among_others(
    tmp_path: Path, told: dict[str, str], status: int, words: str
) -> None:
    clone = tmp_path / "project"
    shutil.copytree(
        PROJECT, clone, symlinks=True,
        ignore=lambda folder, names: [
            name for name in names
            if (Path(folder) == PROJECT and name in {".git", ".cache", ".venv", "var", "frontend"})
            or name == "node_modules"
        ],
    )  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-m", "pytest", JOURNEY, "-q", "-x", "-rs"], cwd=clone,
        env=NOBODY | {"HOME": str(tmp_path), "PYTHONPATH": str(clone)} | told,
        capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert done.returncode == status
    assert words in done.stdout + done.stderr
