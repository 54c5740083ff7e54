"""Answering "nothing has changed" without reading the record again.

Knows what an answer depends on: the count of committed changes, the minute, how fresh each feed
is, who asks and what. Must not know what the answer is.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.utils.cache import get_conditional_response
from rest_framework.request import Request
from rest_framework.response import Response

from ingestion.queries import Freshness, change_count, freshness_of_feeds
from ingestion.queries.past import moment_asked, present
from ingestion.synthetic import Realm


@dataclass(frozen=True)
class Moment:
    """The instant of a request, what was on record then, and how fresh the feeds were."""

    at: datetime
    changes: int
    feeds: tuple[Freshness, ...]
    realm: Realm
    known_at: datetime | None = None

    def tag(self, request: Request) -> str:
        """Name the answer to this request at this moment."""
        parts = (
            settings.VERSION,
            str(request.user.pk),
            request.get_full_path(),
            str(self.changes),
            # Hours go by: no answer stays the newest for longer than its minute.
            self.at.strftime("%Y%m%d%H%M"),
            # A feed falls silent by the clock alone, between two changes and within a minute. A
            # board that vouches for a feed must not be called current from that instant on.
            *_verdicts(self.feeds),
        )
        return f'"{hashlib.sha256(chr(0).join(parts).encode()).hexdigest()[:32]}"'


def moment_now(realm: Realm) -> Moment:
    """Take the moment of a request by somebody who sees a realm.

    The count is read before any of the data. The other way round, a change committed between
    the two would be missing from the answer and counted in its tag: the screen would be told
    "nothing has changed" until the next change, perhaps for ever. This way round, the worst is
    an answer that is newer than its tag, and one needless reading after it.
    """
    changes = change_count()
    at = present()
    return Moment(
        at, changes, tuple(freshness_of_feeds(at, realm=realm)), realm, known_at=moment_asked()
    )


def unchanged(request: Request, moment: Moment) -> HttpResponseBase | None:
    """Give the 304 for a screen that holds this very answer already.

    Of an earlier moment nothing is kept: what became of it can still be told anew.
    """
    if moment.known_at is not None:
        return None
    tag = moment.tag(request)
    known = get_conditional_response(request, etag=tag)
    return None if known is None else _revalidated(known, tag)


def tagged(request: Request, moment: Moment, body: object) -> Response:
    """Answer, with the tag by which the screen may ask again."""
    response = Response(body)
    if moment.known_at is not None:
        return response
    _revalidated(response, moment.tag(request))
    return response


def _revalidated(response: HttpResponse, tag: str) -> HttpResponse:
    response["ETag"] = tag
    # Kept by the browser of this one person, and asked about each time: never shown unasked.
    response["Cache-Control"] = "private, no-cache"
    return response


def _verdicts(feeds: Iterable[Freshness]) -> Iterable[str]:
    return (f"{one.feed.pk}:{one.freshness}:{one.interval}" for one in feeds)
