"""Which commands bring a database along, and which must not."""

import json
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


def test_two_first_commands_at_once_find_the_tables_that_neither_had_made(tmp_path: Path) -> None:
    data = tmp_path / "data"
    command = [sys.executable, str(PROJECT / "manage.py"), "books", "--json"]
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("HOSPITAL_", "DATABASE_"))}
    try:
        both = [
            subprocess.Popen(
                command, env=kept | {"HOSPITAL_DATA_DIR": str(data)}, stdout=subprocess.PIPE
            )
            for _ in range(2)
        ]
        answers = [process.communicate(timeout=120)[0] for process in both]

        assert [process.returncode for process in both] == [0, 0]
        assert [json.loads(answer)["balanced"] for answer in answers] == [True, True]
    finally:
        localdb.stop(data)


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("HOSPITAL_TIME_ZONE", "Middle/Earth", "set an IANA name such as Europe/Berlin"),
        ("HOSPITAL_SESSION_SECONDS", "soon", "set it to a number"),
        ("HOSPITAL_TLS", "yess", "set it to 1 or 0"),
        ("HOSPITAL_STAGE", "prod", "set it to development, staging or production"),
    ],
)
def test_a_wrong_setting_is_named_in_one_line(
    tmp_path: Path, name: str, value: str, sentence: str
) -> None:
    done = manage("check", data=tmp_path / "data", **{name: value})

    assert done.returncode == 1
    assert done.stderr.startswith(f"{name} is {value!r}: ")
    assert sentence in done.stderr
    assert done.stderr.count("\n") == 1
