"""What every history has in common, and the trail of what operators did.

Knows no other application's models: whatever was acted on is named by its kind and key.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pghistory
import pghistory.models
import pgtrigger
from django.db import models
from django.db.models import Q


class Before(pghistory.models.Event):
    """What a row was before it was changed; `pgh_created_at` is when. Written by a trigger.

    With a key of 64 bits: a hundred changes a second would use up one of 32 within a year.
    """

    pgh_id = models.BigAutoField(primary_key=True)

    class Meta:
        abstract = True


def remembers(
    model_name: str,
    *,
    fields: list[str] | None = None,
    exclude: list[str] | None = None,
    deleted: bool = False,
) -> Callable[[type[models.Model]], type[models.Model]]:
    """Put aside what each row of a model was before it was changed, into a model of this name.

    A trigger does it, so that a change in bulk or by hand is caught too. By statement: one for each
    row made a bulk load half as slow again. No copy is made of a new row: the row is there.
    `deleted`: of what may be deleted, the last that it was is put aside too.
    """
    options: dict[str, Any] = {"fields": fields, "exclude": exclude, "model_name": model_name}
    # Each row says by itself from which file it came: no context is kept beside it. And whether a
    # row became another is not asked: to hold the old rows against the new ones cost a minute for
    # ten thousand. What only derives from the record is written past the trigger (`quiet`).
    options |= {"level": pghistory.Statement, "context_field": None}
    label = re.sub(r"(?<!^)(?=[A-Z])", "_", model_name).lower()
    track: Any = pghistory.track
    events: list[Any] = [pghistory.UpdateEvent(label, row=pghistory.Old, condition=None)]
    if deleted:
        events.append(pghistory.DeleteEvent(f"{label}_deletion", row=pghistory.Old))
    decorate: Callable[[type[models.Model]], type[models.Model]] = track(*events, **options)
    return decorate


class AuditEvent(models.Model):
    """One act of one person. Written by `ops.audit.record` alone, with the act; never changed.

    Holds no name and no number of a patient: `object_key` is a key of our own. `why` is the
    person's own sentence.
    """

    at = models.DateTimeField()
    who = models.CharField(max_length=150)
    act = models.CharField(max_length=64, help_text="For example rejected_row.dismissed.")
    object_kind = models.CharField(max_length=64)
    object_key = models.CharField(max_length=64)
    why = models.TextField(blank=True, default="")
    details = models.JSONField(default=dict, blank=True)
    request_id = models.CharField(max_length=64, blank=True, default="")

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="an_act_names_who_and_what", condition=~Q(who="") & ~Q(act="")
            )
        ]
        indexes = [
            models.Index(fields=["object_kind", "object_key", "-at"], name="acts_on_an_object"),
            models.Index(fields=["-at"], name="acts_by_time"),
        ]
        triggers = [
            pgtrigger.Protect(name="append_only", operation=pgtrigger.Update | pgtrigger.Delete),
            # An empty trail that is emptied loses nothing.
            pgtrigger.Trigger(
                name="no_truncate",
                level=pgtrigger.Statement,
                when=pgtrigger.Before,
                operation=pgtrigger.Truncate,
                func=(
                    "IF EXISTS (SELECT FROM ops_auditevent)"
                    " THEN RAISE EXCEPTION 'the audit trail is not truncated'; END IF;"
                    " RETURN NULL;"
                ),
            ),
        ]
        ordering = ["-at", "-id"]

    def __str__(self) -> str:
        return f"{self.act} by {self.who}"
