"""After a restore the record is older than the files that are kept: they are taken in again.

Each counts as received when it came to its place, not today. What was taken in before is on record
and stays as it is.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from django.conf import settings

from ingestion.choices import FileStatus, FoundBy
from ingestion.models import FeedFile
from ingestion.names import is_left_alone, key_of
from ingestion.services.draining import drain
from ingestion.services.registering import register, without_those_on_record
from ingestion.storage import Inbox, Places, StoredObject


def take_in_again() -> str:
    """Register every kept file that is not on record, and ingest all that is due.

    Returns a sentence of how many that were. A place that does not answer stops it: half of the
    files would look like all of them. Raises OSError.
    """
    places = Places.from_settings()
    found = sum(
        register(stored, found_by=FoundBy.RESTORE, received_at=stored.last_modified) is not None
        for stored in _not_on_record(places)
    )
    drain(places)
    waiting = FeedFile.objects.filter(status=FileStatus.RECEIVED).count()
    refused = FeedFile.objects.filter(status=FileStatus.REFUSED, found_by=FoundBy.RESTORE).count()
    return (
        f"{found} kept files were not on record and were taken in again, {refused} of them refused;"
        f" {waiting} still wait to be ingested"
    )


def _not_on_record(places: Places) -> Iterator[StoredObject]:
    yield from _in_inbox(places.inbox)
    for bucket in places.in_buckets:
        for prefix in bucket.sources:
            for page in bucket.pages(prefix):
                yield from without_those_on_record(bucket.bucket, page)


def _in_inbox(inbox: Inbox) -> Iterator[StoredObject]:
    for source in inbox.sources():
        shapes: dict[str, set[Any]] = {}
        on_record = FeedFile.objects.filter(bucket=inbox.bucket, source=source)
        for key, *shape in on_record.values_list("key", "last_modified", "size").iterator():
            shapes.setdefault(key, set()).add((shape[0], shape[1]))
        for name in sorted(inbox.names(source)):
            if is_left_alone(name):
                continue
            try:
                stored = inbox.object(key_of(f"{source}/{name}"))
            except FileNotFoundError:
                continue
            if (stored.last_modified, stored.size) not in shapes.get(stored.key, set()):
                _let_it_come_to_rest(stored)
                yield stored


def _let_it_come_to_rest(stored: StoredObject) -> None:
    """What came a moment ago may still be growing; the lookout waits as long."""
    age = time.time() - stored.last_modified.timestamp()
    time.sleep(max(0.0, min(settings.INBOX_STILL_SECONDS, settings.INBOX_STILL_SECONDS - age)))
