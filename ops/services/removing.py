"""How rows of one table are removed once they are over: a batch at a time, waiting for nobody.

Knows no table by name: applications say which rows are over, and which are a patient's.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection, models
from django.db.models import Min, Q, QuerySet

from ops.registry import Kept

Rows = QuerySet[Any]


def _delete(rows: Rows) -> None:
    rows.delete()


def _nobody(_patients: Collection[UUID]) -> Q:
    return Q(pk__in=[])


@dataclass(frozen=True)
class RowsOver:
    """The rows of a table that are over at an instant, and what is done with them.

    `of_patients` tells which rows are, or may be, these patients'; rows of no patient need none.
    """

    over: Callable[[datetime], Rows]
    of_patients: Callable[[Collection[UUID]], Q] = _nobody
    remove: Callable[[Rows], None] = _delete

    def count_over(self, before: datetime) -> int:
        """Count what is over."""
        return self.over(before).count()

    def count_held(self, before: datetime, patients: Collection[UUID]) -> int:
        """Count how much of it is held back for these patients."""
        return self.over(before).filter(self.of_patients(patients)).count() if patients else 0

    def remove_over(self, before: datetime, limit: int, patients: Collection[UUID]) -> int:
        """Remove up to so many, the oldest keys first. What is locked is left for later."""
        rows = self.over(before)
        if patients:
            rows = rows.exclude(self.of_patients(patients))
        locked = rows.order_by("pk").select_for_update(skip_locked=True, of=("self",))
        keys = list(locked.values_list("pk", flat=True)[:limit])
        if keys:
            self.remove(rows.model._default_manager.filter(pk__in=keys))
        return len(keys)


def counted(rows: Rows, time: str) -> Kept:
    """Count rows, and give the oldest time among them."""
    return Kept(count=rows.count(), oldest=rows.aggregate(oldest=Min(time))["oldest"])


def estimated(*models_of_kind: type[models.Model]) -> Kept:
    """Count large tables as the database last estimated them: this is no reason to read them."""
    tables = {model._meta.db_table: model for model in models_of_kind}
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT relname, reltuples::bigint FROM pg_class"
            " WHERE oid = ANY (SELECT to_regclass(t) FROM unnest(%s::text[]) AS t)",
            [list(tables)],
        )
        # Below nought: never estimated, since so few rows ever came.
        counts = [
            rows if rows >= 0 else tables[name]._default_manager.count()
            for name, rows in cursor.fetchall()
        ]
    return Kept(count=sum(counts), is_about=True)
