"""The function that takes in files: what the buckets' queue tells of, and nothing else."""

from __future__ import annotations

from typing import Any

from hospital.functions.start import Event, roll_call, start

start()

# pylint: disable=wrong-import-position
from hospital.events import handle
from hospital.functions.retrying import come_again_soon


def handler(event: Event, context: object = None) -> dict[str, Any]:
    """Take in a batch of the queue; the answer names the messages that failed, and those alone.

    Raises NoticeNotUnderstood, PlaceMuted, and whatever lets none of the batch be taken.
    """
    if answer := roll_call(event):
        return answer
    return come_again_soon(event.get("Records", ()), handle(event, context))
