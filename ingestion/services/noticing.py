"""What a bucket's notices tell of is put on record: as received, or as refused where it is gone.

Duplicates, late and reordered notices are normal and change nothing.
"""

from __future__ import annotations

import errno
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from typing import BinaryIO

from django.conf import settings

from ingestion.choices import FileStatus, FoundBy, RefusalReason
from ingestion.errors import NoticeNotUnderstood, SourceNotDeclared
from ingestion.models import FeedFile
from ingestion.notices import Notice
from ingestion.services.receiving import refuse_unread
from ingestion.services.registering import register
from ingestion.storage import NoticeQueue, Places, StoredObject


def take_notices(notices: Iterable[Notice], places: Places) -> int:
    """Put on record what notices tell of. Returns how many objects are still to be ingested.

    Each is on record for itself: one that fails does not take the others with it. The first
    failure is raised at the end, so that all of it comes again. Raises SourceNotDeclared, OSError,
    and database errors at once.
    """
    registered = 0
    failure: Exception | None = None
    for notice in notices:
        try:
            registered += take_notice(notice, places) is not None
        except (SourceNotDeclared, OSError) as error:
            failure = failure or error
    if failure:
        raise failure
    return registered


def why_not_taken(error: Exception) -> str:
    """Say what kept a notice from being taken, without a word of what it said."""
    is_ours = isinstance(error, (NoticeNotUnderstood, SourceNotDeclared))
    return str(error) if is_ours else type(error).__name__


def take_notice(notice: Notice, places: Places) -> FeedFile | None:
    """Put the version that a notice names on record. Returns None where that was done before.

    Raises SourceNotDeclared, OSError where its bucket cannot be asked, and database errors: then
    nothing is on record and the notice must come again.
    """
    source = places.source_of(notice)
    if notice.version_id and _is_settled(notice):
        return None
    try:
        stored = places.object_told_of(notice)
    except FileNotFoundError as error:
        if not _is_settled(notice, or_vanished=True):
            refuse_unread(_gone(notice, source), error, found_by=FoundBy.NOTICE)
        return None
    return register(stored, found_by=FoundBy.NOTICE)


def _is_settled(notice: Notice, *, or_vanished: bool = False) -> bool:
    """Tell whether the version that a notice names is on record, and no work is left to be done."""
    named = FeedFile.objects.filter(bucket=notice.bucket, key=notice.key)
    if notice.version_id:
        named = named.filter(version=notice.version_id)
    elif notice.etag:
        named = named.filter(version__startswith=notice.etag)  # Behind it may stand a time.
    if not or_vanished:
        named = named.exclude(status=FileStatus.REFUSED, refusal=RefusalReason.VANISHED)
    return named.exists()


def _gone(notice: Notice, source: str) -> StoredObject:
    """Describe what was there by what its notice said of it."""
    return StoredObject(
        bucket=notice.bucket,
        key=notice.key,
        source=source,
        last_modified=notice.at,
        size=notice.size,
        open=_open_nothing,
        version_id=notice.version_id,
        etag="" if notice.version_id else notice.etag,
    )


def _open_nothing() -> BinaryIO:
    raise FileNotFoundError(errno.ENOENT, "No such object")


def notice_of(bucket: str, key: str, *, now: datetime) -> Notice:
    """Say of an object what its bucket would, by what lies there now.

    Of one that is not there it names no version. Raises SourceNotDeclared, OSError.
    """
    asked = Notice(bucket, key, version_id="", etag="", size=0, at=now)
    places = Places.from_settings()
    places.source_of(asked)
    with suppress(FileNotFoundError):
        found = places.object_told_of(asked)
        return replace(asked, version_id=found.version_id, etag=found.etag, size=found.size)
    return asked


def send_to_queue(body: str) -> None:
    """Put a message into the queue of notices, as a bucket would. Raises OSError."""
    NoticeQueue(settings.NOTICE_QUEUE_URL).send(body)
