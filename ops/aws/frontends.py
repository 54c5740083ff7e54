"""The static files of a stage: what the bucket behind CloudFront holds, release by release.

Files that are named by their content are only ever added: a board that is still open asks for those
of its own version. The few others (icons) are kept by their content too, so that an earlier
release's can be put back. A release's list is put last: a sync that was cut has none, and is safe
to repeat.
"""

from __future__ import annotations

import base64
import hashlib
import json
import mimetypes
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from ops.aws.asking import asking
from ops.aws.handover import Handover
from ops.errors import CloudRefused, FrontendIncomplete

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_Each = TypeVar("_Each")
_Made = TypeVar("_Made")

_FORM = 1
_AT_ONCE = 8
LASTING = "public, max-age=31536000, immutable"
PASSING = "public, max-age=60"
_TYPES = {
    ".js": "text/javascript; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".txt": "text/plain; charset=utf-8",
    ".json": "application/json",
    ".svg": "image/svg+xml",
    ".woff": "font/woff",
    ".woff2": "font/woff2",
}


@dataclass(frozen=True)
class StaticFile:
    """One file below `static/`. `is_lasting`: its name changes with its content."""

    path: str
    sha256: str
    size: int
    is_lasting: bool

    @property
    def key(self) -> str:
        """Where it is served from."""
        return f"static/{self.path}"

    @property
    def content_key(self) -> str:
        """Where it is kept by its content."""
        return f"contents/{self.sha256}"

    @property
    def headers(self) -> dict[str, str]:
        """How it is to be served."""
        ending = Path(self.path).suffix.lower()
        kind = _TYPES.get(ending) or mimetypes.guess_type(self.path)[0]
        return {
            "ContentType": kind or "application/octet-stream",
            "CacheControl": LASTING if self.is_lasting else PASSING,
        }


@dataclass(frozen=True)
class Frontend:
    """All static files of one release."""

    name: str
    files: list[StaticFile]


def files_below(folder: Path, lasting: Callable[[str], bool]) -> list[StaticFile]:
    """List the files of a folder, by their path in it; `lasting` tells it of each."""
    found = []
    for path in sorted(each for each in folder.rglob("*") if each.is_file()):
        name, content = path.relative_to(folder).as_posix(), path.read_bytes()
        digest = hashlib.sha256(content).hexdigest()
        found.append(StaticFile(name, digest, len(content), lasting(name)))
    return found


def missing_from(handed: Handover, files: Iterable[StaticFile]) -> list[StaticFile]:
    """List those lasting files that the bucket has not. Raises CloudRefused."""
    with asking("s3", region=handed.region) as client:
        there = dict(_listed(client, handed.frontend_bucket, "static/"))
    return [each for each in files if each.is_lasting and there.get(each.key) != each.size]


def add_files(
    handed: Handover, files: list[StaticFile], folder: Path, say: Callable[[str], None]
) -> int:
    """Put what the bucket has not; what it has is left alone. Returns how many were put.

    What does not last is put by its content alone: nothing that is served changes.
    Raises CloudRefused.
    """
    missing = missing_from(handed, files)
    with asking("s3", region=handed.region) as client:
        there = dict(_listed(client, handed.frontend_bucket, "contents/"))
        wanted = [(each.key, each) for each in missing] + [
            (each.content_key, each)
            for each in files
            if not each.is_lasting and each.content_key not in there
        ]

        def put(one: tuple[str, StaticFile]) -> None:
            key, file = one
            client.put_object(
                Bucket=handed.frontend_bucket,
                Key=key,
                Body=(folder / file.path).read_bytes(),
                ChecksumSHA256=_base64(file.sha256),
                Metadata={"sha256": file.sha256},
                **file.headers,
            )

        for number, _ in enumerate(_at_once(put, wanted), start=1):
            say(f"file {number} of {len(wanted)}")
    return len(wanted)


def require_files(handed: Handover, files: list[StaticFile]) -> None:
    """Hold each lasting file against its size and SHA-256 in the bucket.

    Raises FrontendIncomplete, CloudRefused.
    """
    if missing := missing_from(handed, files):
        raise _incomplete(missing)
    lasting = [each for each in files if each.is_lasting]
    with asking("s3", region=handed.region) as client:
        found = _at_once(
            lambda each: (each, _is_there(client, handed.frontend_bucket, each.key, each)), lasting
        )
        wrong = [file for file, is_good in found if not is_good]
    if wrong:
        raise _incomplete(wrong)


def keep_frontend(handed: Handover, frontend: Frontend) -> None:
    """Put the list of a release's files: from now on it counts as complete. Raises CloudRefused."""
    text = json.dumps({"form": _FORM, **asdict(frontend)}, indent=1)
    with asking("s3", region=handed.region) as client:
        client.put_object(
            Bucket=handed.frontend_bucket,
            Key=_list(frontend.name),
            Body=text.encode(),
            ContentType="application/json",
        )


def find_frontend(handed: Handover, name: str) -> Frontend | None:
    """Give the list of a release's files, or None. Raises CloudRefused."""
    with asking("s3", region=handed.region) as client:
        try:
            text = client.get_object(Bucket=handed.frontend_bucket, Key=_list(name))["Body"].read()
        except client.exceptions.NoSuchKey:
            return None
    try:
        told: dict[str, Any] = json.loads(text)
        return Frontend(told["name"], [StaticFile(**each) for each in told["files"]])
    except (ValueError, KeyError, TypeError) as error:
        raise CloudRefused(f"The list of files of {name} cannot be read: another wrote it.") from (
            error
        )


def switch_to(handed: Handover, frontend: Frontend) -> int:
    """Let the files that do not last be those of this release. Returns how many changed.

    Raises CloudRefused.
    """
    passing = [each for each in frontend.files if not each.is_lasting]
    with asking("s3", region=handed.region) as client:

        def copy(file: StaticFile) -> bool:
            if _is_there(client, handed.frontend_bucket, file.key, file):
                return False
            client.copy_object(
                Bucket=handed.frontend_bucket,
                Key=file.key,
                CopySource={"Bucket": handed.frontend_bucket, "Key": file.content_key},
                MetadataDirective="REPLACE",
                ChecksumAlgorithm="SHA256",
                Metadata={"sha256": file.sha256},
                **file.headers,
            )
            return True

        return sum(_at_once(copy, passing))


def invalidate(handed: Handover, caller: str) -> str:
    """Let CloudFront forget what does not last. Returns the invalidation's id, or nothing.

    Raises CloudRefused.
    """
    if not handed.distribution:
        return ""
    with asking("cloudfront") as client:
        made = client.create_invalidation(
            DistributionId=handed.distribution,
            InvalidationBatch={
                "Paths": {"Quantity": 1, "Items": ["/static/*"]},
                "CallerReference": f"{caller}-{time.time_ns()}",
            },
        )
    return str(made["Invalidation"]["Id"])


def _is_there(client: S3Client, bucket: str, key: str, file: StaticFile) -> bool:
    from botocore.exceptions import ClientError

    try:
        found = client.head_object(Bucket=bucket, Key=key, ChecksumMode="ENABLED")
    except ClientError as error:
        if error.response.get("Error", {}).get("Code") in {"404", "NoSuchKey", "NotFound"}:
            return False
        raise
    counted, told = found.get("ChecksumSHA256"), found["Metadata"].get("sha256")
    return (
        found["ContentLength"] == file.size
        and told == file.sha256
        and counted in {None, _base64(file.sha256)}
    )


def _listed(client: S3Client, bucket: str, prefix: str) -> Iterator[tuple[str, int]]:
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    for page in pages:
        for each in page.get("Contents", []):
            yield each["Key"], each["Size"]


def _at_once(act: Callable[[_Each], _Made], each: list[_Each]) -> Iterator[_Made]:
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        yield from pool.map(act, each)


def _incomplete(files: list[StaticFile]) -> FrontendIncomplete:
    some = ", ".join(each.key for each in files[:3])
    return FrontendIncomplete(
        f"{len(files)} static files are not in the bucket as they should be ({some}"
        f"{', …' if len(files) > 3 else ''}): deploy again, which adds what is missing."
    )


def _base64(sha256: str) -> str:
    return base64.b64encode(bytes.fromhex(sha256)).decode()


def _list(name: str) -> str:
    return f"releases/{name}.json"
