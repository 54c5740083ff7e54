"""manage.py dbroles: the same rights in the papers, on a server of one's own, and in the check."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psycopg2
import pytest
from django.core.management import CommandError, call_command
from django.test import override_settings
from psycopg2 import errors

from hospital import localdb
from hospital.database.checking import differences
from hospital.database.rights import Names
from hospital.localdb.places import Place
from hospital.localdb.postgres import Postgres

PROJECT = Path(__file__).resolve().parent.parent.parent
NAMES = Names(database="theirs", owner="their_owner", application="their_app", reports="their_rep")


def printed(*arguments: str) -> str:
    out = io.StringIO()
    call_command("dbroles", *arguments, stdout=out)
    return out.getvalue()


def test_the_papers_show_what_the_command_prints() -> None:
    papers = (PROJECT / "docs" / "operating.md").read_text()
    block = re.search(r"^    CREATE ROLE.*?(?=^\S)", papers, flags=re.MULTILINE | re.DOTALL)
    assert block
    shown = [line.strip() for line in block[0].strip().splitlines()]
    assert shown == printed("--sql").strip().splitlines()


@pytest.fixture(scope="module", name="server")
def _server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    """A PostgreSQL with a superuser, an empty database and none of our roles in it."""
    folder = tmp_path_factory.mktemp("server")
    localdb.ensure(folder, durable=False)
    server = Postgres(Place.at(folder))
    with closing(server.connect("postgres")) as admin:
        admin.autocommit = True
        admin.cursor().execute("CREATE DATABASE theirs TEMPLATE template0")
    yield server
    localdb.stop(folder)


def theirs(server: Postgres) -> override_settings:
    """The settings of a hospital that brings this server."""
    port = server.place.port("postgres")
    admin = server.place.password("admin")
    return override_settings(
        DATABASE_APPLICATION={"USER": "their_app", "PASSWORD": "of the application"},
        DATABASE_OWNER={"USER": "their_owner", "PASSWORD": "of the owner"},
        DATABASE_REPORTS_ROLE="their_rep",
        DATABASE_ADMIN_URL=f"postgres://vigil_admin:{admin}@127.0.0.1:{port}/theirs",
    )


def connected(server: Postgres, user: str, password: str) -> psycopg2.extensions.connection:
    port = server.place.port("postgres")
    return psycopg2.connect(
        host="127.0.0.1", port=port, user=user, password=password, dbname="theirs"
    )


def test_a_server_of_ones_own_gets_roles_that_may_do_what_they_should(server: Postgres) -> None:
    with theirs(server):
        said = printed("--apply")
        again = printed("--apply")

    assert "their_rep has no password yet" in said
    assert again == "Applied. manage.py dbroles --check proves it.\n"
    with closing(connected(server, "their_app", "of the application")) as application:
        cursor = application.cursor()
        found = differences(cursor, NAMES)
        with pytest.raises(errors.InsufficientPrivilege):
            cursor.execute("CREATE TABLE mine (name text)")
    assert found == []
    with closing(connected(server, "their_owner", "of the owner")) as owner, owner:
        owner.cursor().execute("CREATE TABLE alerts_alert (bed text)")


def test_without_the_address_of_a_superuser_nothing_is_applied() -> None:
    with pytest.raises(CommandError, match="DATABASE_ADMIN_URL is not set"):
        printed("--apply")


@pytest.mark.django_db
def test_the_check_ends_with_what_differs() -> None:
    out = io.StringIO()
    with pytest.raises(CommandError, match="rights are not as they should be"):
        call_command("dbroles", "--check", stdout=out)
    # The tests themselves connect as the owner.
    assert out.getvalue().startswith("Two of owner, application and reports are the same role")
