"""Carrying out a rotation of a secret here: where this place keeps it, and its line on the trail.

Knows the settings and the services; how a password changes place: `hospital.database.passwords`.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg2
from django.conf import settings
from django.db import connection, transaction

from hospital import signingkey
from hospital.database.names import role_names
from hospital.database.passwords import Folder, Kept, connect_as, kept_in, rotate
from hospital.factorsecrets import keep_anew
from hospital.localdb.postgres import SUPERUSER
from ops.services.secrets import note_new_version


class CannotRotate(Exception):
    """Says why not, and what to do instead. Nothing was changed."""


def rotate_password(role: str, *, by: str, why: str) -> None:
    """Give one of the database's roles a new random password, without a restart of anything.

    The line on the trail and the change: both, or neither, as far as two places can.
    Raises CannotRotate.
    """
    kept = kept_in(settings.DATABASE_PASSWORDS)
    if kept is None:
        raise CannotRotate(
            "The passwords stand in DATABASE_URL and DATABASE_OWNER_URL alone, where no command "
            "reaches them: keep them in a folder or in AWS Secrets Manager and name it in "
            "DATABASE_PASSWORDS."
        )
    try:
        with transaction.atomic():
            note_new_version(f"database.{role}", by=by, why=why)
            rotate(
                role,
                getattr(role_names(), role),
                kept=kept,
                connect=lambda password: _connected(role, password, kept),
            )
    except psycopg2.Error as error:
        said = str(error).strip().partition("\n")[0]
        raise CannotRotate(f"The server refused: {said}") from None


def rotate_signing_key(folder: Path, *, now: datetime, by: str, why: str) -> None:
    """Let a new key sign from the next start on; the old one is believed until it is dropped."""
    with transaction.atomic():
        note_new_version("signing", by=by, why=why)
        signingkey.rotate_key(folder, now=now)


def drop_old_signing_keys(folder: Path, *, now: datetime, is_at_once: bool = False) -> int:
    """Believe old keys no more whose time is over; gives how many they were.

    `is_at_once`: somebody else may have them, so their time is over now.

    What they encrypted is encrypted anew first: else each second factor would be lost with them.
    """
    after = timedelta(days=0 if is_at_once else settings.KEEP_OLD_SIGNING_KEY_DAYS)
    due = signingkey.due_keys(folder, now=now, after=after)
    if due:
        keep_anew()
        signingkey.drop_old_keys(folder, now=now, after=after)
    return due


def _connected(role: str, password: str | None, kept: Kept) -> Any:
    """Connect as somebody who may alter the role, or as the role with a password to be proven."""
    wanted = {
        **connection.get_connection_params(),
        "connect_timeout": 10,
        # Reports are read-only by their own setting, which a password's change must pass.
        "options": "-c default_transaction_read_only=off",
    }
    itself = {**wanted, "user": getattr(role_names(), role)}
    if password is not None:
        return psycopg2.connect(**{**itself, "password": password})
    if settings.DATABASE_ADMIN_URL:
        return psycopg2.connect(settings.DATABASE_ADMIN_URL, connect_timeout=10)
    admin = kept.current("admin") if isinstance(kept, Folder) else None
    if admin is not None:
        return psycopg2.connect(**{**wanted, "user": SUPERUSER, "password": admin})
    # A role may change its own password.
    return connect_as(
        role,
        lambda found: psycopg2.connect(**{**itself, "password": found}),
        kept=kept,
        otherwise=str(_stated(role)),
    )


def _stated(role: str) -> Any:
    if role == "owner":
        return settings.DATABASE_OWNER["PASSWORD"]
    return settings.DATABASE_APPLICATION["PASSWORD"] if role == "application" else ""
