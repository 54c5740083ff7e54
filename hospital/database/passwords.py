"""Where the passwords of the database's roles are kept, and how a new one takes an old one's place.

PostgreSQL knows one password a role, and processes that run were told the old one. So a new one is
first kept *beside* the old, then given to the server, then put in the old one's place; whoever
connects tries what is kept, then what is beside it, then what is kept by now. There is no moment in
which none of these fits, also where the change was interrupted. Never logs, never shows one.
"""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol, TypeVar

import psycopg2
from psycopg2 import extensions

from hospital.database.rights import quoted

ROLES = ("owner", "application", "reports")
IN_AWS = "secretsmanager:"
_Connection = TypeVar("_Connection")


class Kept(Protocol):
    """A place of passwords, each under the name of its role."""

    def current(self, role: str) -> str | None:
        """Give the password that holds, as far as is known here."""

    def current_by_now(self, role: str) -> str | None:
        """The same, asked of the place itself."""

    def pending(self, role: str) -> str | None:
        """Give the one that is about to hold."""

    def propose(self, role: str, password: str) -> None:
        """Keep one beside the one that holds."""

    def promote(self, role: str) -> None:
        """Put what is beside in the place of what held."""


class Folder:
    """One file a role, as in the data folder's `secrets/`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def current(self, role: str) -> str | None:
        """Read it anew each time: it is what lets processes go on that were started before."""
        return self._read(role)

    def current_by_now(self, role: str) -> str | None:
        """Read it."""
        return self._read(role)

    def pending(self, role: str) -> str | None:
        """Read the one beside it."""
        return self._read(f"{role}.next")

    def propose(self, role: str, password: str) -> None:
        """Write it aside and rename it, so that nobody reads half of it; on the disk on return."""
        part = self.folder / f".{role}.{os.getpid()}"
        handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "w") as file:
            file.write(password)
            file.flush()
            os.fsync(file.fileno())
        part.replace(self.folder / f"{role}.next")
        self._sync()

    def promote(self, role: str) -> None:
        """Let it take the old one's place in one step."""
        (self.folder / f"{role}.next").replace(self.folder / role)
        self._sync()

    def _read(self, name: str) -> str | None:
        try:
            return (self.folder / name).read_text().strip() or None
        except FileNotFoundError:
            return None

    def _sync(self) -> None:
        handle = os.open(self.folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


class SecretsManager:
    """AWS Secrets Manager: one secret a role, its name a prefix and the role's.

    A secret is the password itself, or JSON with a field `password`, as RDS writes it; other fields
    are kept. Old and new are the versions that AWS calls AWSCURRENT and AWSPENDING.
    """

    def __init__(self, prefix: str) -> None:
        self.prefix = prefix
        self._known: dict[str, str | None] = {}

    def current(self, role: str) -> str | None:
        """Ask AWS once in a process: a question costs money, and time for each connection."""
        if role not in self._known:
            self._known[role] = self.current_by_now(role)
        return self._known[role]

    def current_by_now(self, role: str) -> str | None:
        """Ask AWS."""
        self._known[role] = self._password(role, "AWSCURRENT")
        return self._known[role]

    def pending(self, role: str) -> str | None:
        """Ask AWS for the one that is about to hold."""
        return self._password(role, "AWSPENDING")

    def propose(self, role: str, password: str) -> None:
        """Put a version that does not hold yet."""
        text = self._version(role, "AWSCURRENT").get("SecretString", "")
        fields = _fields(text)
        text = json.dumps({**fields, "password": password}) if fields else password
        self._client().put_secret_value(
            SecretId=self.prefix + role, SecretString=text, VersionStages=["AWSPENDING"]
        )

    def promote(self, role: str) -> None:
        """Let it hold."""
        fresh, old = (self._version(role, stage) for stage in ("AWSPENDING", "AWSCURRENT"))
        if fresh["VersionId"] != old["VersionId"]:
            self._client().update_secret_version_stage(
                SecretId=self.prefix + role,
                VersionStage="AWSCURRENT",
                MoveToVersionId=fresh["VersionId"],
                RemoveFromVersionId=old["VersionId"],
            )
        self._known.pop(role, None)

    def _password(self, role: str, stage: str) -> str | None:
        text = self._version(role, stage).get("SecretString", "")
        return _fields(text).get("password") or text or None

    def _version(self, role: str, stage: str) -> dict[str, Any]:
        client = self._client()
        with suppress(client.exceptions.ResourceNotFoundException):
            found: dict[str, Any] = client.get_secret_value(
                SecretId=self.prefix + role, VersionStage=stage
            )
            return found
        return {}

    @staticmethod
    def _client() -> Any:
        import boto3
        from botocore.config import Config

        # A database that cannot be reached for want of a password must say so soon.
        patience = Config(connect_timeout=5, read_timeout=10, retries={"total_max_attempts": 3})
        return boto3.client("secretsmanager", config=patience)


def kept_in(place: str) -> Kept | None:
    """Give the place that a setting names: a folder, or `secretsmanager:` and a prefix."""
    if not place:
        return None
    if place.startswith(IN_AWS):
        return SecretsManager(place.removeprefix(IN_AWS))
    return Folder(Path(place))


class Address(dict[str, Any]):
    """A database's address, whose password is looked up whenever it is asked for: a dump that a
    process makes at night needs the one of then."""

    def __init__(self, address: dict[str, Any], *, role: str, kept: Kept | None) -> None:
        super().__init__(address)
        self._role = role
        self._kept = kept

    def __getitem__(self, name: str) -> Any:
        """Give the password that is kept, if one is; everything else as it was told."""
        found = self._kept.current_by_now(self._role) if self._kept and name == "PASSWORD" else None
        return super().__getitem__(name) if found is None else found


def connect_as(
    role: str,
    connect: Callable[[str], _Connection],
    *,
    kept: Kept | None,
    otherwise: str = "",
) -> _Connection:
    """Connect with the password that fits; `otherwise` where none is kept.

    Raises the server's last refusal. The server's words are not read: they come in its language.
    """
    if kept is None:
        return connect(otherwise)
    refusals: list[psycopg2.OperationalError] = []
    before: tuple[str | None, str | None] = (None, None)
    while True:
        current = kept.current_by_now(role) if refusals else kept.current(role)
        if current is None:
            return connect(otherwise)
        if refusals and before == (current, kept.pending(role)):
            raise refusals[-1]
        try:
            return connect(current)
        except psycopg2.OperationalError as error:
            refusals.append(error)
        pending = kept.pending(role)
        if pending is not None and pending != current:
            with suppress(psycopg2.OperationalError):
                return connect(pending)
        # Rotated in between, even twice: what is kept by now differs, and is tried.
        before = (current, pending)


def give_password(connection: extensions.connection, name: str, password: str) -> None:
    """Tell the server a role's password as what proves it: a statement may land in a log."""
    verifier = extensions.encrypt_password(password, name, connection, "scram-sha-256")
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER ROLE {quoted(name)} PASSWORD %s", [verifier])


def rotate(
    role: str, name: str, *, kept: Kept, connect: Callable[[str | None], extensions.connection]
) -> None:
    """Let a new random password take the place of the one that holds, and prove it.

    `connect` gives a connection that may alter the role (called with None), or one as the role
    itself with a given password. One rotation at a time. Interrupted, either password is found by
    `connect_as`, and the next rotation finishes what was begun.
    """
    connection = connect(None)
    try:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_lock(hashtext('vigil: rotate a password'))")
        _finish(role, kept, connect)
        fresh = secrets.token_urlsafe(24)
        kept.propose(role, fresh)
        give_password(connection, name, fresh)
        connect(fresh).close()
        kept.promote(role)
    finally:
        connection.close()


def _finish(role: str, kept: Kept, connect: Callable[[str | None], extensions.connection]) -> None:
    """A new one that was given to the server and not put in the old one's place is the only one."""
    begun = kept.pending(role)
    if begun and begun != kept.current_by_now(role):
        with suppress(psycopg2.OperationalError):
            connect(begun).close()
            kept.promote(role)


def _fields(text: str) -> dict[str, Any]:
    with suppress(ValueError):
        found = json.loads(text)
        if isinstance(found, dict):
            return found
    return {}
