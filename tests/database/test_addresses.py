"""What an address asks of a connection is asked: TLS that is left out is missed by nobody."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.ingestion.terminal import PROJECT, environment

ASKED = "?sslmode=verify-full&sslrootcert=/etc/vigil/roots.pem&hostaddr=127.0.0.1"
TELL = """
import django, json
django.setup()
from django.db import connections
from ops.databases import Database, at_address

def asked(alias):
    made = connections[alias].get_connection_params()
    return [made.get(name) for name in ("host", "sslmode", "sslrootcert", "hostaddr")]

told = Database.of_owner().environment()
print(json.dumps({
    "writer": asked("default"),
    "reader": asked("reader"),
    "read-only": "default_transaction_read_only=on" in connections["reader"]
        .get_connection_params()["options"],
    "programs": [told.get(f"PG{name}") for name in
        ("HOST", "SSLMODE", "SSLROOTCERT", "HOSTADDR")],
}))
with at_address("recovered", 5433):
    assert asked("default") == ["recovered", "verify-full", "/etc/vigil/roots.pem", None]
"""


@pytest.mark.django_db
def test_writer_replica_and_programs_of_postgresql_meet_whom_the_address_names() -> None:
    writer = f"postgres://vigil@writer:5432/vigil{ASKED}"
    done = subprocess.run(
        [sys.executable, "-c", TELL],
        env=environment(
            DATABASE_URL=writer,
            DATABASE_OWNER_URL=writer,
            DATABASE_READER_URL=f"postgres://reader:5432{ASKED}",
        ),
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    same = ["verify-full", "/etc/vigil/roots.pem", "127.0.0.1"]
    assert json.loads(done.stdout) == {
        "writer": ["writer", *same],
        "reader": ["reader", *same],
        "read-only": True,
        "programs": ["writer", *same],
    }
