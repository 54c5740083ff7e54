"""The backups' encryption: age (https://age-encryption.org), by its library.

Backups are made with a public key (a recipient) and read with a private one (an identity), so that
whoever makes them need not be able to read them. Knows keys and streams; not what is in them.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import IO

import pyrage
from django.conf import settings
from pyrage import x25519

from ops.errors import BackupAltered, KeyMissing, WrongKey
from ops.storage import KeptFolder, backup_storage

_NEXT = (
    "Name it in HOSPITAL_BACKUP_KEY_FILE (or give it in HOSPITAL_BACKUP_KEY); manage.py backupkey"
    " new makes one. Without the key no backup can be read, by anybody."
)


def recipients() -> list[x25519.Recipient]:
    """Give the public keys for which backups are made. Raises KeyMissing."""
    named = settings.BACKUP_RECIPIENTS
    if named:
        try:
            return [x25519.Recipient.from_str(text) for text in named]
        except pyrage.RecipientError as error:
            raise KeyMissing(
                "HOSPITAL_BACKUP_RECIPIENTS holds something that is no age recipient: write"
                " age1…, divided by commas."
            ) from error
    return [identities()[0].to_public()]


def identities() -> list[x25519.Identity]:
    """Give the private keys, the newest first; older ones open older backups. Raises KeyMissing."""
    lines = [
        line.strip()
        for line in _kept_text().splitlines()
        if line.strip() and not line.startswith("#")
    ]
    if not lines:
        raise KeyMissing(f"There is no key for the backups. {_NEXT}")
    try:
        return [x25519.Identity.from_str(line) for line in lines]
    except pyrage.IdentityError as error:
        raise KeyMissing(f"What is given as the backups' key is none. {_NEXT}") from error


def _kept_text() -> str:
    if settings.BACKUP_KEY:
        return str(settings.BACKUP_KEY)
    kept = Path(settings.BACKUP_KEY_FILE)
    _require_apart(kept)
    try:
        return kept.read_text(encoding="ascii")
    except FileNotFoundError:
        if settings.IS_DEVELOPMENT:
            return _made(kept)
        raise KeyMissing(f"The backups' key {kept} does not exist. {_NEXT}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise KeyMissing(f"The backups' key {kept} cannot be read. {_NEXT}") from error


def _require_apart(kept: Path) -> None:
    """A key beside the backups would be found by whoever finds them."""
    folder = _folder_of_backups()
    if folder is not None and kept.resolve().is_relative_to(folder.resolve()):
        raise KeyMissing(
            f"The backups' key {kept} lies among the backups: move it to another place and name"
            " that in HOSPITAL_BACKUP_KEY_FILE."
        )


def _folder_of_backups() -> Path | None:
    storage = backup_storage()
    return Path(storage.location) if isinstance(storage, KeptFolder) else None


def _made(kept: Path) -> str:
    """Make a first key on a development stage, where nobody was asked for one."""
    folder = _folder_of_backups()
    if folder is not None and any(folder.glob("*/*/manifest.json")):
        # A key made now would open none of them, and hide that the right one is gone.
        raise KeyMissing(f"Backups are kept, but their key {kept} is gone. {_NEXT}")
    add_identity(kept)
    return kept.read_text(encoding="ascii")


def add_identity(kept: Path) -> x25519.Recipient:
    """Put a new key before those in a file, and give its public part. Older ones stay readable."""
    _require_apart(kept)
    kept.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    before = kept.read_text(encoding="ascii") if kept.exists() else ""
    fresh = x25519.Identity.generate()
    aside = kept.with_name(f".{kept.name}.{os.getpid()}")
    aside.touch(mode=0o600)
    aside.write_text(f"# public key: {fresh.to_public()}\n{fresh}\n{before}", encoding="ascii")
    aside.rename(kept)
    return fresh.to_public()


class _Minded:
    """A stream that keeps what went wrong with it: the library tells of it in a text alone."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self.error: OSError | None = None

    def read(self, size: int = -1) -> bytes:
        """Read as the stream does."""
        try:
            return self._stream.read(size)
        except OSError as error:
            self.error = error
            raise

    def write(self, data: bytes) -> int:
        """Write as the stream does."""
        try:
            return self._stream.write(data)
        except OSError as error:
            self.error = error
            raise

    def flush(self) -> None:
        """Hand on what was written."""
        self._stream.flush()


def encrypt(plain: IO[bytes], hidden: IO[bytes], *, to: list[x25519.Recipient]) -> None:
    """Encrypt a stream for some public keys. Raises OSError as the streams do."""
    source, target = _Minded(plain), _Minded(hidden)
    try:
        pyrage.encrypt_io(source, target, to)  # type: ignore[arg-type]
    except (pyrage.EncryptError, OSError) as error:
        raise (source.error or target.error or error) from None


def decrypt(hidden: IO[bytes], plain: IO[bytes]) -> None:
    """Decrypt a stream; what has come out is whole only when this returns.

    Raises KeyMissing, WrongKey, BackupAltered where a byte was changed or the end is missing, and
    OSError as the streams do.
    """
    source, target = _Minded(hidden), _Minded(plain)
    keys = identities()
    try:
        pyrage.decrypt_io(source, target, keys)  # type: ignore[arg-type]
    except (pyrage.DecryptError, OSError) as error:
        if own := source.error or target.error:
            raise own from error
        if "No matching keys" in str(error):
            raise WrongKey(
                "None of the keys at hand opens this backup: find the one of its time (its"
                " manifest names the public part) and name it in HOSPITAL_BACKUP_KEY_FILE."
            ) from error
        raise BackupAltered("This backup is damaged, or its end is missing.") from error
