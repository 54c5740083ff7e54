"""The queue of notices is worked off: put on record what a message tells of, then delete it.

In this order: a crash in between makes the message come again, which changes nothing. What cannot
be understood is left in the queue, whose own policy puts it aside as a dead letter.
"""

from __future__ import annotations

import logging
from collections import OrderedDict

from django.db import InterfaceError, OperationalError, connection

from ingestion.notices import notices_in
from ingestion.services.noticing import take_notices, why_not_taken
from ingestion.storage import Message, NoticeQueue, Places

log = logging.getLogger(__name__)

_TOLD_AT_MOST = 10_000


class Listener:
    """Listens to one queue. `listen` is called again and again."""

    def __init__(self, queue: NoticeQueue, places: Places) -> None:
        self._queue = queue
        self._places = places
        self._told: OrderedDict[str, None] = OrderedDict()

    def listen(self, *, wait_seconds: int) -> int:
        """Take some messages, or wait for one. Returns how many objects were put on record.

        Raises OSError where the queue does not answer, and OperationalError or InterfaceError
        where the database does not: then every message that is not done stays in the queue.
        """
        # Asked first: what is taken from the queue too often in vain ends as a dead letter.
        connection.ensure_connection()
        done: list[Message] = []
        registered = 0
        try:
            for message in self._queue.receive(wait_seconds=wait_seconds):
                try:
                    registered += take_notices(notices_in(message.body), self._places)
                except (OperationalError, InterfaceError):
                    raise
                except Exception as error:  # pylint: disable=broad-exception-caught
                    # One odd message must not keep all the others from the ward.
                    self._tell(message, error)
                else:
                    done.append(message)
        finally:
            self._queue.delete(done)
        return registered

    def _tell(self, message: Message, error: Exception) -> None:
        """Say once of a message, not each time it comes again, why it stays in the queue."""
        if message.id in self._told:
            return
        self._told[message.id] = None
        while len(self._told) > _TOLD_AT_MOST:
            self._told.popitem(last=False)
        log.error(
            "message stays in the queue", extra={"id": message.id, "why": why_not_taken(error)}
        )
