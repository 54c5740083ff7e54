"""The database is destroyed in the middle of a live feed, and brought back.

What was shipped is there again as it was, with its keys; what came later is taken in from the kept
files; what is lost is measured and printed.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg2
import pytest

from hospital import localdb
from hospital.localdb.places import free_port
from tests.stage.test_run import PROJECT, Run, books, end, environment, eventually, start

ZONE = {"HOSPITAL_TIME_ZONE": "Europe/Berlin"}
# The record as it is told apart from when it was taken in: without our own keys and times.
_RECORD = (
    "SELECT patient_id, first_name, last_name, date_of_birth, said_at FROM ingestion_patient",
    "SELECT case_number, admitted_at, released_at, room, said_at FROM ingestion_admission",
    "SELECT test_id, patient_number, ordered_at, is_cancelled, said_at FROM ingestion_labtest",
    "SELECT result_id, test_id, performed_at, is_withdrawn, said_at FROM ingestion_labresult",
)
_ALERTS = (
    "SELECT l.id, l.raised_at, p.patient_id FROM alerts_alert l JOIN ingestion_admission a"
    " ON a.id = l.admission_id JOIN ingestion_patient p ON p.id = a.patient_id"
)
_OPEN_ALERTS = f"{_ALERTS} WHERE l.status = 'open'"
# A file that came later may have brought the test that one waited for: that alert has ended well.
_ENDED_ALERTS = f"{_ALERTS} WHERE l.status = 'resolved'"


def ask(data: Path, statement: str, *, database: str = "vigil") -> set[tuple[Any, ...]]:
    """Ask a database of the embedded server of a data folder."""
    opened = psycopg2.connect(localdb.reserve(data).owner_url, dbname=database)
    try:
        with opened.cursor() as cursor:
            cursor.execute(statement)
            return set(cursor.fetchall())
    finally:
        opened.close()


def manage(data: Path, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(PROJECT / "manage.py"), *arguments],
        env=environment(data, **(ZONE | more)), capture_output=True, text=True, timeout=300,
        check=False,
    )  # fmt: skip


@dataclass
class Before:
    """What was known to be on record and shipped before the database went."""

    alerts: set[tuple[Any, ...]]
    acts: set[tuple[Any, ...]]
    patients: set[tuple[Any, ...]]


@pytest.fixture(name="live")
def _live(tmp_path: Path) -> Iterator[Run]:
    run = start(tmp_path / "data", PORT=str(free_port()))
    try:
        run.wait_for("Vigil runs at")
        yield run
    finally:
        end(run)


def _destroy(data: Path) -> None:
    cluster = data / "postgres" / "cluster"
    os.kill(int((cluster / "postmaster.pid").read_text().split()[0]), signal.SIGKILL)
    shutil.rmtree(data / "postgres")


def _ships(data: Path) -> int:
    return len(list((data / "backups" / "wal").glob("*/*.age")))


def _live_and_ship(data: Path) -> Before:
    """Let the feed live for a while, act, and wait until that has been shipped."""
    assert eventually(lambda: books(data)["files"]["ingested"] > 10)
    made = manage(data, "backup", "base", "--by", "olga")
    assert made.returncode == 0, made.stderr
    acted = manage(data, "backup", "point", "--by", "olga", "--why", "Before the storm.")
    assert acted.returncode == 0, acted.stderr
    assert eventually(lambda: len(ask(data, _OPEN_ALERTS)) > 0)
    before = Before(
        alerts=ask(data, _OPEN_ALERTS),
        acts=ask(data, "SELECT id, at, who, act, object_key FROM ops_auditevent"),
        patients=ask(data, "SELECT id, patient_id FROM ingestion_patient"),
    )
    shipped = _ships(data)
    assert eventually(lambda: _ships(data) > shipped + 1)
    return before


def test_a_database_destroyed_in_the_middle_of_a_live_feed_comes_back_whole(
    live: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = live.data
    before = _live_and_ship(data)

    _destroy(data)
    destroyed_at = time.time()
    time.sleep(3)  # the feed goes on: what it writes now nobody takes in
    end(live)
    refused = manage(data, "books")
    began = time.monotonic()
    restored = manage(data, "restore", "--at", "latest", "--to", "vigil", "--why", "It is gone.")
    seconds = time.monotonic() - began

    assert "is gone, and there was one" in refused.stderr
    assert restored.returncode == 0, restored.stderr
    assert ask(data, _OPEN_ALERTS) | ask(data, _ENDED_ALERTS) >= before.alerts
    assert ask(data, _OPEN_ALERTS) & before.alerts
    assert ask(data, "SELECT id, patient_id FROM ingestion_patient") >= before.patients
    acts = ask(data, "SELECT id, at, who, act, object_key FROM ops_auditevent")
    assert acts >= before.acts
    verified = manage(data, "auditverify")
    assert verified.returncode == 0, verified.stdout
    assert "No findings." in verified.stdout
    closed = books(data)
    assert closed["balanced"] is True
    files = len([file for file in (data / "inbox").glob("*/*") if not file.name.startswith(".")])
    assert sum(closed["files"].values()) == files
    assert _record(data) == _undisturbed(data, tmp_path)
    # Muted: neither files nor the clock are heeded until somebody says so.
    assert ask(data, "SELECT count(*) FROM ops_muting WHERE ended_at IS NULL") == {(1,)}
    with capsys.disabled():
        print(f"\ndestroyed, restored in {seconds:.1f} s:")
        print(restored.stdout, end="")
        print(f"destroyed at {time.strftime('%H:%M:%S', time.gmtime(destroyed_at))} UTC")


def _record(data: Path) -> list[set[tuple[Any, ...]]]:
    return [ask(data, statement) for statement in _RECORD]


def _undisturbed(data: Path, tmp_path: Path) -> list[set[tuple[Any, ...]]]:
    """The record of a place that took in the same files in peace."""
    peace = tmp_path / "peace"
    try:
        done = manage(peace, "catchup", HOSPITAL_INBOX_DIR=str(data / "inbox"))
        assert done.returncode == 0, done.stderr
        return _record(peace)
    finally:
        localdb.stop(peace)


def test_an_empty_machine_with_storage_and_key_alone_brings_the_hospital_back(
    live: Run, tmp_path: Path
) -> None:
    data = live.data
    before = _live_and_ship(data)
    kept, key = tmp_path / "elsewhere", tmp_path / "safe" / "backup-key"
    key.parent.mkdir()
    end(live)
    shutil.move(data / "backups", kept)
    shutil.move(data / "secrets" / "backup-key", key)
    shutil.rmtree(data)
    machine = tmp_path / "machine"
    storage = {"HOSPITAL_BACKUP_DIR": str(kept)}
    command = ("restore", "--at", "latest", "--to", "vigil", "--why", "The machine burnt.")
    try:
        without_key = manage(machine, *command, **storage)
        done = manage(machine, *command, **storage, HOSPITAL_BACKUP_KEY_FILE=str(key))

        assert without_key.returncode == 3
        assert "their key" in without_key.stderr
        assert "is gone" in without_key.stderr
        assert done.returncode == 0, done.stderr
        assert ask(machine, "SELECT id, patient_id FROM ingestion_patient") >= before.patients
        assert ask(machine, _OPEN_ALERTS) | ask(machine, _ENDED_ALERTS) >= before.alerts
    finally:
        localdb.stop(machine)
