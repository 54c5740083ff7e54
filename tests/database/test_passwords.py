"""A new password takes an old one's place: there is no moment in which none fits."""

from __future__ import annotations

import json
import stat
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import boto3
import psycopg2
import pytest
from moto import mock_aws

from hospital import localdb
from hospital.database.passwords import (
    Folder,
    SecretsManager,
    connect_as,
    give_password,
    kept_in,
    rotate,
)
from hospital.localdb.places import Place
from hospital.localdb.postgres import Postgres

NAME = "vigil_app"


@pytest.fixture(scope="module", name="server")
def _server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    folder = tmp_path_factory.mktemp("rotating")
    localdb.ensure(folder, durable=False)
    yield Postgres(Place.at(folder))
    localdb.stop(folder)


@pytest.fixture(name="kept")
def _kept(server: Postgres) -> Folder:
    return Folder(server.place.data_dir / "secrets")


def connected(server: Postgres, password: str | None) -> Any:
    """As the application with a password, or as who may alter it."""
    if password is None:
        return server.connect("vigil")
    port = server.place.port("postgres")
    return psycopg2.connect(
        host="127.0.0.1", port=port, user=NAME, password=password, dbname="vigil"
    )


def rotated(server: Postgres, kept: Any) -> None:
    rotate("application", NAME, kept=kept, connect=lambda password: connected(server, password))


def found(server: Postgres, kept: Any) -> Any:
    """Connect as a process would that was started long before."""
    return connect_as("application", lambda password: connected(server, password), kept=kept)


def test_the_new_password_opens_and_the_old_one_does_not(server: Postgres, kept: Folder) -> None:
    old = kept.current("application")
    rotated(server, kept)
    assert kept.current("application") != old
    assert kept.pending("application") is None
    found(server, kept).close()
    with pytest.raises(psycopg2.OperationalError):
        connected(server, old)
    mode = (server.place.data_dir / "secrets" / "application").stat().st_mode
    assert stat.S_IMODE(mode) == 0o600


def test_a_connection_that_is_open_goes_on(server: Postgres, kept: Folder) -> None:
    with closing(found(server, kept)) as open_before:
        rotated(server, kept)
        cursor = open_before.cursor()
        cursor.execute("SELECT 1")
        assert cursor.fetchone() == (1,)


def test_whoever_connects_during_rotations_is_never_refused(server: Postgres, kept: Folder) -> None:
    refusals: list[Exception] = []
    connections: list[int] = []
    is_over = threading.Event()

    def connect_again_and_again() -> None:
        while not is_over.is_set():
            try:
                found(server, kept).close()
                connections.append(1)
            except psycopg2.OperationalError as error:
                refusals.append(error)

    clients = [threading.Thread(target=connect_again_and_again) for _ in range(3)]
    for client in clients:
        client.start()
    for _ in range(25):
        rotated(server, kept)
    is_over.set()
    for client in clients:
        client.join()
    assert refusals == []
    assert len(connections) > 25


@pytest.mark.parametrize("was_told", [False, True])
def test_a_rotation_that_was_killed_leaves_a_password_that_opens_and_the_next_one_ends_it(
    server: Postgres, kept: Folder, was_told: bool
) -> None:
    kept.propose("application", "the new one")
    if was_told:
        with closing(server.connect("vigil")) as admin, admin:
            give_password(admin, NAME, "the new one")

    found(server, kept).close()
    localdb.ensure(server.place.data_dir, durable=False)
    found(server, kept).close()
    rotated(server, kept)

    assert kept.pending("application") is None
    connected(server, kept.current("application")).close()


def test_a_folder_of_before_keeps_what_a_killed_rotation_left(
    server: Postgres, kept: Folder
) -> None:
    kept.propose("application", "the new one")
    with closing(server.connect("vigil")) as admin, admin:
        give_password(admin, NAME, "the new one")
    (server.place.data_dir / "postgres" / "roles-made").write_text("")

    localdb.ensure(server.place.data_dir, durable=False)

    found(server, kept).close()
    rotated(server, kept)


def test_no_password_is_told_to_the_server_s_log(server: Postgres, kept: Folder) -> None:
    with closing(server.connect("postgres")) as admin:
        admin.autocommit = True
        cursor = admin.cursor()
        cursor.execute("ALTER SYSTEM SET log_statement = 'all'")
        cursor.execute("SELECT pg_reload_conf()")
        rotated(server, kept)
        cursor.execute("ALTER SYSTEM RESET log_statement")
        cursor.execute("SELECT pg_reload_conf()")
    log = server.log.read_text()
    assert 'ALTER ROLE "vigil_app" PASSWORD \'SCRAM-SHA-256$' in log
    assert str(kept.current("application")) not in log


def test_a_server_that_is_away_is_asked_once_and_its_refusal_is_told() -> None:
    asked: list[str] = []

    def refuse(password: str) -> None:
        asked.append(password)
        raise psycopg2.OperationalError("away")

    class OnePassword(Folder):
        def _read(self, name: str) -> str | None:
            return "the one" if name == "application" else None

    with pytest.raises(psycopg2.OperationalError, match="away"):
        connect_as("application", refuse, kept=OnePassword(Path()))
    assert asked == ["the one"]


def test_without_a_place_of_passwords_the_address_s_own_is_used() -> None:
    assert kept_in("") is None
    assert connect_as("application", lambda password: password, kept=None, otherwise="own") == "own"


# --- AWS Secrets Manager ----------------------------------------------------------------


@pytest.fixture(name="cloud")
def _cloud(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "invented")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws():
        yield boto3.client("secretsmanager")


@pytest.mark.parametrize(
    "form", ["{password}", '{{"username": "vigil_app", "password": "{password}"}}']
)
def test_a_secret_of_the_cloud_is_rotated_and_its_other_fields_are_kept(
    server: Postgres, kept: Folder, cloud: Any, form: str
) -> None:
    text = form.format(password=kept.current("application"))
    cloud.create_secret(Name="vigil/application", SecretString=text)
    there = kept_in("secretsmanager:vigil/")
    assert isinstance(there, SecretsManager)
    running = SecretsManager("vigil/")  # a process that asked before
    found(server, running).close()

    rotated(server, there)

    found(server, running).close()
    secret = cloud.get_secret_value(SecretId="vigil/application", VersionStage="AWSCURRENT")
    now = secret["SecretString"]
    assert now != text
    if now.startswith("{"):
        assert json.loads(now)["username"] == "vigil_app"
    connected(server, there.current("application")).close()
    # For the tests after this one.
    with closing(server.connect("vigil")) as admin, admin:
        give_password(admin, NAME, str(kept.current("application")))


def test_a_secret_that_is_not_in_the_cloud_is_not_rotated(server: Postgres, cloud: Any) -> None:
    with pytest.raises(Exception, match="ResourceNotFound"):
        rotated(server, SecretsManager("elsewhere/"))
    assert cloud.list_secrets()["SecretList"] == []
