"""Watch the inbox folder, and listen to the queue of notices: what comes is put on record."""

from __future__ import annotations

import logging
import signal
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from threading import Event, Thread
from typing import Any

from django.conf import settings
from django.db import InterfaceError, OperationalError, close_old_connections, connection
from django.utils import timezone

from ingestion.services.listening import Listener
from ingestion.services.watching import WATCH, Watch
from ingestion.storage import Inbox, NoticeQueue, Places
from ingestion.tasks import wake_a_worker
from ops.management.manners import MannerlyCommand
from ops.registry import Health
from ops.services.muting import is_muted
from ops.services.sampling import note_run, note_silence

log = logging.getLogger(__name__)

_EVERY_SECONDS = 0.4
# How long the queue is asked to hold its answer: whoever ends the watch waits for it.
_LISTEN_SECONDS = 2
_PAUSE_SECONDS = 3.0
_ROUND = timedelta(minutes=1)


class Command(MannerlyCommand):
    """`manage.py watch`: runs until it is told to stop."""

    help = (
        "Watch the inbox folder and, where one is set, listen to the queue of notices; register"
        " what has come and wake a worker."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        """Look again and again. Without a database at the start there is nothing to watch for."""
        connection.ensure_connection()
        stop = Event()
        for name in (signal.SIGINT, signal.SIGTERM):
            signal.signal(name, lambda *_: stop.set())
        listener = Listener(NoticeQueue(settings.NOTICE_QUEUE_URL), Places.from_settings())
        # A thread of its own: neither the folder nor the queue delays the other.
        ear = Thread(target=_listen, args=(listener, stop), daemon=True)
        if settings.NOTICE_QUEUE_URL:
            ear.start()
        self._watch(stop)
        if ear.is_alive():
            ear.join(_LISTEN_SECONDS + 1)

    def _watch(self, stop: Event) -> None:
        watch = Watch(Inbox())
        turns = Turns(lambda: watch.look(time.time()))
        rounds = Rounds(timezone.now())
        while not stop.is_set():
            started = time.monotonic()
            turns.take()
            rounds.take(timezone.now())
            # A listing of a million files must not become the only thing this machine does.
            stop.wait(max(_EVERY_SECONDS, 2 * (time.monotonic() - started)))


def _listen(listener: Listener, stop: Event) -> None:
    turns = Turns(lambda: listener.listen(wait_seconds=_LISTEN_SECONDS))
    try:
        while not stop.is_set():
            if not turns.take():
                stop.wait(_PAUSE_SECONDS)
    finally:
        connection.close()


class Rounds:
    """Says each minute that the watch runs, and looks whether clock and workers do.

    Who is dead cannot say so: the watch is neither of them, and they tell of the watch.
    """

    def __init__(self, began: datetime) -> None:
        self._began = began
        self._next = began

    def take(self, now: datetime) -> None:
        """Do so if a minute is over. An outage of the database ends nothing."""
        if now < self._next:
            return
        self._next = now + _ROUND
        try:
            note_run(WATCH, at=now, health=Health.WELL, words="It looks for new files.")
            note_silence(now, watched_since=self._began)
        except (OperationalError, InterfaceError) as error:
            log.warning("the watch cannot say that it runs", extra={"error": type(error).__name__})


class Turns:
    """Does one thing turn by turn and wakes a worker for what it put on record."""

    def __init__(self, act: Callable[[], int]) -> None:
        self._act = act
        self._told = ""

    def take(self) -> bool:
        """Take a turn. Returns whether that worked; an outage ends nothing, and is said once."""
        try:
            close_old_connections()
            if is_muted():
                self._tell("this place is muted and takes nothing in: manage.py unmute", None)
                return False
            registered = self._act()
        except (OperationalError, InterfaceError) as error:
            self._tell("database cannot be reached; the watch goes on", error)
            return False
        except OSError as error:
            self._tell("queue of notices cannot be reached; the watch goes on", error)
            return False
        except Exception as error:  # pylint: disable=broad-exception-caught
            # A thread that ended would leave a watch that looks alive and hears nothing.
            self._tell("the watch met an error that nobody foresaw; it goes on", error)
            return False
        self._told = ""
        if registered:
            wake_a_worker()
        return True

    def _tell(self, what: str, error: Exception | None) -> None:
        """Say it once, not twice a second for as long as it lasts."""
        if self._told != what:
            kind = type(error).__name__ if error else "muted"
            log.error(what, extra={"error": kind}, exc_info=error)
        self._told = what
