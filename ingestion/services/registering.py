"""Objects are put on record: a feed file for each version of each object, once.

Knows what makes two notices speak of the same version. Reads no row: `receiving` does.
"""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import BinaryIO

from django.utils import timezone

from ingestion.choices import FileStatus, FoundBy
from ingestion.models import FeedFile, Reading
from ingestion.storage import StoredObject
from ingestion.values import source_time_in

# A file on record that could not even be opened: its content, and so its version, is unknown.
UNREAD = "unread"
_READ_SIZE = 1 << 20


def source_time_of(stored: StoredObject) -> datetime:
    """Give the time of an object's statements: the stamp in its name, else its last change."""
    return source_time_in(stored.key) or stored.last_modified


def digest_of(stream: BinaryIO) -> str:
    """Give the SHA-256 of a stream, from where it stands to its end."""
    digest = hashlib.sha256()
    while block := stream.read(_READ_SIZE):
        digest.update(block)
    return digest.hexdigest()


def register(stored: StoredObject, *, found_by: FoundBy) -> FeedFile | None:
    """Put an object on record as received. Returns None where it is done already.

    Raises OSError where it cannot be read.
    """
    with stored.open() as stream:
        content = digest_of(stream)
    feed_file = put_on_record(stored, content, now=timezone.now(), found_by=found_by)
    return feed_file if feed_file.status == FileStatus.RECEIVED else None


def put_on_record(
    stored: StoredObject, content: str, *, now: datetime, found_by: FoundBy
) -> FeedFile:
    """Give the file on record that is this version of this object; it is made if it is new.

    `content` is the SHA-256 of its bytes, or UNREAD.
    """
    version = _version_of(stored, content)
    feed_file, is_new = FeedFile.objects.get_or_create(
        bucket=stored.bucket,
        key=stored.key,
        version=version,
        defaults={
            "source": stored.source,
            "last_modified": stored.last_modified,
            "source_time": source_time_of(stored),
            "received_at": now,
            "size": stored.size,
            "content": "" if content == UNREAD else content,
            "found_by": found_by,
        },
    )
    if is_new and not _is_stamped(stored) and _has_been_superseded(feed_file, content):
        # Saved at once: the lookout registers, and a worker ingests it later.
        feed_file.is_comeback = True
        feed_file.save(update_fields=["is_comeback"])
    if content != UNREAD:
        _forget_unread(stored)
    return feed_file


def on_record(stored: StoredObject, content: str) -> FeedFile | None:
    """Give the file on record that is this version of this object, if there is one."""
    return FeedFile.objects.filter(
        bucket=stored.bucket, key=stored.key, version=_version_of(stored, content)
    ).first()


def _is_stamped(stored: StoredObject) -> bool:
    return source_time_in(stored.key) is not None


def _forget_unread(stored: StoredObject) -> None:
    """What could not be opened has been: that refusal goes away, with its reading."""
    unread = FeedFile.objects.filter(bucket=stored.bucket, key=stored.key, version=UNREAD)
    Reading.objects.filter(feed_file__in=unread).delete()
    unread.delete()


def _version_of(stored: StoredObject, content: str) -> str:
    """Name the version of an object without a stamp: its content, and its time where that differs.

    The same bytes under the same name with another time state everything anew as of that time.
    Whether others came in between must not decide it: those may arrive later than this notice.
    """
    if _is_stamped(stored):
        return content
    same_content = FeedFile.objects.filter(
        bucket=stored.bucket, key=stored.key, version__startswith=content
    )
    # Not by the source time: an operator may have given the file another one.
    same_time = same_content.filter(last_modified=stored.last_modified).first()
    if same_time is not None:
        return same_time.version
    is_known = content != UNREAD and same_content.exists()
    return f"{content}@{stored.last_modified.isoformat()}" if is_known else content


def _has_been_superseded(feed_file: FeedFile, content: str) -> bool:
    """Tell whether its feed delivered this content before, under whatever name, and then another.

    An export that repeats itself, with nothing in between, is no news.
    """
    ingested = FeedFile.objects.filter(
        source=feed_file.source,
        status=FileStatus.INGESTED,
        rows__gt=0,
        source_time__lt=feed_file.source_time,
    )
    before = ingested.filter(content=content).order_by("-source_time").first()
    return (
        before is not None
        and ingested.filter(feed=before.feed_id, source_time__gt=before.source_time).exists()
    )
