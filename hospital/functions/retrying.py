"""Failed messages come again soon: a queue would hold each back for as long as a batch may take.

A file whose database was away for a second must not wait half an hour; and what nobody can read
is put aside, and raises its alarm, within minutes.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

from django.conf import settings

from hospital.functions.start import Event
from ops.aws.asking import asking
from ops.errors import CloudRefused, CloudUnreachable

log = logging.getLogger(__name__)


def come_again_soon(records: Sequence[Event], answer: dict[str, Any]) -> dict[str, Any]:
    """Let the messages that `answer` names as failed be handed out again soon; gives the answer.

    Where AWS refuses, they come when their time is over: that is told, and is no failure.
    """
    failed = {each["itemIdentifier"] for each in answer["batchItemFailures"]}
    for record in records:
        if record["messageId"] in failed:
            _shorten(record)
    return answer


def _shorten(record: Event) -> None:
    queue = str(record["eventSourceARN"]).rpartition(":")[2]
    urls = (settings.NOTICE_QUEUE_URL, *settings.TASK_QUEUES.values())
    url = next((each for each in urls if each.rpartition("/")[2] == queue), "")
    tries = int(record.get("attributes", {}).get("ApproximateReceiveCount", 1))
    try:
        with asking("sqs") as client:
            client.change_message_visibility(
                QueueUrl=url,
                ReceiptHandle=record["receiptHandle"],
                VisibilityTimeout=round(settings.RETRY_SECONDS * tries),
            )
    except (CloudRefused, CloudUnreachable) as error:
        log.warning(
            "message comes again late", extra={"id": record["messageId"], "why": str(error)}
        )
