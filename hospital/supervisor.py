"""Starts the processes of one hospital, keeps them alive, stops them in order. Knows none by name.

Each child leads a process group of its own, so that Ctrl-C on the terminal reaches the supervisor
alone, which then decides the order; hospital/guard.py does it if the supervisor was killed.
"""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

LONGEST_WAIT = 30.0  # seconds between two starts of a child that keeps dying
STABLE_AFTER = 60.0  # a child that lived this long starts with a clean record


@dataclass
class Child:
    """One process to be kept alive. `patience`: seconds it has to finish what it is doing."""

    name: str
    command: list[str]
    log: Path
    patience: float = 5.0
    process: "subprocess.Popen[bytes] | None" = None
    started_at: float = 0.0
    deaths: int = 0
    start_again_at: float | None = None

    def start(self, environment: dict[str, str]) -> int:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command, env=environment, stdin=subprocess.DEVNULL, stdout=log,
                stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip
        self.started_at = time.monotonic()
        self.start_again_at = None
        return self.process.pid

    def is_running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def signal(self, what: signal.Signals, *, whole_group: bool = False) -> None:
        if self.process is None:
            return
        with contextlib.suppress(OSError):
            if whole_group:
                os.killpg(self.process.pid, what)
            elif self.is_running():
                self.process.send_signal(what)

    def last_lines(self, count: int = 8) -> list[str]:
        with self.log.open("rb") as log:
            log.seek(max(0, self.log.stat().st_size - 8192))
            return log.read().decode(errors="replace").splitlines()[-count:]


@dataclass
class Supervisor:
    """The children in the order of their start; they stop in the opposite one."""

    children: list[Child]
    data_dir: Path
    environment: dict[str, str]
    say: Callable[[str], None]
    stopping: bool = False
    hurried: bool = False
    guard: "subprocess.Popen[str] | None" = field(default=None, repr=False)

    def start(self) -> None:
        self.guard = subprocess.Popen(
            [sys.executable, "-m", "hospital.guard", str(self.data_dir)],
            stdin=subprocess.PIPE, text=True, start_new_session=True, env=self.environment,
        )  # fmt: skip
        for child in self.children:
            self._start(child)

    def look(self) -> None:
        """Start again whoever died, later each time; call it about twice a second."""
        now = time.monotonic()
        for child in self.children:
            if child.start_again_at is not None:
                if now >= child.start_again_at:
                    self._start(child)
            elif not child.is_running():
                self._mourn(child, now)

    def stop(self) -> None:
        """All are asked in order and wind down side by side; a second Ctrl-C hurries them."""
        self.stopping = True
        for child in reversed(self.children):
            child.signal(signal.SIGTERM)
        asked_at = time.monotonic()
        for child in reversed(self.children):
            self._wait_for_end(child, end=asked_at + child.patience)

    def dismiss_guard(self) -> None:
        """After everything has stopped; until then it is needed."""
        if self.guard:
            self._tell_guard("done")
            self.guard.wait()

    def interrupt(self, *_: object) -> None:
        """The handler of Ctrl-C and of being ended: the first time stop, then hurry."""
        self.hurried = self.stopping
        self.stopping = True

    def _start(self, child: Child) -> None:
        pid = child.start(self.environment)
        self._tell_guard(f"+{pid}")

    def _mourn(self, child: Child, now: float) -> None:
        process = child.process
        assert process is not None
        # Its own children may live on, and would do the work of the next one a second time.
        child.signal(signal.SIGKILL, whole_group=True)
        self._tell_guard(f"-{process.pid}")
        child.deaths = 1 if now - child.started_at > STABLE_AFTER else child.deaths + 1
        wait = min(LONGEST_WAIT, 2.0 ** (child.deaths - 1))
        child.start_again_at = now + wait
        how = f"signal {-process.returncode}" if process.returncode < 0 else process.returncode
        self.say(f"{child.name} ended ({how}); it starts again in {wait:.0f} s. Its last lines:")
        for line in child.last_lines():
            self.say(f"  {line}")

    def _wait_for_end(self, child: Child, *, end: float) -> None:
        while child.is_running() and time.monotonic() < end and not self.hurried:
            time.sleep(0.05)
        child.signal(signal.SIGKILL, whole_group=True)
        if child.process:
            child.process.wait()
            self._tell_guard(f"-{child.process.pid}")

    def _tell_guard(self, word: str) -> None:
        if self.guard and self.guard.stdin:
            with contextlib.suppress(OSError):
                self.guard.stdin.write(f"{word}\n")
                self.guard.stdin.flush()
