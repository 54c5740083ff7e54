"""The way in for AWS: a bucket's event, or a queue's batch of them, given straight to a function.

What is not known is raised and never counts as handled: AWS then sends it again, and puts it aside
at last, where somebody sees it.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from typing import Any

import django
from django.apps import apps

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "hospital.settings")
if not apps.ready:
    django.setup()

# pylint: disable=wrong-import-position
from django.db import close_old_connections, connection

from ingestion.errors import NoticeNotUnderstood
from ingestion.notices import TEST_EVENT, notices_in, notices_of, records_of
from ingestion.services.draining import drain
from ingestion.services.noticing import take_notices, why_not_taken
from ingestion.storage import Places
from ops.services.muting import require_acting

log = logging.getLogger(__name__)

Event = Mapping[str, Any]


def handle(event: Event, context: object = None) -> dict[str, Any]:
    """Put on record what an event tells of and ingest it, in the same invocation.

    Of a queue's batch, the answer names the messages that failed, and those alone come again: the
    event source mapping must report batch item failures. Raises NoticeNotUnderstood,
    SourceNotDeclared, OSError, PlaceMuted, and database errors.
    """
    if not connection.in_atomic_block:
        # A function that was frozen between two events may hold a connection that is long gone.
        close_old_connections()
    if isinstance(event, Mapping) and event.get("Event") == TEST_EVENT:
        return _answer([])
    # Raised, so that it comes again: another copy of this hospital may be the one that acts.
    require_acting()
    records = records_of(event)
    places = Places.from_settings()
    origins = {record.get("eventSource") for record in records}
    if origins == {"aws:sqs"}:
        failed = [record["messageId"] for record in records if not _is_taken(record, places)]
        drain(places)
        return _answer(failed)
    if origins == {"aws:s3"}:
        try:
            take_notices(notices_of(event), places)
        finally:
            drain(places)
        return _answer([])
    raise NoticeNotUnderstood("The event comes from neither a bucket nor a queue.")


def _is_taken(record: Event, places: Places) -> bool:
    try:
        take_notices(notices_in(record["body"]), places)
    except Exception as error:  # pylint: disable=broad-exception-caught
        # One odd message must not let all the others come again.
        log.error(
            "message stays in the queue",
            extra={"id": record["messageId"], "why": why_not_taken(error)},
        )
        return False
    return True


def _answer(failed: list[str]) -> dict[str, Any]:
    return {"batchItemFailures": [{"itemIdentifier": each} for each in failed]}
