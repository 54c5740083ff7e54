"""The supervisor, on children of a few lines: order, deaths, and its own violent end."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hospital.supervisor import Child, Supervisor

# Writes its name when it ends; {0} is the name, {1} the journal.
ENDS_POLITELY = """
import signal, sys, time
def end(*_):
    open({1!r}, "a").write({0!r} + " ended\\n"); sys.exit(0)
signal.signal(signal.SIGTERM, end)
open({1!r}, "a").write({0!r} + " started\\n")
while True: time.sleep(0.05)
"""
IGNORES_EVERYTHING = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
open({1!r}, "a").write({0!r} + " started\\n")
while True: time.sleep(0.05)
"""
DIES_AT_ONCE = "import sys; print('no such table'); sys.exit(7)"

Make = Callable[..., Supervisor]


@pytest.fixture(name="journal")
def _journal(tmp_path: Path) -> Path:
    journal = tmp_path / "journal"
    journal.touch()
    return journal


@pytest.fixture(name="said")
def _said() -> list[str]:
    return []


@pytest.fixture(name="make")
def _make(tmp_path: Path, journal: Path, said: list[str]) -> Iterator[Make]:
    made: list[Supervisor] = []

    def make(patience: float = 5.0, **codes: str) -> Supervisor:
        children = [
            Child(
                name,
                [
                    sys.executable,
                    "-c",
                    code.replace("{0!r}", repr(name)).replace("{1!r}", repr(str(journal))),
                ],
                tmp_path / f"{name}.log",
                patience,
            )
            for name, code in codes.items()
        ]
        made.append(Supervisor(children, tmp_path / "data", dict(os.environ), said.append))
        return made[-1]

    yield make
    for supervisor in made:
        supervisor.interrupt()
        supervisor.interrupt()
        supervisor.stop()
        supervisor.dismiss_guard()


def wait_until(condition: Callable[[], bool], *, seconds: float = 15) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come about"
        time.sleep(0.05)


def lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_children_are_asked_to_end_in_the_opposite_order(make: Make, journal: Path) -> None:
    supervisor = make(web=ENDS_POLITELY, simulator=ENDS_POLITELY)
    supervisor.start()
    wait_until(lambda: journal.read_text().count("started") == 2)

    supervisor.stop()

    assert sorted(journal.read_text().splitlines()[2:]) == ["simulator ended", "web ended"]
    assert not any(child.is_running() for child in supervisor.children)


def test_a_child_that_dies_is_started_again_later_each_time(make: Make, said: list[str]) -> None:
    supervisor = make(worker=DIES_AT_ONCE)
    supervisor.start()
    worker = supervisor.children[0]
    for death in (1, 2):
        wait_until(lambda: not worker.is_running())
        supervisor.look()
        assert worker.deaths == death
        assert worker.start_again_at is not None
        worker.start_again_at = 0
        supervisor.look()

    assert said[:2] == [
        "worker ended (7); it starts again in 1 s. Its last lines:",
        "  no such table",
    ]
    assert said[2] == "worker ended (7); it starts again in 2 s. Its last lines:"


def test_the_wait_between_two_starts_is_bounded(make: Make) -> None:
    supervisor = make(worker=DIES_AT_ONCE)
    supervisor.start()
    worker = supervisor.children[0]
    worker.deaths = 40
    wait_until(lambda: not worker.is_running())

    supervisor.look()

    assert worker.start_again_at is not None
    assert worker.start_again_at - time.monotonic() <= 30


def test_a_child_that_does_not_end_is_killed_when_its_patience_is_over(
    make: Make, journal: Path
) -> None:
    supervisor = make(patience=0.3, worker=IGNORES_EVERYTHING)
    supervisor.start()
    wait_until(lambda: "started" in journal.read_text())

    supervisor.stop()

    process = supervisor.children[0].process
    assert process
    assert process.returncode == -signal.SIGKILL


def test_a_second_interruption_kills_at_once(make: Make, journal: Path) -> None:
    supervisor = make(patience=60, worker=IGNORES_EVERYTHING)
    supervisor.start()
    wait_until(lambda: "started" in journal.read_text())
    supervisor.interrupt()
    supervisor.interrupt()

    began = time.monotonic()
    supervisor.stop()

    assert time.monotonic() - began < 2


def test_nothing_outlives_a_supervisor_that_was_killed(tmp_path: Path, journal: Path) -> None:
    code = ENDS_POLITELY.format("worker", str(journal))
    program = f"""
import os, sys, time
from pathlib import Path
from hospital.supervisor import Child, Supervisor
child = Child("worker", [sys.executable, "-c", {code!r}], Path({str(tmp_path / "log")!r}))
supervisor = Supervisor([child], Path({str(tmp_path / "data")!r}), dict(os.environ), print)
supervisor.start()
print(child.process.pid, supervisor.guard.pid, flush=True)
time.sleep(60)
"""
    with subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, text=True
    ) as supervisor:
        assert supervisor.stdout
        child, guard = map(int, supervisor.stdout.readline().split())
        wait_until(lambda: "started" in journal.read_text())

        supervisor.kill()

        wait_until(lambda: not lives(child) and not lives(guard))
    assert journal.read_text().splitlines() == ["worker started", "worker ended"]
