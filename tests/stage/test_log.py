"""The embedded database's log leads back to any moment that was shipped, and says where it ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from hospital import localdb
from hospital.localdb.keeper import SLOT, EmbeddedLog
from hospital.localdb.places import Place
from hospital.localdb.postgres import Postgres
from tests.stage.test_disaster import ask, manage
from tests.stage.test_run import PROJECT, environment, eventually

USERS = "SELECT username FROM auth_user"


@pytest.fixture(name="data")
def _data(tmp_path: Path) -> Iterator[Path]:
    data = tmp_path / "data"
    assert manage(data, "migrate").returncode == 0
    receiver = subprocess.Popen(
        [sys.executable, str(PROJECT / "manage.py"), "receivewal"], env=environment(data)
    )
    try:
        assert eventually(lambda: any((data / "log").glob("*.partial")))
        yield data
    finally:
        receiver.send_signal(signal.SIGINT)
        receiver.wait(20)
        localdb.stop(data)


def _make_user(data: Path, name: str) -> None:
    made = manage(
        data, "createsuperuser", "--noinput", "--username", name, "--email", f"{name}@example.org",
        DJANGO_SUPERUSER_PASSWORD="correct horse battery staple",
    )  # fmt: skip
    assert made.returncode == 0, made.stderr


def _ship(data: Path) -> None:
    shipped = manage(data, "shiplog")
    assert shipped.returncode == 0, shipped.stderr


def test_a_mistake_is_undone_by_going_back_to_the_moment_before_it(data: Path) -> None:
    assert manage(data, "backup", "base").returncode == 0
    _make_user(data, "olga")
    moment = datetime.now(UTC) + timedelta(milliseconds=100)
    time.sleep(0.3)
    _make_user(data, "mistake")
    _ship(data)

    then = manage(data, "restore", "--at", moment.isoformat(), "--to", "then", "--why", "Look.")
    latest = manage(data, "restore", "--at", "latest", "--to", "latest", "--why", "Look.")
    later = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    future = manage(data, "restore", "--at", later, "--to", "future", "--why", "Look.")
    early = manage(data, "restore", "--at", "2020-01-01T00:00Z", "--to", "early", "--why", "Look.")
    naive = manage(data, "restore", "--at", "2020-01-01T00:00", "--to", "early", "--why", "Look.")

    assert then.returncode == 0, then.stderr
    assert latest.returncode == 0, latest.stderr
    assert ask(data, USERS, database="then") == {("olga",)}
    assert ask(data, USERS, database="latest") == {("olga",), ("mistake",)}
    assert future.returncode == 3
    assert "What is kept of the log ends before that moment" in future.stderr
    assert early.returncode == 3
    assert "is kept from before that moment" in early.stderr
    assert naive.returncode == 2
    names = ask(data, "SELECT datname FROM pg_database", database="postgres")
    assert {name for (name,) in names} == {
        "postgres", "template0", "template1", "vigil", "then", "latest",
    }  # fmt: skip


def test_a_receiver_that_was_away_misses_nothing(data: Path) -> None:
    assert manage(data, "backup", "base").returncode == 0
    found = [
        int(process.name)
        for process in Path("/proc").iterdir()
        if process.name.isdigit() and _is_receiver_of(data, process)
    ]
    os.kill(found[0], signal.SIGKILL)
    _make_user(data, "olga")
    again = subprocess.Popen(
        [sys.executable, str(PROJECT / "manage.py"), "receivewal"], env=environment(data)
    )
    try:
        _ship(data)
        latest = manage(data, "restore", "--at", "latest", "--to", "latest", "--why", "Look.")
    finally:
        again.send_signal(signal.SIGINT)
        again.wait(20)

    assert latest.returncode == 0, latest.stderr
    assert ask(data, USERS, database="latest") == {("olga",)}


def _is_receiver_of(data: Path, process: Path) -> bool:
    try:
        command = (process / "cmdline").read_bytes()
    except OSError:
        return False
    return b"pg_receivewal" in command and str(data).encode() in command


def test_a_drill_that_was_killed_leaves_no_server_behind_for_long(data: Path) -> None:
    assert manage(data, "backup", "base").returncode == 0
    _make_user(data, "olga")
    _ship(data)
    killed = subprocess.Popen(
        [sys.executable, str(PROJECT / "manage.py"), "drill", "--log"],
        env=environment(data, HOSPITAL_TIME_ZONE="Europe/Berlin"),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    left = Path(tempfile.gettempdir())
    assert eventually(
        lambda: any(left.glob(f"vigil-recovery-{killed.pid}-*/cluster/postmaster.pid"))
    )
    killed.kill()
    killed.wait()

    again = manage(data, "drill", "--log")

    assert again.returncode == 0, again.stderr
    assert not list(left.glob(f"vigil-recovery-{killed.pid}-*"))


def test_the_keeper_may_read_the_log_and_no_row(data: Path) -> None:
    found = ask(
        data,
        "SELECT rolsuper, rolreplication, rolcreatedb, has_table_privilege('vigil_keeper',"
        " 'ingestion_patient', 'SELECT') FROM pg_roles WHERE rolname = 'vigil_keeper'",
    )
    assert found == {(False, True, False, False)}


def test_what_nobody_receives_does_not_fill_the_disk(data: Path) -> None:
    server = Postgres(Place.at(data))
    opened = server.connect("postgres")
    opened.autocommit = True
    with opened.cursor() as cursor:
        cursor.execute("SHOW max_slot_wal_keep_size")
        assert cursor.fetchone() == ("4GB",)
        cursor.execute("SELECT slot_name FROM pg_replication_slots WHERE slot_name = %s", [SLOT])
        assert cursor.fetchone() == (SLOT,)
    opened.close()
    EmbeddedLog(data).ensure()  # safe to repeat
