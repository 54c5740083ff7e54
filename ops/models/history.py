"""What every history has in common: what a row was before it was changed, put aside by triggers.

Knows no model by name.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pghistory
import pghistory.models
from django.db import models


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
