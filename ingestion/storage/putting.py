"""Puts a smoke test's files where its reserved source is, and nothing anywhere else.

The one writer into places that belong to the hospital's systems: to their own sources it has no
way, since it takes no name of a source.
"""

from __future__ import annotations

from pathlib import Path

from django.conf import settings
from django.core.files.base import ContentFile
from django.core.files.storage import storages

from ingestion.storage.buckets import as_os_errors, put_object
from ingestion.synthetic import SOURCE


def is_reserved_source_declared() -> bool:
    """Tell whether smoke tests have a place: where buckets are declared, it must be among them."""
    return not settings.BUCKETS or any(source == SOURCE for source, _, _ in settings.BUCKETS)


def put_synthetic(name: str, content: bytes) -> None:
    """Put a file into the reserved source. Raises OSError."""
    for source, bucket, prefix in settings.BUCKETS:
        if source == SOURCE:
            with as_os_errors():
                put_object(bucket, f"{prefix}{name}", content)
            return
    _put_into_inbox(name, content)


def _put_into_inbox(name: str, content: bytes) -> None:
    """Written aside, then renamed, as every export must: half a file is never seen."""
    inbox = storages["inbox"]
    aside = inbox.save(f"{SOURCE}/{name}.part", ContentFile(content))
    path = Path(inbox.path(aside))
    path.rename(path.with_name(name))
