"""The audit trail's one writer, of acts and of looks.

Knows who asks and from where (`asking`, which the web's middleware fills). Must not know a patient
but by our own key.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

import structlog
from django.core.cache import cache
from django.db import connection, transaction
from django.utils import timezone
from django.utils.crypto import salted_hmac

from ops.choices import EventKind
from ops.models import AuditEvent

# A look that a screen repeats by itself counts once in so many seconds.
ONCE_IN_SECONDS = 15 * 60


class Person(Protocol):
    """A user, as far as the trail is concerned."""

    pk: Any

    def get_username(self) -> str:
        """Give the name under which the person signs in."""


@dataclass(frozen=True)
class Asking:
    """A request as the trail tells of it. `holder` gives its user, who may sign in meanwhile."""

    from_where: str
    holder: Any


_asking: ContextVar[Asking | None] = ContextVar("asking", default=None)


@contextmanager
def asking(from_where: str, holder: Any) -> Iterator[None]:
    """Let what is recorded inside tell from where it was asked for, and by which user."""
    token = _asking.set(Asking(from_where, holder))
    try:
        yield
    finally:
        _asking.reset(token)


def record(
    act: str,
    *,
    by: str,
    kind: str,
    key: object,
    why: str = "",
    details: dict[str, Any] | None = None,
    patient: UUID | None = None,
) -> AuditEvent:
    """Put an act on record, in the transaction of the act: both are there, or neither.

    `kind` and `key` name what was acted on, never a patient's name or number; nor may `details`.
    """
    if not connection.in_atomic_block:
        raise RuntimeError("an act is recorded in its own transaction")
    event = _event(EventKind.ACT, act, by, kind, key, why, details, patient)
    event.save(force_insert=True)
    return event


def look(
    act: str,
    *,
    by: Person,
    kind: str,
    key: object = "",
    details: dict[str, Any] | None = None,
    patient: UUID | None = None,
    once_per: object = None,
) -> None:
    """Put a look on record. Call it before anything is shown: what it raises must stop the answer.

    `once_per`: what is looked at, where a screen asks for it again and again; then a look counts
    once for each person and quarter of an hour, and costs no query in between. It may hold a
    searched text: only a keyed digest of it is kept.
    """
    now = timezone.now()
    once = "" if once_per is None else _once(act, by, once_per, now)
    if once and cache.get(once):
        return
    event = _event(EventKind.LOOK, act, by.get_username(), kind, key, "", details, patient)
    event.at, event.user_key, event.once = now, str(by.pk), once
    # Of two requests at one instant both may come as far as this: the database lets one write.
    AuditEvent.objects.bulk_create([event], ignore_conflicts=bool(once))
    if once:
        # Not before it is kept: what is rolled back must not count as written.
        transaction.on_commit(lambda: cache.set(once, True, timeout=_seconds_left(now)))


def _event(
    sort: EventKind,
    act: str,
    by: str,
    kind: str,
    key: object,
    why: str,
    details: dict[str, Any] | None,
    patient: UUID | None,
) -> AuditEvent:
    context = structlog.contextvars.get_contextvars()
    asked = _asking.get()
    return AuditEvent(
        at=timezone.now(),
        kind=sort,
        who=by,
        user_key=_key_of(by, asked),
        act=act,
        object_kind=kind,
        object_key=str(key),
        patient=patient,
        why=why,
        details=details or {},
        from_where=asked.from_where if asked else "",
        request_id=str(context.get("request_id", ""))[:64],
    )


def _key_of(who: str, asked: Asking | None) -> str:
    """Give the key of the user who asks, if it is he who acts: another name is a mere name."""
    user = getattr(asked.holder, "user", None) if asked else None
    if user is None or not user.is_authenticated or user.get_username() != who:
        return ""
    return str(user.pk)


def _once(act: str, by: Person, what: object, now: datetime) -> str:
    told = json.dumps([act, what], sort_keys=True, default=str)
    digest = salted_hmac("ops.audit.look", told, algorithm="sha256").hexdigest()[:40]
    return f"look:{by.pk}:{digest}:{int(now.timestamp()) // ONCE_IN_SECONDS}"


def _seconds_left(now: datetime) -> int:
    return ONCE_IN_SECONDS - int(now.timestamp()) % ONCE_IN_SECONDS
