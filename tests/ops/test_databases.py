"""As whom and how the database is reached: by Django, by ourselves, by PostgreSQL's programs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg2
import pytest
from django.db import connection

from ops.databases import Database, at_address


@contextmanager
def options(**more: str) -> Iterator[None]:
    """Let the connection's options be these, too."""
    before = connection.settings_dict
    connection.settings_dict = {**before, "OPTIONS": {**before["OPTIONS"], **more}}
    try:
        yield
    finally:
        connection.settings_dict = before


def test_programs_trust_the_roots_that_the_application_trusts() -> None:
    with options(sslmode="verify-full", sslrootcert="/etc/roots.pem", hostaddr="127.0.0.9"):
        told = Database.of_owner().environment()

    assert (told["PGSSLMODE"], told["PGSSLROOTCERT"]) == ("verify-full", "/etc/roots.pem")
    assert told["PGHOSTADDR"] == "127.0.0.9"


@pytest.mark.django_db(transaction=True)
def test_a_tunnel_is_gone_through_by_our_own_connections() -> None:
    with (
        options(hostaddr="127.0.0.9"),
        pytest.raises(psycopg2.OperationalError, match=r"127\.0\.0\.9"),
        Database.of_owner().connect(),
    ):
        pass


@pytest.mark.django_db(transaction=True)
def test_another_server_is_never_reached_through_the_tunnel_to_the_own_one() -> None:
    with options(hostaddr="127.0.0.9"), at_address("127.0.0.7", 5432):
        other = Database.of_owner()

    assert (other.host, other.hostaddr) == ("127.0.0.7", "")
