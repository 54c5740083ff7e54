"""The lookout over the inbox folder: which objects have come to rest and are new.

Plays the part of a bucket's notifications. It keeps the names that it knows in memory, reads a
folder's listing only when the folder has changed, and asks again, a slice at a time, whether a
known file was overwritten in place; so a look stays cheap at a million files.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime

from django.conf import settings
from django.db.models import QuerySet

from ingestion.models import FeedFile
from ingestion.services.receiving import register
from ingestion.storage import Inbox, StoredObject

log = logging.getLogger(__name__)

_SLICE = 1_000
# A folder's time has a resolution: a name that came within it might not move the time again.
_FOLDER_SETTLES_SECONDS = 2.0

Shape = tuple[datetime, int]


@dataclass(slots=True)
class Look:
    """What an object looked like, and since when it has looked so."""

    shape: Shape
    since: float


@dataclass
class Lookout:
    """Watches one source's folder. `look` is called again and again, about twice a second."""

    inbox: Inbox
    source: str
    known: set[str] = field(default_factory=set)
    looks: dict[str, Look] = field(default_factory=dict)
    _seen_shapes: dict[str, Shape] = field(default_factory=dict)
    _round: deque[str] = field(default_factory=deque)
    _listed_at: float | None = None
    _changed_at: float | None = None

    def look(self, now: float) -> int:
        """Look once; `now` is in seconds since the epoch. Returns how many objects were registered.

        Raises OSError where the folder itself cannot be read.
        """
        if self._has_changed(now):
            self._list(now)
        self._look_again_at_a_slice(now)
        return sum(self._take_if_still(key, look, now) for key, look in list(self.looks.items()))

    def _has_changed(self, now: float) -> bool:
        changed_at = self.inbox.changed_at(self.source)
        is_settled = (
            changed_at is not None
            and changed_at == self._changed_at
            and self._listed_at is not None
            and self._listed_at - changed_at > _FOLDER_SETTLES_SECONDS
        )
        if not is_settled:
            self._changed_at, self._listed_at = changed_at, now
        return not is_settled

    def _list(self, now: float) -> None:
        names = self.inbox.keys(self.source)
        self.known &= names
        self.looks = {key: look for key, look in self.looks.items() if key in names}
        new = names - self.known - self.looks.keys()
        recorded = set(self._recorded(new))
        self.known |= recorded
        for key in new - recorded:
            self._start_looking(key, now)

    def _recorded(self, keys: Iterable[str]) -> Iterator[str]:
        """Name those keys that have been registered before, in an earlier life of the lookout."""
        for some in _slices(sorted(keys)):
            yield from self._files(some).values_list("key", flat=True)

    def _files(self, keys: list[str]) -> QuerySet[FeedFile]:
        return FeedFile.objects.filter(bucket=self.inbox.bucket, key__in=keys)

    def _start_looking(self, key: str, now: float) -> None:
        try:
            stored = self.inbox.object(key)
        except OSError:
            return  # Gone again, or not to be asked now: the next listing will tell.
        self.looks[key] = Look(_shape(stored), now)

    def _look_again_at_a_slice(self, now: float) -> None:
        if not self._round:
            self._round.extend(self.known)
        keys = [self._round.popleft() for _ in range(min(_SLICE, len(self._round)))]
        shapes: dict[str, set[Shape]] = {}
        for key, changed, size in self._files(keys).values_list("key", "last_modified", "size"):
            shapes.setdefault(key, set()).add((changed, size))
        for key in keys:
            try:
                shape = _shape(self.inbox.object(key))
            except OSError:
                continue
            if shape not in shapes.get(key, ()) and shape != self._seen_shapes.get(key):
                self.known.discard(key)
                self.looks.setdefault(key, Look(shape, now))

    def _take_if_still(self, key: str, look: Look, now: float) -> bool:
        try:
            stored = self.inbox.object(key)
            if _shape(stored) != look.shape:
                self.looks[key] = Look(_shape(stored), now)
                return False
            if now - look.since < settings.INBOX_STILL_SECONDS:
                return False
            feed_file = register(stored)
        except OSError as error:
            # Not yet readable, or gone: looked at again, and said so, without naming the file.
            log.warning("inbox object cannot be read", extra={"error": type(error).__name__})
            self.looks[key] = Look(look.shape, now)
            return False
        del self.looks[key]
        self.known.add(key)
        if feed_file is None:
            # Touched, but the same bytes: remembered, or each round would read it all again.
            self._seen_shapes[key] = look.shape
        return feed_file is not None


class Watch:
    """Watches every source of the inbox; new sub-folders are found as they come."""

    def __init__(self, inbox: Inbox) -> None:
        self._inbox = inbox
        self._lookouts: dict[str, Lookout] = {}

    def look(self, now: float) -> int:
        """Look once at every source. Returns how many objects were registered."""
        registered = 0
        for source in self._inbox.sources():
            lookout = self._lookouts.setdefault(source, Lookout(self._inbox, source))
            try:
                registered += lookout.look(now)
            except OSError as error:
                log.error(
                    "inbox folder cannot be read",
                    extra={"source": source, "error": type(error).__name__},
                )
        return registered


def _shape(stored: StoredObject) -> Shape:
    return (stored.last_modified, stored.size)


def _slices(keys: list[str]) -> Iterator[list[str]]:
    for start in range(0, len(keys), _SLICE):
        yield keys[start : start + _SLICE]
