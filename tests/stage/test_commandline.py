"""Which commands bring a database along, and which must not."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from hospital import localdb
from hospital.localdb import commandline

PROJECT = Path(__file__).resolve().parent.parent.parent


def manage(*arguments: str, data: Path, **more: str) -> subprocess.CompletedProcess[str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("HOSPITAL_", "DATABASE_"))}
    return subprocess.run(
        [sys.executable, str(PROJECT / "manage.py"), *arguments],
        env=kept | {"HOSPITAL_DATA_DIR": str(data)} | more,
        cwd=data.parent, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL,
    )  # fmt: skip


def test_a_command_that_needs_rows_starts_the_database_and_says_nothing_of_it(
    tmp_path: Path,
) -> None:
    data = tmp_path / "data"
    try:
        done = manage("shell", "-v", "0", "-c", "print('rows')", data=data)

        assert (done.returncode, done.stdout) == (0, "rows\n")
        assert localdb.status(data) == {"postgres": True, "broker": True}
        assert "running" in manage("localdb", "status", data=data).stdout
        assert "stopped" in manage("localdb", "stop", data=data).stdout
        assert localdb.status(data) == {"postgres": False, "broker": False}
    finally:
        localdb.stop(data)


@pytest.mark.parametrize(
    "arguments", [["help"], ["--help"], ["ingest", "--help"], ["diffsettings"], ["no-such-command"]]
)
def test_a_command_that_needs_no_rows_starts_nothing(tmp_path: Path, arguments: list[str]) -> None:
    data = tmp_path / "data"

    manage(*arguments, data=data)

    assert localdb.status(data) == {"postgres": False, "broker": False}
    assert not (data / "postgres").exists()


@pytest.mark.parametrize("stage", ["production", "staging"])
def test_a_stage_that_holds_patients_refuses_to_bring_its_own(tmp_path: Path, stage: str) -> None:
    done = manage("migrate", data=tmp_path / "data", HOSPITAL_STAGE=stage)

    assert done.returncode == 1
    assert done.stderr == f"DATABASE_URL is not set: stage {stage} brings no database of its own.\n"
    assert not (tmp_path / "data").exists()


def test_a_database_that_is_named_is_the_one_that_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgres://somewhere/else")
    monkeypatch.setenv("HOSPITAL_DATA_DIR", str(tmp_path / "data"))

    commandline.bring_services(["manage.py", "migrate"])

    assert os.environ["DATABASE_URL"] == "postgres://somewhere/else"
    assert not (tmp_path / "data").exists()
