"""Keyset pages: where the next page begins, as a signed word that only we can read and write.

A cursor holds a time and a key, never a name: it travels in addresses.
"""

from __future__ import annotations

from datetime import datetime

from django.core import signing
from rest_framework.exceptions import ValidationError

_SALT = "vigil.api.cursor"


def cursor_to(kind: str, position: tuple[datetime, int] | None) -> str | None:
    """Write the cursor of a list's next page; None where there is none."""
    if position is None:
        return None
    moment, key = position
    return signing.dumps([moment.isoformat(), key], salt=f"{_SALT}.{kind}", compress=False)


def position_at(kind: str, cursor: str | None) -> tuple[datetime, int] | None:
    """Read a cursor of this kind of list. Raises ValidationError for any that we did not write."""
    if not cursor:
        return None
    try:
        moment, key = signing.loads(cursor, salt=f"{_SALT}.{kind}")
    except signing.BadSignature:
        raise ValidationError(
            {"cursor": "This is no cursor of this list: begin at the first page."}
        ) from None
    return datetime.fromisoformat(moment), int(key)
