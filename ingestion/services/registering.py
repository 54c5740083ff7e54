"""Objects are put on record: a feed file for each version of each object, once.

Knows what makes two notices speak of the same version. Reads no row: `receiving` does.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime
from typing import BinaryIO

from django.utils import timezone

from ingestion.choices import FileStatus, FoundBy, RefusalReason
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


def register(
    stored: StoredObject, *, found_by: FoundBy, received_at: datetime | None = None
) -> FeedFile | None:
    """Put an object on record as received. Returns None where it is done already.

    What a bucket tells the version of is not read here. What was refused because it had vanished
    and is there now is to be done again. `received_at`: when it came, if that is not now. Raises
    OSError where it cannot be read.
    """
    content = UNREAD
    if not stored.tells_its_version:
        with stored.open() as stream:
            content = digest_of(stream)
    feed_file = put_on_record(stored, content, now=received_at or timezone.now(), found_by=found_by)
    if feed_file.status == FileStatus.RECEIVED or _take_up_again(feed_file, stored):
        return feed_file
    return None


def put_on_record(
    stored: StoredObject,
    content: str,
    *,
    now: datetime,
    found_by: FoundBy,
    is_locked: bool = False,
) -> FeedFile:
    """Give the file on record that is this version of this object; it is made if it is new.

    `content` is the SHA-256 of its bytes, or UNREAD. `is_locked`: nobody else changes the file
    until the transaction ends.
    """
    version = _version_of(stored, content)
    files = FeedFile.objects.filter(
        bucket=stored.bucket, key=stored.key, version__in={version, UNREAD}
    )
    if is_locked:
        files = files.select_for_update()
    found = {feed_file.version: feed_file for feed_file in files}
    feed_file = found.get(version)
    if feed_file is None:
        fresh = FeedFile(
            bucket=stored.bucket,
            key=stored.key,
            version=version,
            source=stored.source,
            last_modified=stored.last_modified,
            source_time=source_time_of(stored),
            received_at=now,
            size=stored.size,
            content="" if content == UNREAD else content,
            found_by=found_by,
        )
        # Whoever was first: the one on record is meant.
        FeedFile.objects.bulk_create([fresh], ignore_conflicts=True)
        feed_file = files.get(version=version)
    if content != UNREAD and UNREAD in found:
        _forget(found[UNREAD])
    return feed_file


def _take_up_again(feed_file: FeedFile, stored: StoredObject) -> bool:
    """The same content was put again where it had vanished: it counts as of its new time."""
    return bool(
        FeedFile.objects.filter(
            pk=feed_file.pk, status=FileStatus.REFUSED, refusal=RefusalReason.VANISHED
        ).update(
            status=FileStatus.RECEIVED,
            refusal="",
            reason="",
            attempts=0,
            failures=0,
            finished_at=None,
            dismissed_at=None,
            dismissed_by="",
            dismissed_why="",
            last_modified=stored.last_modified,
            source_time=source_time_of(stored),
            size=stored.size,
        )
    )


def on_record(stored: StoredObject, content: str) -> FeedFile | None:
    """Give the file on record that is this version of this object, if there is one."""
    return FeedFile.objects.filter(
        bucket=stored.bucket, key=stored.key, version=_version_of(stored, content)
    ).first()


def without_those_on_record(bucket: str, objects: Sequence[StoredObject]) -> list[StoredObject]:
    """Leave out those objects of one bucket that are on record, by one query.

    Kept is also what is on record as vanished: it is there, after all.
    """
    names = {version for stored in objects for version in _names_of_version(stored)}
    on_record = FeedFile.objects.filter(
        bucket=bucket, key__in={stored.key for stored in objects}, version__in=names
    ).exclude(status=FileStatus.REFUSED, refusal=RefusalReason.VANISHED)
    times = {
        (key, version): last_modified
        for key, version, last_modified in on_record.values_list("key", "version", "last_modified")
    }
    return [stored for stored in objects if not _is_among(stored, times)]


def _is_among(stored: StoredObject, times: dict[tuple[str, str], datetime]) -> bool:
    first, *later = _names_of_version(stored)
    at = times.get((stored.key, first))
    if at is not None and (not later or at == stored.last_modified):
        return True
    return any((stored.key, version) in times for version in later)


def _names_of_version(stored: StoredObject) -> list[str]:
    """Name what `_version_of` may have called this version, of an object that tells its version."""
    if stored.version_id or _is_stamped(stored):
        return [stored.version_id or stored.etag]
    return [stored.etag, _at_its_time(stored.etag, stored)]


def _is_stamped(stored: StoredObject) -> bool:
    return source_time_in(stored.key) is not None


def _forget(unread: FeedFile) -> None:
    """What could not be opened has been: that refusal goes away, with its reading."""
    Reading.objects.filter(feed_file=unread).delete()
    unread.delete()


def _version_of(stored: StoredObject, content: str) -> str:
    """Name the version of an object: what its bucket calls it, else its content.

    An ETag or a content without a stamp in the key goes with its time where that differs. The same
    bytes under the same name with another time state everything anew as of that time. Whether
    others came in between must not decide it: those may arrive later than this notice.
    """
    if stored.version_id:
        return stored.version_id
    name = stored.etag or content
    if _is_stamped(stored):
        return name
    same = FeedFile.objects.filter(
        bucket=stored.bucket, key=stored.key, version__startswith=name
    ).exclude(status=FileStatus.REFUSED, refusal=RefusalReason.VANISHED)
    # Not by the source time: an operator may have given the file another one.
    same_time = same.filter(last_modified=stored.last_modified).first()
    if same_time is not None:
        return same_time.version
    is_known = name != UNREAD and same.exists()
    return _at_its_time(name, stored) if is_known else name


def _at_its_time(name: str, stored: StoredObject) -> str:
    return f"{name}@{stored.last_modified.isoformat()}"


def has_come_back(feed_file: FeedFile) -> bool:
    """Tell whether its feed delivered this content before, under whatever name, and then another.

    An export that repeats itself, with nothing in between, is no news; nor is a stamped one, whose
    time is that of its stamp however often it comes. Asked when its content has been read.
    """
    if source_time_in(feed_file.key) is not None:
        return False
    ingested = FeedFile.objects.filter(
        source=feed_file.source,
        status=FileStatus.INGESTED,
        rows__gt=0,
        source_time__lt=feed_file.source_time,
    )
    before = ingested.filter(content=feed_file.content).order_by("-source_time").first()
    return (
        before is not None
        and ingested.filter(feed=before.feed_id, source_time__gt=before.source_time).exists()
    )
