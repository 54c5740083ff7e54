"""Where objects lie: local paths, the inbox folder, buckets; and the queue of a bucket's notices.

Knows how to list and open objects. Must not know what is in them, nor write to any of them.
"""

from ingestion.storage.buckets import Bucket
from ingestion.storage.folders import LOCAL, Inbox, files_under, local_object
from ingestion.storage.objects import StorageUnreachable, StoredObject
from ingestion.storage.places import Places, standing_for
from ingestion.storage.queue import Message, NoticeQueue

__all__ = [
    "LOCAL",
    "Bucket",
    "Inbox",
    "Message",
    "NoticeQueue",
    "Places",
    "StorageUnreachable",
    "StoredObject",
    "files_under",
    "local_object",
    "standing_for",
]
