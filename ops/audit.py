"""The audit trail's one writer."""

from __future__ import annotations

from typing import Any

import structlog
from django.db import connection
from django.utils import timezone

from ops.models import AuditEvent


def record(
    act: str,
    *,
    by: str,
    kind: str,
    key: object,
    why: str = "",
    details: dict[str, Any] | None = None,
) -> AuditEvent:
    """Put an act on record, in the transaction of the act: both are there, or neither.

    `kind` and `key` name what was acted on, never a patient's name or number; nor may `details`.
    """
    if not connection.in_atomic_block:
        raise RuntimeError("an act is recorded in its own transaction")
    return AuditEvent.objects.create(
        at=timezone.now(),
        who=by,
        act=act,
        object_kind=kind,
        object_key=str(key),
        why=why,
        details=details or {},
        request_id=str(structlog.contextvars.get_contextvars().get("request_id", "")),
    )
