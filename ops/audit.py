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
from django.db.models import JSONField
from django.utils import timezone
from django.utils.crypto import salted_hmac

from ops.choices import EventKind
from ops.errors import OpsError
from ops.models import AuditEvent

# A look that a screen repeats by itself counts once in so many seconds.
ONCE_IN_SECONDS = 15 * 60

# Two requests that write the same look differ in when and whence; in these they must not.
_SAID = ("kind", "who", "user_key", "act", "object_kind", "object_key", "patient")
_FIELDS = [field for field in AuditEvent._meta.concrete_fields if not field.primary_key]


class NotOnRecord(OpsError):
    """The trail has no line, or another one, of what is about to happen."""


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
    Raises NotOnRecord.
    """
    if not connection.in_atomic_block:
        raise RuntimeError("an act is recorded in its own transaction")
    event = _event(EventKind.ACT, act, by, kind, key, why, details, patient)
    written = _write(event)
    if written is None:
        raise _not_on_record(event)
    return written


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
    searched text: only a keyed digest of it is kept. Raises NotOnRecord.
    """
    now = timezone.now()
    once = "" if once_per is None else _once(act, by, once_per, now)
    if once and cache.get(once):
        return
    event = _event(EventKind.LOOK, act, by.get_username(), kind, key, "", details, patient)
    event.at, event.user_key, event.once = now, str(by.pk), once
    # Of two requests at one instant both may come as far as this: the database lets one write.
    if _write(event) is None and not _is_written(event):
        raise _not_on_record(event)
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


def _write(event: AuditEvent) -> AuditEvent | None:
    """Put a line in, and give it as it is there; None where a trigger swallowed it, or a look of
    the same moment came first. Raises NotOnRecord where the line says something else.
    """
    names = ", ".join(connection.ops.quote_name(field.attname) for field in _FIELDS)
    values = [
        field.get_db_prep_save(getattr(event, field.attname), connection) for field in _FIELDS
    ]
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO ops_auditevent ({names}) VALUES ({', '.join(['%s'] * len(values))})"
            f" ON CONFLICT DO NOTHING RETURNING id, {names}",
            values,
        )
        row = cursor.fetchone()
    if row is None:
        return None
    key, *there = row
    if any(not _is_same(field, event, value) for field, value in zip(_FIELDS, there, strict=True)):
        raise _not_on_record(event)
    meant = [getattr(event, field.attname) for field in _FIELDS]
    return AuditEvent.from_db(
        connection.alias, ["id", *(field.attname for field in _FIELDS)], [key, *meant]
    )


def _is_same(field: Any, event: AuditEvent, there: Any) -> bool:
    meant = getattr(event, field.attname)
    if isinstance(field, JSONField):
        return bool(json.loads(json.dumps(meant, cls=field.encoder)) == json.loads(there))
    return bool(field.to_python(meant) == there)


def _is_written(event: AuditEvent) -> bool:
    """Tell whether another request has just written this look, of the same person and patient."""
    if not event.once:
        return False
    said = {
        field.attname: field.to_python(getattr(event, field.attname))
        for field in _FIELDS
        if field.attname in _SAID
    }
    return bool(AuditEvent.objects.filter(once=event.once).values(*_SAID).first() == said)


def _not_on_record(event: AuditEvent) -> NotOnRecord:
    return NotOnRecord(
        f"The audit trail did not keep its line of {event.act}, so it does not happen and nothing"
        " is shown. Something in the database takes or changes new lines: manage.py auditverify"
        " names what stands on the trail's tables."
    )


def _key_of(who: str, asked: Asking | None) -> str:
    """Give the key of the user who asks, if it is he who acts: another name is a mere name."""
    user = getattr(asked.holder, "user", None) if asked else None
    if user is None or not user.is_authenticated or user.get_username() != who:
        return ""
    return str(user.pk)


def _once(act: str, by: Person, what: object, now: datetime) -> str:
    told = json.dumps([act, by.get_username(), what], sort_keys=True, default=str)
    digest = salted_hmac("ops.audit.look", told, algorithm="sha256").hexdigest()[:40]
    return f"look:{by.pk}:{digest}:{int(now.timestamp()) // ONCE_IN_SECONDS}"


def _seconds_left(now: datetime) -> int:
    return ONCE_IN_SECONDS - int(now.timestamp()) % ONCE_IN_SECONDS
