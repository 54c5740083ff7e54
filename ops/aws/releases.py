"""The releases of a stage as its bucket keeps them: each package once, by its SHA-256, and beside
it what a release consists of.

A release's word is put last: what has none was never finished. Nothing is overwritten.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from ops.aws.asking import asking
from ops.aws.handover import Handover
from ops.errors import CloudRefused

if TYPE_CHECKING:
    from pathlib import Path

_FORM = 1


@dataclass(frozen=True)
class Release:
    """One release: its package, the migrations that it knows, and the columns that it uses.

    `migrations` are `app.name`; `columns` are by table; `starts` is how each function is started.
    """

    name: str
    version: str
    commit: str
    package: str
    size: int
    migrations: list[str]
    columns: Mapping[str, list[str]]
    frontend_version: str = ""
    starts: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    form: int = field(default=_FORM)

    @property
    def key(self) -> str:
        """Where its package lies."""
        return package_key(self.package)


def release_name(version: str, commit: str) -> str:
    """Name a release by its version and the beginning of its commit."""
    joint = "." if "+" in version else "+"
    return f"{version}{joint}{commit[:7]}" if commit else version


def package_key(sha256: str) -> str:
    """Give where a package lies, by its SHA-256."""
    return f"packages/{sha256}.zip"


def sha256_of(path: Path) -> str:
    """Count the SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def find_release(handed: Handover, name: str) -> Release | None:
    """Give a release that is kept, or None. Raises CloudRefused."""
    with asking("s3", region=handed.region) as client:
        try:
            kept = client.get_object(Bucket=handed.release_bucket, Key=_word(name))
        except client.exceptions.NoSuchKey:
            return None
        text = kept["Body"].read()
    try:
        told: dict[str, Any] = json.loads(text)
        return Release(**told) if told["form"] == _FORM else None
    except (ValueError, KeyError, TypeError) as error:
        raise CloudRefused(
            f"The word of the release {name} cannot be read: another wrote it."
        ) from (error)


def is_package_kept(handed: Handover, sha256: str) -> bool:
    """Tell whether a package is there. Raises CloudRefused."""
    from botocore.exceptions import ClientError

    with asking("s3", region=handed.region) as client:
        try:
            client.head_object(Bucket=handed.release_bucket, Key=package_key(sha256))
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") in {"404", "NoSuchKey", "NotFound"}:
                return False
            raise
    return True


def keep_package(handed: Handover, content: bytes) -> str:
    """Put a package where it is not yet; S3 itself holds it against its SHA-256.

    Returns that, in hexadecimal. Raises CloudRefused.
    """
    sha256 = hashlib.sha256(content).hexdigest()
    if not is_package_kept(handed, sha256):
        with asking("s3", region=handed.region) as client:
            client.put_object(
                Bucket=handed.release_bucket,
                Key=package_key(sha256),
                Body=content,
                ContentType="application/zip",
                ChecksumSHA256=base64.b64encode(bytes.fromhex(sha256)).decode(),
            )
    return sha256


def keep_release(handed: Handover, release: Release) -> None:
    """Put the word of a release. Raises CloudRefused."""
    with asking("s3", region=handed.region) as client:
        client.put_object(
            Bucket=handed.release_bucket,
            Key=_word(release.name),
            Body=json.dumps(asdict(release), indent=1).encode(),
            ContentType="application/json",
        )


def _word(name: str) -> str:
    return f"releases/{name}.json"
