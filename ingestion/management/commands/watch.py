"""Watch the inbox folder and put what comes to rest there on record as received."""

import logging
import signal
import time
from threading import Event
from typing import Any

from django.core.management.base import BaseCommand
from django.db import OperationalError, close_old_connections
from kombu.exceptions import OperationalError as QueueError

from ingestion.services.watching import Watch
from ingestion.storage import Inbox
from ingestion.tasks import ingest_received

log = logging.getLogger(__name__)

_EVERY_SECONDS = 0.4


class Command(BaseCommand):
    """`manage.py watch`: runs until it is told to stop."""

    help = "Watch the inbox folder; register each object that has come to rest and wake a worker."

    def handle(self, *args: Any, **options: Any) -> None:
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
            if watch.look(time.time()):
                ingest_received.delay()
        except OperationalError:
            log.exception("database cannot be reached; the watch goes on")
        except QueueError:
            log.exception("queue cannot be reached; the beat will find what was registered")
