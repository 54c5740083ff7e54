"""The replica's way in: what Django routes there, and how a browser remembers its own writes.

Where no replica is set none of this is used. Which questions may be a little old is told where they
are asked (ops.replica).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.core.exceptions import MiddlewareNotUsed
from django.db import DEFAULT_DB_ALIAS, Error, connection, models
from django.http import HttpRequest, HttpResponse

from ops import replica

COOKIE = "vigil_written"
_SALT = "vigil.replica"
# By then the replica has replayed it, or is so far behind that it is not asked at all.
_KEPT_SECONDS = 600
# Behind everything: where the place in the log could not be asked for, the writer answers.
_UNKNOWN = "FFFFFFFF/FFFFFFFF"
_READING = ("SELECT", "SAVEPOINT", "RELEASE", "ROLLBACK", "SET", "SHOW")
# Who is signed in, and what that person may do, is never read from the replica.
_ROUTED = {"alerts", "ingestion", "ops"}


class Replicas:
    """Sends reads to the replica while a question is asked that may be a little old."""

    def db_for_read(self, model: type[models.Model], **_hints: Any) -> str | None:
        """Send what belongs to the record, the books and the trail."""
        return replica.alias_for_reading() if model._meta.app_label in _ROUTED else None

    def db_for_write(self, _model: type[models.Model], **_hints: Any) -> str:
        """Write to the one that writes."""
        return DEFAULT_DB_ALIAS

    def allow_relation(self, _one: Any, _other: Any, **_hints: Any) -> bool:
        """Both are the same database."""
        return True

    def allow_migrate(self, database: str, _app_label: str, **_hints: Any) -> bool:
        """Migrate the one that writes; the other follows."""
        return database == DEFAULT_DB_ALIAS


class OwnWrites:
    """Stands before the session: who writes is answered by the writer until the replica has it.

    The place in the database's log behind the write goes into a signed cookie of the browser. It
    is exact: the replica is asked again once it has replayed to that place, and not before.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        if not replica.is_set():
            raise MiddlewareNotUsed
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Answer, and remember a write, also a look that went on record."""
        is_safe = request.method in {"GET", "HEAD"}
        asker = replica.Asker(_own_writes(request), has_written=not is_safe)

        def watch(execute: Any, statement: Any, *rest: Any) -> Any:
            if not str(statement).lstrip("( \n").upper().startswith(_READING):
                asker.has_written = True
            return execute(statement, *rest)

        with replica.asked_by(asker), connection.execute_wrapper(watch):
            response = self._get_response(request)
        if asker.has_written:
            _remember(response)
        return response


def _own_writes(request: HttpRequest) -> str:
    kept = request.get_signed_cookie(COOKIE, default="", salt=_SALT, max_age=_KEPT_SECONDS)
    return kept or "0/0"


def _remember(response: HttpResponse) -> None:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_current_wal_insert_lsn()::text")
            (place,) = cursor.fetchone()
    except Error:
        place = _UNKNOWN
    response.set_signed_cookie(
        COOKIE,
        place,
        salt=_SALT,
        max_age=_KEPT_SECONDS,
        httponly=True,
        secure=settings.SESSION_COOKIE_SECURE,
        samesite="Lax",
    )
