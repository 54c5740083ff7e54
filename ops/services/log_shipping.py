"""The database's log is kept with the backups, segment by segment, and leads to any moment.

Knows names of segments and their order; not what is in them.

    wal/<system>/0000000100000000000000A7.gz.age
"""

from __future__ import annotations

import gzip
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from threading import Thread
from typing import IO, Any

from django.conf import settings
from django.core.cache import cache
from django.core.files.base import File
from django.utils import timezone

from ops.catalogue import Manifest, fetch, kept_names, manifest_of
from ops.choices import BackupKind
from ops.databases import Database, require_success, start
from ops.encryption import decrypt, encrypt, identities, recipients
from ops.errors import NothingToRecover
from ops.models import Backup
from ops.registry import Log, log_of_changes
from ops.services.backing_up import make
from ops.services.dumping import HashedFile, Written, contents_of
from ops.services.holding import is_kind_held
from ops.services.muting import is_muted
from ops.services.restoring import Archive
from ops.storage import AlreadyKept, backup_storage

_START = re.compile(r"log start point: ([0-9A-F]+)/([0-9A-F]+) on timeline (\d+)")
OF_THE_LOG = "the log"
_SEGMENT_BYTES = 16 << 20
_SHIPPED = "log-shipped-at"

Say = Callable[[str], None]


def ship() -> int:
    """Keep every finished segment of the log, encrypted. Returns how many; 0 where there is none.

    What was written a moment ago is in a segment of its own by then. Raises KeyMissing, OSError.
    """
    log = log_of_changes()
    if log is None or is_muted():
        return 0
    keys = recipients()
    log.switch()
    shipped = 0
    system = log.system()
    for segment in log.finished():
        _keep_segment(system, segment, keys)
        segment.unlink()
        shipped += 1
    cache.set(_SHIPPED, timezone.now(), timeout=None)
    return shipped


def shipped_at() -> datetime | None:
    """Say until when the log was shipped, as far as that is known."""
    found = cache.get(_SHIPPED)
    return found if isinstance(found, datetime) else None


def _keep_segment(system: str, segment: Path, keys: list[Any]) -> None:
    with tempfile.TemporaryFile() as hidden:
        with segment.open("rb") as plain:
            encrypt(plain, hidden, to=keys)
        hidden.seek(0)
        # Kept already: its keeper died before it could forget it.
        with suppress(AlreadyKept):
            backup_storage().save(f"wal/{system}/{segment.name}.age", File(hidden))


def back_up_base(
    kind: BackupKind = BackupKind.BASE, *, by: str, why: str = "", say: Say = lambda _: None
) -> Backup:
    """Keep the whole cluster as it lies on its disk: from there the log leads to any moment.

    Raises NothingToRecover where another keeps the log, and as `back_up` does.
    """
    log = own_log()

    def how(file: Path, tell: Say) -> tuple[Written, dict[str, Any]]:
        return _base(log, file, tell)

    return make(kind, "base.tar.gz.age", how, by=by, why=why, say=say)


def own_log() -> Log:
    """Give the log that this place keeps. Raises NothingToRecover."""
    log = log_of_changes()
    if log is None and settings.RDS_INSTANCE:
        raise NothingToRecover(
            f"RDS keeps the log of {settings.RDS_INSTANCE}: manage.py restore --at MOMENT --to"
            " INSTANCE brings it back to a moment."
        )
    if log is None:
        raise NothingToRecover(
            "The log of this database is kept by whoever runs it: bring it back to a moment with"
            " their means (on RDS: point-in-time recovery)."
        )
    return log


def _base(log: Log, file: Path, say: Say) -> tuple[Written, dict[str, Any]]:
    say("copying the cluster")
    keys = recipients()
    process = log.base()
    assert process.stdout
    assert process.stderr
    said: list[str] = []
    ear = Thread(target=_hear, args=(process.stderr, said), daemon=True)
    ear.start()
    try:
        with file.open("wb") as stream:
            hidden = HashedFile(stream)
            encrypt(process.stdout, hidden, to=keys)  # type: ignore[arg-type]
    except OSError:
        process.kill()
        raise
    finally:
        process.stdout.close()
        status = process.wait()
        ear.join()
    require_success("pg_basebackup", status, said)
    about = {
        "system": log.system(),
        "first_segment": _first_segment(said),
        "copied_at": timezone.now().isoformat(),
        "recipients": [str(key) for key in keys],
    }
    return hidden.written, about


def _hear(stderr: IO[bytes], said: list[str]) -> None:
    said.extend(line.decode(errors="replace") for line in stderr)


def _first_segment(said: list[str]) -> str:
    """Name the segment with which a base begins: high and low part of a position, by segments."""
    found = next(filter(None, map(_START.search, said)))
    high, low = int(found[1], 16), int(found[2], 16)
    return f"{int(found[3]):08X}{high:08X}{low // _SEGMENT_BYTES:08X}"


@contextmanager
def recovered_archive(until: datetime | None, *, say: Say, cluster: str = "") -> Iterator[Archive]:
    """Give the database as it was at a moment, or as late as the log leads.

    The log is that of this server's cluster; of another where that is gone, or named.

    Raises KeyMissing first, then NothingToRecover, BackupAltered.
    """
    identities()
    log = own_log()
    manifest = _base_before(until, cluster=cluster, own=log.system())
    with tempfile.TemporaryDirectory(prefix="vigil-log-") as name:
        base, segments = Path(name) / "base.tar.gz", Path(name) / "segments"
        segments.mkdir()
        say("fetching the base")
        _fetch_base(manifest, base)
        count = _fetch_segments(manifest, segments, say=say)
        say(f"reading {count} segments of the log")
        with log.recover(base, segments, until=until) as recovered:
            with recovered.database.connect() as opened:
                about = contents_of(opened, say=say)
            reached = recovered.until or datetime.fromisoformat(manifest["copied_at"])
            yield Archive(
                f"{OF_THE_LOG} until {reached:%Y-%m-%d %H:%M:%S} UTC",
                about
                | {
                    "version": manifest["version"],
                    "reaches": reached.isoformat(),
                    "cluster": manifest["system"],
                },
                lambda target: _pour(recovered.database, target),
            )


def _base_before(until: datetime | None, *, cluster: str, own: str) -> Manifest:
    """Give the newest base of one cluster from before a moment. Raises NothingToRecover.

    Bases of several clusters may lie in one storage: of a copy that somebody restored to look at,
    say. The newest of all would then bring the wrong hospital back.
    """
    bases = [manifest_of(name) for name in kept_names(BackupKind.BASE)]
    if not bases:
        raise NothingToRecover(
            "No base of the log is kept yet: the keeper makes the first within minutes of the"
            " start. manage.py backups lists the dumps that there are."
        )
    wanted = _cluster_of(bases, cluster=cluster, own=own)
    for manifest in bases:
        is_early = until is None or datetime.fromisoformat(manifest["copied_at"]) <= until
        if manifest["system"] == wanted and is_early:
            return manifest
    raise NothingToRecover(
        f"No base backup of cluster {wanted} is kept from before that moment: manage.py backups"
        " lists what there is."
    )


def _cluster_of(bases: list[Manifest], *, cluster: str, own: str) -> str:
    """Say whose log is meant: the one named, else this server's own, else the only one there is."""
    kept = {str(manifest["system"]): manifest for manifest in reversed(bases)}
    if cluster and cluster not in kept:
        raise NothingToRecover(f"No base of a cluster {cluster} is kept: {_told(kept)}.")
    if cluster or own in kept:
        return cluster or own
    if len(kept) == 1:
        return next(iter(kept))
    raise NothingToRecover(
        f"Logs of {len(kept)} clusters are kept, and none is this server's own. Say which one was"
        f" the hospital's, with --cluster: {_told(kept)}."
    )


def _told(kept: dict[str, Manifest]) -> str:
    return "; ".join(
        f"{system} (last base {manifest['copied_at'][:16]} UTC, last written"
        f" {_last_written(system)})"
        for system, manifest in sorted(kept.items())
    )


def _last_written(system: str) -> str:
    names = _listed(f"wal/{system}")
    if not names:
        return "never"
    at = backup_storage().get_modified_time(f"wal/{system}/{names[-1]}")
    return f"{at:%Y-%m-%dT%H:%M} UTC"


def _fetch_base(manifest: Manifest, base: Path) -> None:
    with tempfile.TemporaryFile() as hidden:
        fetch(manifest, hidden)
        hidden.seek(0)
        with base.open("wb") as plain:
            decrypt(hidden, plain)


def _fetch_segments(manifest: Manifest, folder: Path, *, say: Say) -> int:
    storage, place = backup_storage(), f"wal/{manifest['system']}"
    wanted = [name for name in _listed(place) if name[:24] >= manifest["first_segment"]]
    for number, name in enumerate(wanted, 1):
        say(f"fetching segment {number} of {len(wanted)}")
        with tempfile.TemporaryFile() as packed:
            with storage.open(f"{place}/{name}") as hidden:
                decrypt(hidden, packed)
            packed.seek(0)
            with gzip.open(packed) as plain, (folder / name[:24]).open("wb") as target:
                shutil.copyfileobj(plain, target)
    return len(wanted)


def _pour(database: Database, target: IO[bytes]) -> None:
    process = start(
        ["pg_dump", "--format=custom", "--compress=none", "--no-password"],
        database,
        stdout=subprocess.PIPE,
    )
    assert process.stdout
    assert process.stderr
    shutil.copyfileobj(process.stdout, target)
    said = [line.decode(errors="replace") for line in process.stderr]
    require_success("pg_dump", process.wait(), said)


def give_up_segments() -> int:
    """Stop keeping segments from before the oldest base that is kept: they lead from nowhere.

    A legal hold on them or on everything keeps them all.
    """
    if is_kind_held("ops.log_segments"):
        return 0
    storage, given_up = backup_storage(), 0
    first: dict[str, str] = {}
    for name in kept_names(BackupKind.BASE):
        manifest = manifest_of(name)
        system = manifest["system"]
        first[system] = min(first.get(system, "G"), manifest["first_segment"])
    for system, needed_from in first.items():
        place = f"wal/{system}"
        for name in _listed(place):
            if name[:24] < needed_from:
                storage.delete(f"{place}/{name}")
                given_up += 1
    return given_up


def kept_segments() -> int:
    """Count the segments that are kept, of every cluster whose log was ever shipped."""
    try:
        systems, _ = backup_storage().listdir("wal")
    except FileNotFoundError:
        return 0
    return sum(len(_listed(f"wal/{system}")) for system in systems)


def _listed(place: str) -> list[str]:
    try:
        return sorted(backup_storage().listdir(place)[1])
    except FileNotFoundError:
        return []
