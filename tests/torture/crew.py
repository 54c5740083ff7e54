"""The processes of the kills: each is a fork of this one, with Django set up and no connection yet.

Knows how to start and end them. What they do is what production's workers do: `drain`, for ever.
"""

from __future__ import annotations

import hashlib
import json
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.oracle import ExportObject, Hospital
from tests.torture.bases import ZONE
from tests.torture.scratch import use_record


def worker_name(pid: int) -> str:
    """What a worker's connection is called in the server's list."""
    return f"torture {pid}"


class Crew:
    """Some workers that drain one record's inbox, until they are killed or sent home."""

    def __init__(self, record: str, folder: Path) -> None:
        self.pids: list[int] = []
        self._record = record
        self._noise = folder / "noise"  # what a dying connection prints past Python
        self._faults = folder / "faults"  # what workers raised that no crash explains

    def fill_up(self, size: int) -> None:
        """Start as many as are missing."""
        while len(self.pids) < size:
            self.pids.append(fork(self._work))

    def bury(self, pid: int) -> None:
        """Take a killed worker off the list, once it is gone."""
        os.waitpid(pid, 0)
        self.pids.remove(pid)

    def send_home(self) -> None:
        """End all of them."""
        for pid in list(self.pids):
            os.kill(pid, signal.SIGKILL)
            self.bury(pid)

    def faults(self) -> list[str]:
        """What workers raised."""
        return self._faults.read_text().splitlines() if self._faults.exists() else []

    def _work(self) -> None:
        from django.db import InterfaceError, OperationalError, connection

        from ingestion.services.draining import drain
        from ingestion.storage import Inbox

        with self._noise.open("a") as noise:
            os.dup2(noise.fileno(), sys.stderr.fileno())
        os.environ["PGAPPNAME"] = worker_name(os.getpid())
        use_record(self._record)
        parent = os.getppid()
        while os.getppid() == parent:
            try:
                drain(Inbox())
            except (OperationalError, InterfaceError):
                connection.close()  # the database was killed, or is not back yet
            except Exception:  # pylint: disable=broad-exception-caught
                # Told to whoever holds the whip: a worker has no screen.
                with self._faults.open("a") as faults:
                    faults.write(traceback.format_exc(limit=-3).replace("\n", " ⏎ ") + "\n")
                connection.close()
            time.sleep(0.02)


def fork(act: Callable[[], None]) -> int:
    """Do something in a child that never comes back here. Returns its id."""
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if not pid:
        _act_and_end(act)
    return pid


def _act_and_end(act: Callable[[], None]) -> None:
    code = 1
    try:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        act()
        code = 0
    except BaseException:  # pylint: disable=broad-exception-caught
        traceback.print_exc()
    finally:
        # Whatever the parent would tidy up on its way out is still the parent's.
        os._exit(code)  # pylint: disable=protected-access


def in_a_child(act: Callable[[], None]) -> None:
    """Do something in a child and wait for it. Raises RuntimeError if it fails."""
    _, status = os.waitpid(fork(act), 0)
    if status:
        raise RuntimeError("a child of the torture failed: see above")


def register_all(record: str, keys: Iterable[str]) -> None:
    """Put these objects on record as received, as the sweep would."""
    from ingestion.choices import FoundBy
    from ingestion.services.registering import register
    from ingestion.storage import Inbox

    use_record(record)
    inbox = Inbox()
    for key in keys:
        register(inbox.object(key), found_by=FoundBy.SWEEP)


def write_down(record: str, path: Path) -> None:
    """Write what is on record into a file, one line each: what order and crashes must not change.

    Which column of its ledger a row is in depends on the order of arrival; how many rows there are
    and which of them are rejected does not.
    """
    use_record(record)
    with path.open("w", encoding="utf-8") as file:
        file.writelines(f"{json.dumps(line, default=str, sort_keys=True)}\n" for line in _lines())


def _lines() -> Iterator[list[Any]]:
    from django.db.models import Count

    from ingestion import queries
    from ingestion.models import FeedFile, Flaw, RejectedRow
    from ingestion.services.books import books, unbalanced_files
    from tests.ingestion.record import the_record

    for name, found in the_record().items():
        yield from ([name, key, found[key]] for key in sorted(found))
    yield from (["books", name, value] for name, value in books().items())
    yield ["unbalanced files", "", unbalanced_files()]
    yield ["conflicts", "test ids", sorted(map(str, queries.test_id_conflicts()))]
    yield ["conflicts", "case numbers", sorted(map(str, queries.case_number_conflicts()))]
    for file in FeedFile.objects.order_by("key").annotate(read=Count("readings")):
        ledger = [file.rows, file.rejected, file.flaws, file.read]
        yield ["files", file.key, [file.status, file.refusal, *ledger]]
    rejected = RejectedRow.objects.order_by("feed_file__key", "line")
    yield from (
        ["rejected", *row] for row in rejected.values_list("feed_file__key", "line", "reason")
    )
    flaws = Flaw.objects.order_by("feed_file__key", "line", "column")
    yield from (
        ["flaws", *row] for row in flaws.values_list("feed_file__key", "line", "column", "reason")
    )


def write_down_the_oracle(inbox: Path, keys: Iterable[str], path: Path) -> None:
    """Write down likewise what the second writing of the feed contract makes of these files."""
    hospital = Hospital(ZONE).ingest(_export_object(inbox, key) for key in keys)
    with path.open("w", encoding="utf-8") as file:
        for name, found in [*hospital.record().items(), ("books", hospital.books())]:
            file.writelines(
                f"{json.dumps([name, key, value], default=str, sort_keys=True)}\n"
                for key, value in found.items()
            )


def _export_object(inbox: Path, key: str) -> ExportObject:
    content, now = (inbox / key).read_bytes(), datetime.now(UTC)
    changed = datetime.fromtimestamp((inbox / key).stat().st_mtime, UTC)
    return ExportObject(
        bucket="inbox",
        key=key,
        version=hashlib.sha256(content).hexdigest(),
        source=key.partition("/")[0],
        content=content,
        last_modified=changed,
        received_at=now,
    )
