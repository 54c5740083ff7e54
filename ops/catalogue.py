"""What is kept as backups, read from where it is kept: the database may be gone.

A backup is a folder: first its object, then its manifest; without a manifest it is none.

    daily/daily-20261128T020000Z/dump.age
    daily/daily-20261128T020000Z/manifest.json
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

from django.core.files.base import ContentFile, File
from django.core.files.storage import Storage

from ops.choices import BackupKind
from ops.errors import BackupAltered, BackupUnknown
from ops.storage import backup_storage

FORMAT = 1
_NAME = re.compile(rf"({'|'.join(BackupKind.values)})-(\d{{8}}T\d{{6}}Z)")
_BLOCK = 1 << 20

Manifest = dict[str, Any]


def name_for(kind: BackupKind, at: datetime) -> str:
    """Name a backup by its kind and when it began."""
    return f"{kind.value}-{at.astimezone(UTC):%Y%m%dT%H%M%SZ}"


def kind_in(name: str) -> BackupKind:
    """Read the kind out of a backup's name. Raises BackupUnknown for what is no such name."""
    found = _NAME.fullmatch(name)
    if found is None:
        raise BackupUnknown(
            f"{name!r} is no name of a backup: manage.py backups lists those that are kept."
        )
    return BackupKind(found[1])


def began_at(name: str) -> datetime:
    """Read out of a backup's name when it began."""
    kind_in(name)
    return datetime.strptime(name.rpartition("-")[2], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)


def kept_names(*kinds: BackupKind) -> list[str]:
    """List the backups of these kinds (of all, without any) that are kept, the newest first."""
    storage = backup_storage()
    found = [name for kind in kinds or tuple(BackupKind) for name in _names_in(storage, kind)]
    return sorted(found, key=began_at, reverse=True)


def _names_in(storage: Storage, kind: BackupKind) -> Iterator[str]:
    try:
        folders, _ = storage.listdir(kind.value)
    except FileNotFoundError:
        return
    for name in folders:
        if _NAME.fullmatch(name) and storage.exists(_manifest_of(name)):
            yield name


def manifest_of(name: str) -> Manifest:
    """Read what a backup says of itself. Raises BackupUnknown, BackupAltered."""
    kind_in(name)
    storage = backup_storage()
    if not storage.exists(_manifest_of(name)):
        raise BackupUnknown(f"No backup {name} is kept: manage.py backups lists those that are.")
    with storage.open(_manifest_of(name)) as kept:
        text = kept.read()
    manifest: Manifest = {}
    try:
        manifest = json.loads(text)
        is_ours = manifest["name"] == name and "sha256" in manifest["object"]
    except (ValueError, KeyError, TypeError):
        is_ours = False
    if not is_ours:
        raise BackupAltered(f"The manifest of {name} is damaged: take another backup.")
    if manifest["format"] != FORMAT:
        raise BackupAltered(
            f"{name} is kept in format {manifest['format']}, which this version of Vigil does not"
            " know: use the version that made it."
        )
    return manifest


def keep(name: str, content: Path, manifest: Manifest) -> None:
    """Keep a backup: its object first, and last the manifest that makes it one."""
    storage = backup_storage()
    with content.open("rb") as stream:
        storage.save(manifest["object"]["path"], File(stream))
    text = json.dumps(manifest, indent=1, sort_keys=True)
    storage.save(_manifest_of(name), ContentFile(text.encode()))


def object_path(name: str, file_name: str) -> str:
    """Say where a backup's object is kept."""
    return f"{kind_in(name).value}/{name}/{file_name}"


def fetch(manifest: Manifest, target: IO[bytes]) -> None:
    """Copy a backup's object, still encrypted. Raises BackupAltered unless it is what was kept."""
    digest, size = hashlib.sha256(), 0
    storage, path = backup_storage(), manifest["object"]["path"]
    if not storage.exists(path):
        raise BackupAltered(f"{manifest['name']} has a manifest but its object is gone.")
    with storage.open(path) as kept:
        while block := kept.read(_BLOCK):
            digest.update(block)
            size += len(block)
            target.write(block)
    target.flush()
    if size != manifest["object"]["bytes"]:
        raise BackupAltered(
            f"{manifest['name']} has {size} bytes instead of {manifest['object']['bytes']}: it was"
            " cut off or exchanged. Take another backup."
        )
    if digest.hexdigest() != manifest["object"]["sha256"]:
        raise BackupAltered(
            f"{manifest['name']} is not what was kept: its SHA-256 differs. Take another backup."
        )


def remove(name: str) -> None:
    """Stop keeping a backup: the manifest first, so that no half of it looks like one."""
    storage = backup_storage()
    path = manifest_of(name)["object"]["path"]
    # Last the folder, where there are folders.
    for part in (_manifest_of(name), path, path.rpartition("/")[0]):
        storage.delete(part)


def _manifest_of(name: str) -> str:
    return object_path(name, "manifest.json")
