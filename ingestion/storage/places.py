"""All places that objects may come from: the inbox folder and every declared bucket."""

from __future__ import annotations

from dataclasses import replace

from django.conf import settings

from ingestion.errors import SourceNotDeclared
from ingestion.models import FeedFile
from ingestion.notices import Notice
from ingestion.storage.buckets import Bucket, version_on_record
from ingestion.storage.folders import LOCAL, Inbox
from ingestion.storage.objects import StoredObject


class Places:
    """The places that this hospital's files come from, each known by its bucket's name."""

    def __init__(self, inbox: Inbox, *buckets: Bucket) -> None:
        self.inbox = inbox
        self.in_buckets = list(buckets)
        self._by_name: dict[str, Inbox | Bucket] = {inbox.bucket: inbox}
        self._by_name.update({bucket.bucket: bucket for bucket in buckets})

    @classmethod
    def from_settings(cls) -> Places:
        """Give the places that the settings declare."""
        sources: dict[str, dict[str, str]] = {}
        for source, bucket, prefix in settings.BUCKETS:
            sources.setdefault(bucket, {})[prefix] = source
        return cls(Inbox(), *(Bucket(name, inside) for name, inside in sources.items()))

    @property
    def buckets(self) -> list[str]:
        """Under which buckets their objects are on record: those that a drain may take."""
        return list(self._by_name)

    def object_on_record(self, feed_file: FeedFile) -> StoredObject:
        """Describe the object that a file on record is. Raises OSError."""
        return self._by_name[feed_file.bucket].object_on_record(feed_file)

    def source_of(self, notice: Notice) -> str:
        """Name the source of the object that a notice tells of. Raises SourceNotDeclared."""
        return self._named(notice.bucket).source_of(notice.key)

    def object_told_of(self, notice: Notice) -> StoredObject:
        """Ask for the version that a notice names. Raises OSError, SourceNotDeclared."""
        return self._named(notice.bucket).object_told_of(notice)

    def _named(self, bucket: str) -> Inbox | Bucket:
        if bucket not in self._by_name:
            raise SourceNotDeclared
        return self._by_name[bucket]


def standing_for(feed_file: FeedFile, found: StoredObject) -> StoredObject:
    """Let what was found, wherever it lies now, stand for a file on record: as itself."""
    tells_content = feed_file.bucket in (LOCAL, Inbox.bucket)
    version_id, etag = ("", "") if tells_content else version_on_record(feed_file)
    return replace(
        found,
        bucket=feed_file.bucket,
        key=feed_file.key,
        source=feed_file.source,
        last_modified=feed_file.last_modified,
        version_id=version_id,
        etag=etag,
    )
