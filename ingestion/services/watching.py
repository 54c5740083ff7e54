"""The lookout over the inbox folder: which objects have come to rest and are new.

Plays the part of a bucket's notifications. It keeps the names that it knows in memory, reads a
folder's listing only when the folder has changed, and asks again, a slice at a time, whether a
known file was overwritten in place; so a look stays cheap at a million files.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice

from django.conf import settings
from django.db import DatabaseError, OperationalError

from ingestion.choices import FoundBy
from ingestion.models import FeedFile
from ingestion.names import is_left_alone, key_of
from ingestion.services.receiving import refuse_unread
from ingestion.services.registering import UNREAD, register
from ingestion.storage import Inbox

log = logging.getLogger(__name__)

# Under this name it is kept when the watch last said that it runs.
WATCH = "watch"
# How many known files a look asks again, and how many it puts on record at most: what a look has
# found must reach a worker soon, also on the day on which a full inbox is first opened.
_SLICE = 500
_MOST_AT_ONCE = 200
# A folder's time has a resolution: a name that came within it might not move the time again.
_FOLDER_SETTLES_SECONDS = 2.0

Shape = tuple[datetime, int]


@dataclass(slots=True)
class Look:
    """What an object looked like, and since when it has looked so."""

    shape: Shape
    since: float
    is_unreadable: bool = False


@dataclass
class Lookout:
    """Watches one source's folder. `look` is called again and again, about twice a second.

    `known` holds, by name, a number for what each file that is on record looked like: a million
    pairs of time and size would fill memory. `looks` holds the others, the oldest look first.
    """

    inbox: Inbox
    source: str
    known: dict[str, int] = field(default_factory=dict)
    looks: dict[str, Look] = field(default_factory=dict)
    _round: Iterator[str] = field(default_factory=lambda: iter(()))
    _listed_at: float | None = None
    _changed_at: float | None = None

    def look(self, now: float) -> int:
        """Look once; `now` is in seconds since the epoch. Returns how many objects were registered.

        Raises OSError where the folder itself cannot be read.
        """
        changed_at = self.inbox.changed_at(self.source)
        if not self._is_settled(changed_at):
            self._list(now)
            # Noted only now: a listing that failed half-way must be done again.
            self._changed_at, self._listed_at = changed_at, now
        self._look_again_at_a_slice(now)
        due = (
            name
            for name, look in list(islice(self.looks.items(), _MOST_AT_ONCE))
            if now - look.since >= settings.INBOX_STILL_SECONDS
        )
        return sum(self._take_if_still(name, now) for name in due)

    def _is_settled(self, changed_at: float | None) -> bool:
        return (
            changed_at is not None
            and changed_at == self._changed_at
            and self._listed_at is not None
            and self._listed_at - changed_at > _FOLDER_SETTLES_SECONDS
        )

    def _list(self, now: float) -> None:
        listed = self.inbox.names(self.source)
        new = [name for name in listed if name not in self.known and name not in self.looks]
        if len(listed) - len(new) < len(self.known) + len(self.looks):
            self._forget_all_but(set(listed))
        new = [name for name in new if not is_left_alone(name)]
        for name in self._without_recorded(new):
            self._start_looking(name, now)

    def _forget_all_but(self, names: set[str]) -> None:
        self.known = {name: shape for name, shape in self.known.items() if name in names}
        self.looks = {name: look for name, look in self.looks.items() if name in names}

    def _without_recorded(self, names: list[str]) -> Iterator[str]:
        """Leave out names that were put on record before, in an earlier life of the lookout."""
        for some in _slices(names):
            keys = {name: key_of(f"{self.source}/{name}") for name in some}
            recorded = (
                FeedFile.objects.filter(bucket=self.inbox.bucket, key__in=keys.values())
                .exclude(version=UNREAD)
                .order_by("pk")
                .values_list("key", "last_modified", "size")
            )
            shapes = {key: _number_of((changed, size)) for key, changed, size in recorded}
            for name, key in keys.items():
                if key in shapes:
                    self.known[name] = shapes[key]
                else:
                    yield name

    def _start_looking(self, name: str, now: float, *, is_unreadable: bool = False) -> None:
        self.looks.pop(name, None)
        try:
            shape = self.inbox.shape(self.source, name)
        except OSError:
            return  # Gone again, or no file: the next listing will tell.
        self.looks[name] = Look(shape, now, is_unreadable)

    def _look_again_at_a_slice(self, now: float) -> None:
        names = list(islice(self._round, _SLICE))
        if not names:
            self._round = iter(list(self.known))
            names = list(islice(self._round, _SLICE))
        for name in names:
            try:
                shape = self.inbox.shape(self.source, name)
            except OSError:
                continue
            if name in self.known and _number_of(shape) != self.known[name]:
                del self.known[name]
                self.looks[name] = Look(shape, now)

    def _take_if_still(self, name: str, now: float) -> bool:
        """Put on record what has stood still. What is looked at anew goes to the end of the row."""
        look = self.looks[name]
        try:
            if self.inbox.shape(self.source, name) != look.shape:
                self._start_looking(name, now)
                return False
        except OSError:
            del self.looks[name]  # Gone: the folder has changed, and is listed again.
            return False
        key = key_of(f"{self.source}/{name}")
        try:
            feed_file = register(self.inbox.object(key), found_by=FoundBy.LOOKOUT)
        except OSError as error:
            self._wait_until_readable(name, key, error, now)
            return False
        del self.looks[name]
        self.known[name] = _number_of(look.shape)
        return feed_file is not None

    def _wait_until_readable(self, name: str, key: str, error: OSError, now: float) -> None:
        """Say once, on record, that a file cannot be read, and go on asking.

        A file that nobody may read must not be missing from the board's doubts.
        """
        is_known = self.looks[name].is_unreadable
        self._start_looking(name, now, is_unreadable=True)
        if name in self.looks and not is_known:
            log.warning("inbox object cannot be read", extra={"error": type(error).__name__})
            refuse_unread(self.inbox.object(key), error, found_by=FoundBy.LOOKOUT)


class Watch:
    """Watches every source of the inbox; new sub-folders are found as they come."""

    def __init__(self, inbox: Inbox) -> None:
        self._inbox = inbox
        self._lookouts: dict[str, Lookout] = {}
        self._told: dict[str, str] = {}

    def look(self, now: float) -> int:
        """Look once at every source. Returns how many objects were registered.

        A source that cannot be watched is told of in the log and does not stop the others.
        Raises OperationalError where the database cannot be reached.
        """
        registered = 0
        for source in self._sources():
            lookout = self._lookouts.setdefault(source, Lookout(self._inbox, source))
            try:
                registered += lookout.look(now)
                self._told.pop(source, None)
            except OperationalError:
                raise
            except (OSError, DatabaseError) as error:
                self._tell(error, source=source)
        return registered

    def _sources(self) -> Iterable[str]:
        try:
            sources = self._inbox.sources()
        except OSError as error:
            self._tell(error, source="")
            return ()
        self._told.pop("", None)
        return sources

    def _tell(self, error: Exception, *, source: str) -> None:
        """Say it once, not twice a second for as long as it lasts."""
        name = type(error).__name__
        if self._told.get(source) != name:
            self._told[source] = name
            log.error(
                "inbox folder cannot be watched", extra={"source": key_of(source), "error": name}
            )


def _number_of(shape: Shape) -> int:
    """Tell two looks of one file apart by a number."""
    return hash(shape)


def _slices(names: list[str]) -> Iterator[list[str]]:
    for start in range(0, len(names), _SLICE):
        yield names[start : start + _SLICE]
