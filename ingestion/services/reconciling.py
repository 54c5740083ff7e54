"""What no notice told of is found: the declared buckets are listed and held against the record.

A notice may be lost or come late. It is looked for among what is older than a minute, so that this
does not race the notices.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta

from ingestion.choices import FoundBy
from ingestion.services.claims import claimed
from ingestion.services.registering import register, without_those_on_record
from ingestion.storage import Bucket, Places

log = logging.getLogger(__name__)

_NOTICES_TAKE = timedelta(minutes=1)
_ONE_AT_A_TIME = 0x5649_4749_4C05


@dataclass
class Reconciled:
    """What was found in one source: how many versions lie there, how many nobody had told of."""

    source: str
    listed: int = 0
    found: int = 0
    error: str = ""


def reconcile(places: Places, *, now: datetime) -> list[Reconciled] | None:
    """Put on record what lies in the declared buckets and is not. Says so in the log.

    A bucket that cannot be listed is told of and does not stop the others. Returns None, having
    done nothing, where another is at it: long lists must not take up all workers.
    """
    with claimed(_ONE_AT_A_TIME) as is_mine:
        if not is_mine:
            return None
        return [
            _reconciled(bucket, prefix, now)
            for bucket in places.in_buckets
            for prefix in bucket.sources
        ]


def _reconciled(bucket: Bucket, prefix: str, now: datetime) -> Reconciled:
    told = Reconciled(bucket.sources[prefix])
    try:
        for page in bucket.pages(prefix):
            told.listed += len(page)
            old = [stored for stored in page if stored.last_modified <= now - _NOTICES_TAKE]
            for stored in without_those_on_record(bucket.bucket, old):
                told.found += register(stored, found_by=FoundBy.SWEEP) is not None
    except OSError as error:
        told.error = error.strerror or type(error).__name__
        log.error("bucket cannot be listed", extra={"source": told.source, "error": told.error})
    if told.found:
        log.warning(
            "objects found of which no notice told",
            extra={"source": told.source, "count": told.found},
        )
    return told
