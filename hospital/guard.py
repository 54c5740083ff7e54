"""Outlives a supervisor that is killed, and cleans up behind it: a program, never imported.

    python -m hospital.guard DATA_DIR       reads "+PID", "-PID" and "done" from standard input

The supervisor holds the other end of the pipe. When that closes without "done", the supervisor died
without being able to stop anything: the guard ends the process groups it was told of, then the
local database and broker. So no kill -9 leaves a worker writing to a hospital that nobody watches.
"""

import contextlib
import os
import signal
import sys
import time
from pathlib import Path

from hospital import localdb

PATIENCE = 8.0


def main(data_dir: Path) -> None:
    for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(name, signal.SIG_IGN)
    groups: set[int] = set()
    for line in sys.stdin:
        if line.strip() == "done":
            return
        act, pid = line[0], int(line[1:])
        groups = groups | {pid} if act == "+" else groups - {pid}
    end_groups(groups, patience=PATIENCE)
    localdb.stop(data_dir)


def end_groups(groups: set[int], *, patience: float) -> None:
    """Ask every process group to end; after `patience` seconds, make it."""
    end = time.monotonic() + patience
    _send(groups, signal.SIGTERM)
    while any(_is_alive(group) for group in groups) and time.monotonic() < end:
        time.sleep(0.1)
    _send(groups, signal.SIGKILL)


def _send(groups: set[int], what: signal.Signals) -> None:
    for group in groups:
        with contextlib.suppress(OSError):
            os.killpg(group, what)


def _is_alive(group: int) -> bool:
    with contextlib.suppress(OSError):
        os.killpg(group, 0)
        return True
    return False


if __name__ == "__main__":
    main(Path(sys.argv[1]))
