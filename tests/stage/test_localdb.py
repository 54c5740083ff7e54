"""The database and the broker that come along: real servers, started, killed and started again."""

import os
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg2
import pytest
import redis
from psycopg2 import errors

from hospital import localdb
from hospital.localdb.places import Place
from hospital.localdb.postgres import Postgres


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A data folder with both services running, and one table of the owner's."""
    folder = tmp_path_factory.mktemp("home")
    services = localdb.ensure(folder, durable=False)
    say(services.owner_url, "CREATE TABLE bed (name text)")
    yield folder
    localdb.stop(folder)


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path
    localdb.stop(tmp_path)


def say(url: str, statement: str) -> list[tuple[Any, ...]]:
    with closing(psycopg2.connect(url)) as connection, connection, connection.cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchall() if cursor.description else []


def postmaster(folder: Path) -> int:
    return int((folder / "postgres/cluster/postmaster.pid").read_text().split()[0])


def test_rows_and_addresses_survive_a_restart(fresh: Path) -> None:
    before = localdb.ensure(fresh, durable=False)
    say(before.owner_url, "CREATE TABLE bed AS SELECT '305A' AS name")
    queue = redis.Redis.from_url(before.broker_url)
    queue.set("waiting", "1")

    localdb.stop(fresh)
    assert localdb.status(fresh) == {"postgres": False, "broker": False}
    after = localdb.ensure(fresh, durable=False)

    assert after == before == localdb.reserve(fresh)
    assert say(after.database_url, "SELECT name FROM bed") == [("305A",)]
    assert queue.get("waiting") == b"1"


def test_reserving_addresses_starts_nothing(fresh: Path) -> None:
    reserved = localdb.reserve(fresh)

    assert localdb.status(fresh) == {"postgres": False, "broker": False}
    assert localdb.ensure(fresh, durable=False) == reserved


def test_a_killed_postmaster_is_followed_by_a_new_one_with_every_row(fresh: Path) -> None:
    before = localdb.ensure(fresh)
    say(before.owner_url, "CREATE TABLE bed AS SELECT '305A' AS name")
    killed = postmaster(fresh)
    os.kill(killed, signal.SIGKILL)

    after = localdb.ensure(fresh)

    assert postmaster(fresh) != killed
    assert after == before
    assert say(after.database_url, "SELECT name FROM bed") == [("305A",)]


def test_a_killed_broker_keeps_what_was_queued(fresh: Path) -> None:
    services = localdb.ensure(fresh, durable=False)
    queue = redis.Redis.from_url(services.broker_url)
    queue.set("waiting", "1")
    time.sleep(1.1)  # the append-only file reaches the disk once a second
    os.kill(int((fresh / "broker/valkey.pid").read_text()), signal.SIGKILL)

    localdb.ensure(fresh, durable=False)

    assert queue.get("waiting") == b"1"


def test_a_pid_file_that_names_a_stranger_does_not_keep_the_server_from_starting(
    fresh: Path,
) -> None:
    localdb.ensure(fresh, durable=False)
    pid_file = fresh / "postgres/cluster/postmaster.pid"
    left_behind = pid_file.read_text().split("\n")
    localdb.stop(fresh)
    pid_file.write_text("\n".join([str(os.getpid()), *left_behind[1:]]))
    (fresh / "broker/valkey.pid").write_text(str(os.getpid()))

    assert localdb.status(fresh) == {"postgres": False, "broker": False}
    localdb.ensure(fresh, durable=False)

    assert localdb.status(fresh) == {"postgres": True, "broker": True}


def test_a_cluster_whose_making_was_interrupted_is_made_again(fresh: Path) -> None:
    half_made = fresh / "postgres/cluster"
    half_made.mkdir(parents=True)
    (half_made / "PG_VERSION").write_text("17\n")

    services = localdb.ensure(fresh, durable=False)

    assert say(services.database_url, "SELECT 1") == [(1,)]


def test_two_data_folders_run_side_by_side(home: Path, fresh: Path) -> None:
    first, second = localdb.ensure(home), localdb.ensure(fresh, durable=False)
    say(second.owner_url, "CREATE TABLE elsewhere (name text)")

    assert say(first.owner_url, "SELECT to_regclass('elsewhere')") == [(None,)]
    assert redis.Redis.from_url(first.broker_url).ping()
    localdb.stop(fresh)
    assert localdb.status(home) == {"postgres": True, "broker": True}


def test_a_port_that_somebody_else_took_is_given_up(fresh: Path) -> None:
    before = localdb.reserve(fresh)
    with socket.socket() as somebody_else:
        somebody_else.bind(("127.0.0.1", Place.at(fresh).port("postgres")))
        somebody_else.listen()

        after = localdb.ensure(fresh, durable=False)

    assert after.database_url != before.database_url
    assert say(after.database_url, "SELECT 1") == [(1,)]


def test_many_processes_at_once_start_one_server(fresh: Path) -> None:
    code = f"from hospital.localdb import *; from pathlib import Path; ensure(Path({str(fresh)!r}))"
    starters = [subprocess.Popen([sys.executable, "-c", code]) for _ in range(4)]

    assert [starter.wait(60) for starter in starters] == [0, 0, 0, 0]
    assert say(localdb.reserve(fresh).database_url, "SELECT 1") == [(1,)]


def test_stopping_leaves_nothing_in_the_temporary_folder(fresh: Path) -> None:
    localdb.ensure(fresh, durable=False)
    assert Place.at(fresh).socket_dir.is_dir()

    localdb.stop(fresh)

    assert not Place.at(fresh).socket_dir.exists()


def test_a_folder_that_cannot_be_written_is_named_in_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(localdb.LocalServicesFailed, match="HOSPITAL_DATA_DIR") as refusal:
        localdb.ensure(tmp_path / "file" / "data")

    assert "\n" not in str(refusal.value)


# --- What the application may do --------------------------------------------------------


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TABLE mine (name text)",
        "CREATE SCHEMA mine",
        "CREATE ROLE mine",
        "DROP TABLE bed",
        "TRUNCATE bed",
        "ALTER TABLE bed ADD COLUMN more text",
        "ALTER TABLE bed DISABLE TRIGGER ALL",
        "CREATE INDEX ON bed (name)",
        "SET ROLE vigil_owner",
    ],
)
def test_the_application_is_refused(home: Path, statement: str) -> None:
    with pytest.raises(errors.InsufficientPrivilege):
        say(localdb.reserve(home).database_url, statement)


def test_the_application_reads_and_writes_rows_of_the_owners_tables(home: Path) -> None:
    url = localdb.reserve(home).database_url

    say(url, "INSERT INTO bed VALUES ('305A'), ('306B')")
    say(url, "UPDATE bed SET name = '307C' WHERE name = '306B'")
    say(url, "DELETE FROM bed WHERE name = '305A'")

    assert say(url, "SELECT name FROM bed") == [("307C",)]
    say(url, "CREATE TEMPORARY TABLE arriving (name text)")


def test_the_application_owns_nothing(home: Path) -> None:
    url = localdb.reserve(home).database_url

    owned = say(url, "SELECT count(*) FROM pg_class WHERE relowner = 'vigil_app'::regrole")

    assert owned == [(0,)]


def test_a_database_that_the_owner_makes_grants_the_application_the_same(home: Path) -> None:
    owner = localdb.reserve(home).owner_url
    with closing(psycopg2.connect(owner)) as connection:
        connection.autocommit = True
        connection.cursor().execute("CREATE DATABASE test_bed")
    copy = owner.removesuffix("/vigil") + "/test_bed"
    say(copy, "CREATE TABLE bed AS SELECT '305A' AS name")

    assert say(copy, "SET ROLE vigil_app; SELECT name FROM bed") == [("305A",)]
    with pytest.raises(errors.InsufficientPrivilege):
        say(copy, "SET ROLE vigil_app; TRUNCATE bed")


# --- What reports may do ----------------------------------------------------------------


def reports_url(folder: Path) -> str:
    place = Place.at(folder)
    return (
        f"postgres://vigil_reports:{place.password('reports')}"
        f"@127.0.0.1:{place.port('postgres')}/vigil"
    )


def test_reports_sign_in_read_only_and_not_for_ever(home: Path) -> None:
    shown = say(
        reports_url(home),
        "SELECT current_setting('default_transaction_read_only'),"
        " current_setting('statement_timeout')",
    )

    assert shown == [("on", "5min")]


@pytest.mark.parametrize(
    ("statement", "refusal"),
    [
        ("SELECT * FROM bed", errors.InsufficientPrivilege),
        ("SET ROLE vigil_app", errors.InsufficientPrivilege),
        ("SET ROLE vigil_owner", errors.InsufficientPrivilege),
        ("INSERT INTO bed VALUES ('305A')", errors.ReadOnlySqlTransaction),
        (
            "SET default_transaction_read_only = off; COMMIT; CREATE TEMPORARY TABLE mine (a int)",
            errors.InsufficientPrivilege,
        ),
    ],
)
def test_reports_are_refused(home: Path, statement: str, refusal: type[Exception]) -> None:
    with pytest.raises(refusal):
        say(reports_url(home), statement)


@pytest.mark.parametrize("database", ["postgres", "template1"])
def test_neither_application_nor_reports_enter_another_database(home: Path, database: str) -> None:
    for url in (localdb.reserve(home).database_url, reports_url(home)):
        with pytest.raises(psycopg2.OperationalError, match="permission denied for database"):
            psycopg2.connect(url.removesuffix("/vigil") + f"/{database}")


def test_a_folder_of_before_gets_the_role_and_the_rights_that_have_come_since(fresh: Path) -> None:
    services = localdb.ensure(fresh, durable=False)
    say(services.owner_url, "CREATE TABLE alerts_alert AS SELECT '305A' AS bed")
    say(services.owner_url, "CREATE TABLE django_session AS SELECT 'secret' AS key")
    before = Place.at(fresh).password("application")
    for database, statement in [
        ("template1", "DROP OWNED BY vigil_reports"),
        ("vigil", "DROP OWNED BY vigil_reports; DROP ROLE vigil_reports"),
    ]:
        with closing(Postgres(Place.at(fresh)).connect(database)) as admin, admin:
            admin.cursor().execute(statement)
    (fresh / "secrets" / "reports").unlink()
    (fresh / "postgres" / "roles-made").write_text("")

    after = localdb.ensure(fresh, durable=False)

    assert after == services
    assert say(reports_url(fresh), "SELECT bed FROM alerts_alert") == [("305A",)]
    with pytest.raises(errors.InsufficientPrivilege):
        say(reports_url(fresh), "SELECT key FROM django_session")
    assert Place.at(fresh).password("application") == before


# --- What stays private -----------------------------------------------------------------


def test_passwords_are_readable_by_their_owner_alone(home: Path) -> None:
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (home / "secrets").iterdir()}

    kept = ("admin", "owner", "application", "reports", "broker")
    assert modes == dict.fromkeys(kept, 0o600)


def test_no_password_is_shown_among_the_arguments_of_a_server(home: Path) -> None:
    servers = [postmaster(home), int((home / "broker/valkey.pid").read_text())]
    shown = "".join(
        subprocess.check_output(["ps", "-ww", "-o", "args=", "-p", str(pid)], text=True)
        for pid in servers
    )

    assert not [p for p in (home / "secrets").iterdir() if p.read_text() in shown]


def test_a_failing_statement_leaves_no_value_in_the_servers_log(home: Path) -> None:
    services = localdb.reserve(home)
    say(services.owner_url, "CREATE TABLE patient (name text UNIQUE)")
    say(services.database_url, "INSERT INTO patient VALUES ('Ada Invented')")

    with pytest.raises(errors.UniqueViolation):
        say(services.database_url, "INSERT INTO patient VALUES ('Ada Invented')")

    log = (home / "postgres/server.log").read_text()
    assert "duplicate key" in log
    assert "Ada" not in log


def test_without_a_password_neither_server_answers(home: Path) -> None:
    port = Place.at(home).port
    with pytest.raises(psycopg2.OperationalError):
        psycopg2.connect(host="127.0.0.1", port=port("postgres"), user="vigil_app", dbname="vigil")
    with pytest.raises(redis.AuthenticationError):
        redis.Redis(port=port("broker")).ping()
