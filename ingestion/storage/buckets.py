"""Buckets of S3, and of whatever else speaks its language.

Knows which errors of a bucket mean that an object is gone, that nobody may read it, or that the
bucket does not answer. An exact version is read, never a newer one under the same name.
"""

from __future__ import annotations

import errno
import functools
import re
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import chain
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from ingestion.errors import SourceNotDeclared
from ingestion.models import FeedFile
from ingestion.names import is_no_file
from ingestion.notices import NO_VERSION, Notice, quoted
from ingestion.storage.objects import StorageUnreachable, StoredObject

if TYPE_CHECKING:
    from botocore.config import Config
    from mypy_boto3_s3 import S3Client

_BLOCK = 1 << 20
# What is larger is held on disk while it is read.
_IN_MEMORY = 8 << 20
_GONE = frozenset(
    ("404", "NoSuchKey", "NoSuchVersion", "405", "MethodNotAllowed", "412", "PreconditionFailed")
)
_FORBIDDEN = frozenset(("403", "AccessDenied", "Forbidden"))
# Answers that say nothing of the object that was asked for: a bucket that is missing, credentials
# that are wrong or have run out, too many questions.
_OF_THE_PLACE = frozenset(
    (
        "400",
        "429",
        "ExpiredToken",
        "InvalidAccessKeyId",
        "InvalidToken",
        "NoSuchBucket",
        "RequestTimeTooSkewed",
        "RequestTimeout",
        "SignatureDoesNotMatch",
        "SlowDown",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
    )
)


def client_settings() -> Config:
    """Give time-outs and retries that end: a storage that hangs must not hang a worker."""
    from botocore.config import Config

    return Config(
        connect_timeout=5,
        read_timeout=60,
        retries={"total_max_attempts": 4, "mode": "standard"},
    )


@functools.cache
def _client_of(bucket: str) -> S3Client:
    """Give the connection to a bucket; one a process: to make one takes long.

    Who may read it, in which region and at which address is told by the usual AWS_* variables.
    """
    from storages.backends.s3 import S3Storage

    storage = S3Storage(bucket_name=bucket, default_acl=None, client_config=client_settings())
    return cast("S3Client", storage.connection.meta.client)


def put_object(bucket: str, key: str, content: bytes) -> None:
    """Put an object. Nobody calls this but `putting`: what the hospital sends is only read."""
    _client_of(bucket).put_object(Bucket=bucket, Key=key, Body=content, ContentType="text/csv")


def forget_connections() -> None:
    """Let the next question be asked over a new connection: the environment has changed."""
    _client_of.cache_clear()


@contextmanager
def as_os_errors() -> Iterator[None]:
    """Turn what AWS's library raises into OSError, without a word of what was asked for."""
    from botocore.exceptions import BotoCoreError, ClientError, ParamValidationError

    try:
        yield
    except ClientError as error:
        raise _translated(error.response) from error
    except ParamValidationError as error:
        raise OSError(errno.EINVAL, "Not a name that a bucket can hold") from error
    except BotoCoreError as error:
        raise StorageUnreachable(errno.EHOSTUNREACH, type(error).__name__) from error


def _translated(response: Any) -> OSError:
    code = str(response.get("Error", {}).get("Code", ""))
    status = response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    if code in _OF_THE_PLACE or status >= 500:
        return StorageUnreachable(errno.EAGAIN, _told(code))
    if code in _GONE:
        return FileNotFoundError(errno.ENOENT, "No such object")
    if code in _FORBIDDEN:
        return PermissionError(errno.EACCES, "Access denied")
    return OSError(errno.EIO, _told(code))


def _told(code: str) -> str:
    known = code if re.fullmatch(r"[\w.]{1,60}", code) else "an error"
    return f"The storage answered {known}"


def version_on_record(feed_file: FeedFile) -> tuple[str, str]:
    """Give version id and ETag, one of them empty, of a file on record that came from a bucket."""
    version = feed_file.version
    # The time that may stand behind an ETag tells two statements apart, not two contents.
    etag = version.partition("@")[0] if version.startswith('"') else ""
    return "" if etag else version, etag


class Bucket:
    """One bucket, and the sources that lie in it, each under a prefix of its own."""

    def __init__(self, name: str, sources: Mapping[str, str]) -> None:
        """`sources` gives the source for each prefix; the prefix of a whole bucket is empty."""
        self.bucket = name
        self.sources = dict(sources)

    def source_of(self, key: str) -> str:
        """Name the source of a key. Raises SourceNotDeclared."""
        for prefix, source in self.sources.items():
            if key.startswith(prefix):
                return source
        raise SourceNotDeclared

    def object_on_record(self, feed_file: FeedFile) -> StoredObject:
        """Describe the version that a file on record is, without asking the bucket."""
        version_id, etag = version_on_record(feed_file)
        return self._object(
            feed_file.key,
            source=feed_file.source,
            last_modified=feed_file.last_modified,
            size=feed_file.size,
            version_id=version_id,
            etag=etag,
        )

    def object_told_of(self, notice: Notice) -> StoredObject:
        """Ask for the version that a notice names. Raises OSError, SourceNotDeclared.

        FileNotFoundError: it is gone, or another one lies there under its name.
        """
        source = self.source_of(notice.key)
        try:
            head = self._head(notice)
        except FileNotFoundError:
            # It may lie there still, below a newer one: some storages name no version in notices.
            return self._found_below(notice)
        version_id = head.get("VersionId", NO_VERSION)
        return self._object(
            notice.key,
            source=source,
            last_modified=_whole_seconds(head["LastModified"]),
            size=head["ContentLength"],
            version_id="" if version_id == NO_VERSION else version_id,
            etag="" if version_id != NO_VERSION else quoted(head["ETag"]),
        )

    def _head(self, notice: Notice) -> Any:
        which: dict[str, Any] = {}
        if notice.version_id:
            which = {"VersionId": notice.version_id}
        elif notice.etag:
            which = {"IfMatch": notice.etag}
        with as_os_errors():
            return _client_of(self.bucket).head_object(Bucket=self.bucket, Key=notice.key, **which)

    def _found_below(self, notice: Notice) -> StoredObject:
        if notice.version_id or not notice.etag:
            raise FileNotFoundError(errno.ENOENT, "No such object")
        for listed in chain.from_iterable(self._listed(notice.key)):
            if listed["Key"] != notice.key:
                break  # Listed by key: what comes now has only its beginning in common.
            if quoted(listed["ETag"]) == notice.etag:
                return self._object_listed(listed, self.source_of(notice.key))
        raise FileNotFoundError(errno.ENOENT, "No such object")

    def pages(self, prefix: str) -> Iterator[list[StoredObject]]:
        """List each version of each object under a prefix, a page at a time. Raises OSError."""
        source = self.sources[prefix]
        for page in self._listed(prefix):
            yield [
                self._object_listed(listed, source)
                for listed in page
                if not is_no_file(listed["Key"])
            ]

    def _listed(self, prefix: str) -> Iterator[list[Any]]:
        """Give the pages of a listing; delete markers stand apart in it and are left out."""
        with as_os_errors():
            paginator = _client_of(self.bucket).get_paginator("list_object_versions")
            for page in paginator.paginate(Bucket=self.bucket, Prefix=prefix):
                yield list(page.get("Versions", ()))

    def _object_listed(self, listed: Any, source: str) -> StoredObject:
        has_versions = listed.get("VersionId", NO_VERSION) != NO_VERSION
        return self._object(
            # No database can hold a NUL. An object named so is refused, on record.
            listed["Key"].replace("\0", "\\x00"),
            source=source,
            last_modified=_whole_seconds(listed["LastModified"]),
            size=listed["Size"],
            version_id=listed["VersionId"] if has_versions else "",
            etag="" if has_versions else quoted(listed["ETag"]),
        )

    def _object(
        self,
        key: str,
        *,
        source: str,
        last_modified: datetime,
        size: int,
        version_id: str,
        etag: str,
    ) -> StoredObject:
        return StoredObject(
            bucket=self.bucket,
            key=key,
            source=source,
            last_modified=last_modified,
            size=size,
            open=lambda: self._open(key, version_id, etag),
            version_id=version_id,
            etag=etag,
        )

    def _open(self, key: str, version_id: str, etag: str) -> BinaryIO:
        if version_id:
            return self._fetch(key, {"VersionId": version_id})
        try:
            return self._fetch(key, {"IfMatch": etag})
        except FileNotFoundError as gone:
            try:
                # A version from before the bucket kept versions lies below newer ones.
                return self._fetch(key, {"IfMatch": etag, "VersionId": NO_VERSION})
            except StorageUnreachable:
                raise
            except OSError:
                raise gone from None

    def _fetch(self, key: str, which: dict[str, Any]) -> BinaryIO:
        """Fetch an object whole: it is read twice, and rows must not wait for the network."""
        with as_os_errors():
            body = _client_of(self.bucket).get_object(Bucket=self.bucket, Key=key, **which)["Body"]
            copy = tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY)  # noqa: SIM115 (handed on)
            try:
                for block in body.iter_chunks(_BLOCK):
                    _write(copy, block)
                copy.seek(0)
            except BaseException:
                copy.close()
                raise
            finally:
                body.close()
        return cast(BinaryIO, copy)


def _write(copy: Any, block: bytes) -> None:
    try:
        copy.write(block)
    except OSError as error:
        # A full disk here is no fault of the object.
        raise StorageUnreachable(errno.ENOSPC, "No room to read it here") from error


def _whole_seconds(at: datetime) -> datetime:
    """A listing may tell a time to the millisecond that the object itself tells to the second."""
    return at.astimezone(UTC).replace(microsecond=0)
