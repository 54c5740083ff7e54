"""A backup becomes a database again, proven by counts and checksums, or nothing is left of it.

It grows under a name of its own and takes the wanted name only when it is proven; whatever bore
that name before is kept aside. It starts muted.
"""

from __future__ import annotations

import logging
import re
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from threading import Thread
from typing import IO, Any

import psycopg2
from django.conf import settings
from django.core.management import call_command
from django.db import connection, transaction
from django.db.migrations.loader import MigrationLoader
from django.utils import timezone

from ops import audit
from ops.catalogue import Manifest, fetch, manifest_of
from ops.checksums import differences
from ops.choices import RestoreKind, RestoreStatus
from ops.databases import Database, require_success, start, with_database
from ops.encryption import decrypt, identities
from ops.errors import BackupDoesNotFit, OpsError, RestoreFailed, TargetInUse
from ops.models import Restore
from ops.registry import followers
from ops.server import (
    MAINTENANCE,
    alone_with,
    close_to_all,
    create,
    drop,
    drop_leftovers,
    exists,
    open_to_users,
    rename,
    use_of,
)
from ops.services.dumping import contents_of
from ops.services.muting import mute

log = logging.getLogger(__name__)

_LONGEST_NAME = 63

Say = Callable[[str], None]


@dataclass
class Restored:
    """A proven database: what it was made from, how long each step took, what was found."""

    source: str
    database: str
    seconds: dict[str, float] = field(default_factory=dict)
    report: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Archive:
    """Where a restore comes from: `pour` writes an archive of pg_dump, `about` is what it holds."""

    source: str
    about: dict[str, Any]
    pour: Callable[[IO[bytes]], None]


@contextmanager
def kept_archive(name: str) -> Iterator[Archive]:
    """Give a kept dump: the key is asked for first, then it is fetched and its SHA-256 proven.

    Raises KeyMissing, BackupUnknown, BackupAltered.
    """
    identities()
    manifest = manifest_of(name)
    if "tables" not in manifest:
        raise BackupDoesNotFit(
            f"{name} is no dump of a database: manage.py backups shows which are."
        )
    with tempfile.TemporaryDirectory(prefix="vigil-restore-") as folder:
        hidden = Path(folder) / "dump.age"
        with hidden.open("wb") as stream:
            fetch(manifest, stream)

        def pour(target: IO[bytes]) -> None:
            with hidden.open("rb") as stream:
                decrypt(stream, target)

        yield Archive(name, manifest, pour)


def restore(
    archive: Archive, *, to: str, is_overwriting: bool, by: str, why: str, say: Say
) -> Restored:
    """Restore into a database of this name, prove it, and put it in its place, muted.

    A database that holds anything is not touched unless `is_overwriting`; then it is kept under
    another name. Raises BackupDoesNotFit, TargetInUse, RestoreFailed; afterwards everything is as
    it was.
    """
    require_fit(archive.about)
    _require_free(to, is_overwriting=is_overwriting)
    started_at = timezone.now()
    with grown(archive, beside=to, say=say) as restored:
        with with_database(restored.database):
            # Before it bears the name that running processes know.
            start_muted(restored.source, to, by=by, why=why)
        before = _take_place(restored.database, to, is_overwriting=is_overwriting, say=say)
    restored.database = to
    restored.report["kept_aside"] = before
    restored.report["stands_as_of"] = stands_as_of(archive)
    behind = started_at - datetime.fromisoformat(stands_as_of(archive))
    restored.report["seconds_behind"] = max(0, round(behind.total_seconds()))
    with with_database(to):
        settle(restored, started_at=started_at, by=by, why=why, say=say)
    return restored


def stands_as_of(archive: Archive) -> str:
    """Say as of when what comes out of an archive stands."""
    return str(archive.about.get("reaches") or archive.about["snapshot_at"])


@contextmanager
def grown(archive: Archive, *, beside: str, say: Say) -> Iterator[Restored]:
    """Give a proven database under a name of its own; it is gone if the block fails.

    Raises RestoreFailed.
    """
    name = f"{beside[: _LONGEST_NAME - 10]}_restoring"
    restored = Restored(archive.source, name)
    server = Database.of_owner()
    with alone_with(server, name), _nothing_left(server, restored):
        drop(server, name)
        drop_leftovers(server, ending="_restoring")
        create(server, name)
        with timed(restored, "restore"):
            _pour(archive, server.named(name), say=say)
        with timed(restored, "verify"):
            _prove(archive.about, server.named(name), restored, say=say)
        with timed(restored, "migrate"), with_database(name):
            migrate()
        yield restored


@contextmanager
def _nothing_left(server: Database, restored: Restored) -> Iterator[None]:
    """Drop what was begun where something goes wrong, and say what that was."""
    try:
        yield
    except BaseException as error:
        drop(server, restored.database)
        if isinstance(error, OpsError) or not isinstance(error, Exception):
            raise
        raise RestoreFailed(
            f"The restore of {restored.source} failed with {type(error).__name__}"
            f" ({_told(error)}); nothing half-restored is left."
        ) from error


def require_fit(about: Manifest) -> None:
    """Refuse what this server or this version of Vigil cannot take in. Raises BackupDoesNotFit."""
    with Database.of_owner().named(MAINTENANCE).connect() as opened:
        major = opened.server_version // 10_000
    if about["major"] > major:
        raise BackupDoesNotFit(
            f"The backup was made by PostgreSQL {about['major']}, this server is {major}: restore"
            f" into a server of version {about['major']} or later."
        )
    known = set(MigrationLoader(None).disk_migrations)
    own = {app for app, _ in known}
    unknown = [
        f"{app}.{name}"
        for app, names in about["migrations"].items()
        for name in names
        if app in own and (app, name) not in known
    ]
    if unknown:
        raise BackupDoesNotFit(
            f"The backup was made by Vigil {about.get('version', 'unknown')}; this one,"
            f" {settings.VERSION}, is older and does not know {len(unknown)} of its migrations"
            f" ({unknown[0]} is the first). Install that version, then restore."
        )


def _require_free(to: str, *, is_overwriting: bool) -> None:
    server = Database.of_owner()
    is_name = re.fullmatch(rf"[a-z_][a-z0-9_]{{0,{_LONGEST_NAME - 21}}}", to)
    if not is_name or to in {MAINTENANCE, "template0", "template1"}:
        raise TargetInUse(
            f"{to!r} cannot be restored into: name a database of your own, in small letters, digits"
            " and _."
        )
    if not exists(server, to) or is_overwriting:
        return
    tables, sessions = use_of(server, to)
    if tables or sessions:
        held = f"holds {tables} tables" if tables else "is empty"
        used = f", and {sessions} sessions are connected to it" if sessions else ""
        raise TargetInUse(
            f"The database {to} {held}{used}. Restore --to another name, or say --overwrite: then"
            " it is kept under another name, and the restored one takes its place."
        )


def _pour(archive: Archive, target: Database, *, say: Say) -> None:
    process = start(
        [
            "pg_restore", "--exit-on-error", "--single-transaction", "--no-owner", "--no-password",
            "--verbose", f"--dbname={target.name}",
        ],
        target,
        stdin=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdin
    assert process.stderr
    said: list[str] = []
    ear = Thread(target=_hear, args=(process.stderr, said, say), daemon=True)
    ear.start()
    failure: BaseException | None = None
    try:
        archive.pour(process.stdin)
    except BrokenPipeError:
        pass  # pg_restore ended early, and says why
    except BaseException as error:  # pylint: disable=broad-exception-caught
        failure = error
        process.kill()  # half an archive must not be taken for a whole one
    with suppress(BrokenPipeError):
        process.stdin.close()
    status = process.wait()
    ear.join()
    if failure:
        raise failure
    require_success("pg_restore", status, said)


def _hear(stderr: IO[bytes], said: list[str], say: Say) -> None:
    for line in stderr:
        text = line.decode(errors="replace").strip()
        if "error:" in text or "FATAL" in text:
            said.append(text)
        elif "processing data for table" in text:
            say(f"restoring {text.rpartition('.')[2].strip(chr(34))}")


def _prove(about: dict[str, Any], target: Database, restored: Restored, *, say: Say) -> None:
    with target.connect() as opened:
        found = contents_of(opened, say=say)
    wrong = differences(about, found)
    if about["migrations"] != found["migrations"]:
        wrong.append("its migrations are others")
    if wrong:
        raise RestoreFailed(
            "What was restored is not what was backed up: " + "; ".join(wrong[:5]) + "."
        )
    restored.report["tables"] = len(found["tables"])
    restored.report["rows"] = sum(table["rows"] for table in found["tables"].values())


def migrate() -> None:
    """Bring an older schema, where the connection leads, to what this version of Vigil needs."""
    call_command("migrate", interactive=False, verbosity=0)


def _take_place(name: str, to: str, *, is_overwriting: bool, say: Say) -> str:
    """Give the proven database the wanted name. Returns the name of what was there before."""
    server, before = Database.of_owner(), ""
    say(f"putting it in the place of {to}")
    connection.close()
    open_to_users(server, name)
    if exists(server, to):
        if is_overwriting:
            before = f"{to}_before_{timezone.now():%Y%m%d%H%M%S}"
            rename(server, to, before)
            close_to_all(server, before)
        else:
            drop(server, to)
    try:
        rename(server, name, to)
    except psycopg2.Error:
        if before:
            rename(server, before, to)
            open_to_users(server, to)
        raise
    return before


def start_muted(source: str, database: str, *, by: str, why: str) -> None:
    """Mute a restored database, and put on its trail from what and why it was restored."""
    with transaction.atomic():
        mute(by=by, why=f"Restored from {source}.")
        audit.record(
            "database.restored", by=by, kind="database", key=database, why=why,
            details={"source": source},
        )  # fmt: skip


def settle(restored: Restored, *, started_at: Any, by: str, why: str, say: Say) -> None:
    """In the restored database: catch up with what came later, and put that on record."""
    with timed(restored, "catch up"):
        restored.report["caught_up"], restored.report["not_caught_up"] = catch_up(say=say)
    Restore.objects.create(
        kind=RestoreKind.RESTORE,
        status=RestoreStatus.PROVEN,
        source=restored.source,
        target=restored.database,
        by=by,
        why=why,
        started_at=started_at,
        finished_at=timezone.now(),
        seconds=restored.seconds,
        report=restored.report,
    )


def catch_up(*, say: Say) -> tuple[dict[str, str], dict[str, str]]:
    """Let everyone bring the record from where it was restored to where it should be.

    Safe to repeat. Returns what each said, and of those that failed why: the database is in its
    place already, and one that fails must not keep the others from their work.
    """
    said: dict[str, str] = {}
    failed: dict[str, str] = {}
    for follower in followers():
        say(follower.name)
        try:
            said[follower.name] = follower.follow()
        except Exception as error:  # pylint: disable=broad-exception-caught
            log.error("catching up failed", extra={"follower": follower.name}, exc_info=error)
            failed[follower.name] = _reason(error)
    return said, failed


def _reason(error: Exception) -> str:
    told = str(error) if isinstance(error, OpsError) else type(error).__name__
    doc = (type(error).__doc__ or "").partition("\n")[0]
    return f"{told} ({doc})" if doc and not isinstance(error, OpsError) else told


@contextmanager
def timed(restored: Restored, step: str) -> Iterator[None]:
    """Note how long a step took."""
    started = time.monotonic()
    try:
        yield
    finally:
        restored.seconds[step] = round(time.monotonic() - started, 2)


def _told(error: Exception) -> str:
    """Say an error's own words where they cannot quote a row."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    code = getattr(error, "pgcode", None)
    return f"SQLSTATE {code}" if code else "see the log"
