"""A trail in a storage of its own, and somebody who owns the database and tampers with it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import connection
from django.test import override_settings

from ops import audit
from ops.models import GUARDED, GUARDS, AuditEvent, AuditSeal
from ops.services.kept_seals import kept_since
from ops.services.sealing import seal_trail
from ops.services.verifying import Report, verify_trail


@contextmanager
def a_storage(folder: Path) -> Iterator[Path]:
    """Keep seals in this folder."""
    kept = {"BACKEND": "ops.storage.KeptFolder", "OPTIONS": {"location": str(folder)}}
    with override_settings(STORAGES={**settings.STORAGES, "seals": kept}):
        yield folder


def act(number: int, *, by: str = "olga") -> AuditEvent:
    """Record an act on an invented file."""
    return audit.record(
        "file.dismissed",
        by=by,
        kind="feed file",
        key=number,
        why="Sent by mistake.",
        details={"refusal": "unknown_header", "share": 0.25},
    )


def a_seal(*numbers: int) -> AuditSeal:
    """Record acts and seal them together."""
    for number in numbers:
        act(number)
    return the_next_seal()


def the_next_seal() -> AuditSeal:
    """Seal what there is, which makes one seal."""
    made = seal_trail()
    assert len(made) == 1
    return made[0]


def objects() -> list[str]:
    """Name the objects in storage."""
    return sorted(kept.place for kept in kept_since())


def findings() -> list[str]:
    """Verify, and give what was found."""
    return words(verify_trail(by="sam"))


def words(report: Report) -> list[str]:
    """Give the findings as they are printed."""
    return [str(finding) for finding in report.findings]


def tamper(statement: str, *values: Any) -> None:
    """Do what only the database's owner can: switch the guards off, change, and hide the traces."""
    with connection.cursor() as cursor:
        # What is deferred until the end of the transaction would hinder the switching.
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        for table in GUARDED:
            cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
        for table, name in _foreign_keys():
            cursor.execute(f"ALTER TABLE {table} DROP CONSTRAINT {name}")
        cursor.execute(statement, values or None)
        for table in GUARDED:
            cursor.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER")
            for guard in GUARDS:
                cursor.execute(f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {guard}")


def empty_the_trail() -> None:
    """Empty its tables after a test with real transactions: the guards refuse its own cleaning."""
    with connection.cursor() as cursor:
        for table in GUARDED:
            cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
        cursor.execute(f"TRUNCATE {', '.join(GUARDED)}")
        for table in GUARDED:
            cursor.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER")
            for guard in GUARDS:
                cursor.execute(f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {guard}")


def _foreign_keys() -> list[tuple[str, str]]:
    """Only a superuser can switch the database's own checks off; an owner drops them."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT conrelid::regclass::text, quote_ident(conname) FROM pg_constraint"
            " WHERE contype = 'f' AND conrelid = ANY (%s::regclass[])",
            [list(GUARDED)],
        )
        found: list[tuple[str, str]] = cursor.fetchall()
    return found
