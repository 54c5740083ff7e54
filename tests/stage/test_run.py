"""The whole hospital in one terminal: started as `make run` starts it, asked, stopped, killed."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from hospital import localdb
from hospital.localdb.places import Place, free_port

PROJECT = Path(__file__).resolve().parent.parent.parent


@dataclass
class Run:
    """One `manage.py run` and what it has said so far."""

    data: Path
    process: "subprocess.Popen[bytes]"
    terminal: Path

    @property
    def said(self) -> str:
        return self.terminal.read_text()

    def wait_for(self, words: str, *, seconds: float = 90) -> None:
        end = time.monotonic() + seconds
        while words not in self.said:
            assert self.process.poll() is None, self.said
            assert time.monotonic() < end, self.said
            time.sleep(0.1)


def environment(data: Path, **more: str) -> dict[str, str]:
    own = ("HOSPITAL_", "DATABASE_", "CELERY_", "CACHE_", "PYTEST", "DEMO", "PORT", "HOST")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(own)}
    return kept | {"HOSPITAL_DATA_DIR": str(data)} | more


def start(data: Path, *, code: Path = PROJECT, **more: str) -> Run:
    terminal = data.parent / f"{data.name}.terminal"
    with terminal.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, str(code / "manage.py"), "run"],
            env=environment(data, **more), cwd=code, stdin=subprocess.DEVNULL, stdout=out,
            stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
    return Run(data, process, terminal)


def end(run: Run) -> None:
    if run.process.poll() is None:
        run.process.send_signal(signal.SIGTERM)
        run.process.wait(60)
    localdb.stop(run.data)


def refusal(data: Path, **more: str) -> str:
    """What a start that is refused says, traceback or not."""
    run = start(data, code=PROJECT, **more)
    try:
        assert run.process.wait(90) == 1
    finally:
        end(run)
    return run.said


def books(data: Path) -> dict[str, Any]:
    said = subprocess.check_output(
        [sys.executable, str(PROJECT / "manage.py"), "books", "--json"], env=environment(data)
    )
    found: dict[str, int] = json.loads(said)
    return found


def processes_of(data: Path) -> list[str]:
    """Whoever has the data folder in its environment, its arguments or its working folder."""
    found = []
    for process in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            text = (process / "environ").read_bytes() + (process / "cmdline").read_bytes()
            if str(data).encode() in text:
                found.append((process / "cmdline").read_text().replace("\0", " "))
    return found


def eventually(condition: Callable[[], bool], *, seconds: float = 60) -> bool:
    stop_at = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > stop_at:
            return False
        time.sleep(0.3)
    return True


@pytest.fixture(name="demo", scope="module")
def _demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    run = start(tmp_path_factory.mktemp("demo") / "data", PORT=str(free_port()))
    try:
        run.wait_for("Ctrl-C stops it")
        yield run
    finally:
        end(run)


def test_the_demo_says_its_address_its_sign_ins_and_that_its_people_are_invented(demo: Run) -> None:
    passwords = {
        name: (demo.data / "secrets" / f"sign-in-{name}").read_text()
        for name in ("nurse", "physician", "lab", "operator")
    }

    assert "Vigil runs at http://127.0.0.1:" in demo.said
    assert "its people are invented" in demo.said
    assert "Version 0.1.0. The first that is known of this place." in demo.said
    assert all(f"{name:<10} {password}" in demo.said for name, password in passwords.items())
    assert len(set(passwords.values())) == 4


def test_the_sign_in_page_answers(demo: Run) -> None:
    address = demo.said.partition("Vigil runs at ")[2].split()[0]

    with urllib.request.urlopen(f"{address}accounts/login/", timeout=10) as answer:
        assert answer.status == 200
        assert b"password" in answer.read()


def test_what_the_simulated_hospital_writes_is_on_record_within_seconds(demo: Run) -> None:
    assert eventually(lambda: books(demo.data)["patients"] >= 60)
    assert books(demo.data)["balanced"] is True


def test_a_child_that_is_killed_is_named_and_started_again(demo: Run) -> None:
    # The watcher: nobody else is told of its death.
    killed = next(
        int(process.name)
        for process in Path("/proc").iterdir()
        if process.name.isdigit() and _is_watcher_of(demo.data, process)
    )
    os.kill(killed, signal.SIGKILL)

    demo.wait_for("watcher ended (signal 9); it starts again in 1 s", seconds=10)

    assert eventually(lambda: any(" watch " in f"{line} " for line in processes_of(demo.data)))


def _is_watcher_of(data: Path, process: Path) -> bool:
    with contextlib.suppress(OSError):
        arguments = (process / "cmdline").read_bytes().split(b"\0")
        return b"watch" in arguments and str(data).encode() in (process / "environ").read_bytes()
    return False


def test_a_database_that_is_killed_is_started_again(demo: Run) -> None:
    pid_file = demo.data / "postgres/cluster/postmaster.pid"
    killed = pid_file.read_text().split()[0]
    os.kill(int(killed), signal.SIGKILL)

    demo.wait_for("Database or broker ended, and was started again.", seconds=30)

    assert eventually(lambda: pid_file.exists() and pid_file.read_text().split()[0] != killed)
    assert eventually(lambda: books(demo.data)["patients"] >= 60)


def test_a_second_start_on_the_same_folder_is_refused(demo: Run) -> None:
    run = start(demo.data.parent / "data", PORT=str(free_port()))

    assert run.process.wait(60) == 1
    assert f"Vigil already runs in {demo.data}" in run.said
    assert "Traceback" not in run.said
    assert localdb.status(demo.data) == {"postgres": True, "broker": True}


def results_known(closed: dict[str, Any]) -> int:
    """Attached or waiting: a reused test number detaches a result, and none is ever lost."""
    return int(closed["lab_results"]) + int(closed["waiting"]["lab_results"])


def test_ctrl_c_stops_everything_and_a_later_start_finds_the_same_hospital(tmp_path: Path) -> None:
    data = tmp_path / "data"
    port = str(free_port())
    run = start(data, PORT=port)
    try:
        run.wait_for("Ctrl-C stops it")
        assert eventually(lambda: books(data)["patients"] >= 60)
        before = books(data)
        run.process.send_signal(signal.SIGINT)

        assert run.process.wait(30) == 0
        assert run.said.endswith("Stopping …\nStopped.\n")
        assert processes_of(data) == []
        assert not Place.at(data).socket_dir.exists()

        run = start(data, PORT=port)
        run.wait_for("Ctrl-C stops it")
        after = books(data)
        assert after["patients"] >= before["patients"]
        assert results_known(after) >= results_known(before)
        assert after["files"]["ingested"] >= before["files"]["ingested"]
    finally:
        end(run)


def test_a_killed_supervisor_leaves_no_process_behind(tmp_path: Path) -> None:
    data = tmp_path / "data"
    run = start(data, PORT=str(free_port()))
    try:
        run.wait_for("Ctrl-C stops it")
        run.process.kill()
        run.process.wait()

        assert eventually(lambda: processes_of(data) == [], seconds=30)
    finally:
        end(run)


def test_without_the_demo_the_hospital_is_empty_and_says_how_its_first_user_is_made(
    tmp_path: Path,
) -> None:
    data = tmp_path / "data"
    run = start(data, DEMO="0", PORT=str(free_port()))
    try:
        run.wait_for("Ctrl-C stops it")

        assert ".venv/bin/python manage.py createsuperuser" in run.said
        assert "HOSPITAL_TIME_ZONE is not set" in run.said
        assert "invented" not in run.said
        assert list((data / "inbox").iterdir()) == []
        assert not (data / "logs" / "simulator.log").exists()
        assert books(data)["patients"] == 0
    finally:
        end(run)

    said = refusal(data, PORT=str(free_port()))
    assert "invented patients must not get into it" in said
    assert not (data / "inbox" / ".simulator.json").exists()


def test_the_demos_folder_is_not_taken_for_a_hospitals(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / "kind").write_text("demo\n")

    said = refusal(data, DEMO="0", PORT=str(free_port()))

    assert "holds the demo's invented patients: name another folder in HOSPITAL_DATA_DIR" in said


def test_a_port_in_use_is_named_with_the_next_step(tmp_path: Path) -> None:
    with socket.socket() as somebody_else:
        somebody_else.bind(("127.0.0.1", 0))
        somebody_else.listen()
        port = somebody_else.getsockname()[1]

        said = refusal(tmp_path / "data", PORT=str(port))

    assert f"Port {port} on 127.0.0.1 is in use" in said
    assert "take another one: PORT=" in said
    assert "Traceback" not in said
    assert localdb.status(tmp_path / "data") == {"postgres": False, "broker": False}


@pytest.mark.parametrize("port", ["http", "0", "70000", "-1"])
def test_a_port_that_is_none_is_refused(tmp_path: Path, port: str) -> None:
    assert f"PORT is {port}: set it to a number from 1 to 65535." in refusal(
        tmp_path / "data", PORT=port
    )
