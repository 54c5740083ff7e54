"""Watch the inbox folder and put what comes to rest there on record as received."""

import logging
import signal
import time
from threading import Event
from typing import Any

from django.db import InterfaceError, OperationalError, close_old_connections, connection
from kombu.exceptions import OperationalError as QueueError

from ingestion.management.manners import MannerlyCommand
from ingestion.services.watching import Watch
from ingestion.storage import Inbox
from ingestion.tasks import ingest_received

log = logging.getLogger(__name__)

_EVERY_SECONDS = 0.4


class Command(MannerlyCommand):
    """`manage.py watch`: runs until it is told to stop."""

    help = "Watch the inbox folder; register each object that has come to rest and wake a worker."

    _is_cut_off = False

    def handle(self, *args: Any, **options: Any) -> None:
        """Look again and again. Without a database at the start there is nothing to watch for."""
        connection.ensure_connection()
        stop = Event()
        for name in (signal.SIGINT, signal.SIGTERM):
            signal.signal(name, lambda *_: stop.set())
        watch = Watch(Inbox())
        while not stop.is_set():
            started = time.monotonic()
            self._look(watch)
            # A listing of a million files must not become the only thing this machine does.
            stop.wait(max(_EVERY_SECONDS, 2 * (time.monotonic() - started)))

    def _look(self, watch: Watch) -> None:
        try:
            close_old_connections()
            registered = watch.look(time.time())
            self._is_cut_off = False
        except (OperationalError, InterfaceError) as error:
            # Said once, not twice a second for as long as it lasts.
            if not self._is_cut_off:
                log.error(
                    "database cannot be reached; the watch goes on",
                    extra={"error": type(error).__name__},
                )
            self._is_cut_off = True
            return
        if registered:
            self._wake_a_worker()

    def _wake_a_worker(self) -> None:
        try:
            ingest_received.delay()
        except QueueError:
            log.exception("queue cannot be reached; the beat will find what was registered")
