"""The trail of what people did and of what they looked at.

Knows no other application's models: whatever was acted on is named by its kind and key.
"""

from __future__ import annotations

import pgtrigger
from django.db import models
from django.db.models import Q

from ops.choices import EventKind


class AuditEvent(models.Model):
    """One act of one person, or one look. Written by `ops.audit` alone, with the act or before the
    answer; never changed.

    Holds no name and no number of a patient: `object_key` and `patient` are keys of our own. `why`
    is the person's own sentence. `once` is set where a look counts once in a while: two requests
    at the same instant cannot both write it.
    """

    at = models.DateTimeField()
    kind = models.CharField(
        max_length=8, choices=EventKind.choices, default=EventKind.ACT, db_default=EventKind.ACT
    )
    who = models.CharField(max_length=150)
    user_key = models.CharField(
        max_length=64,
        blank=True,
        default="",
        db_default="",
        help_text="The key of the user, who may be renamed; none where no user signed in.",
    )
    act = models.CharField(max_length=64, help_text="For example rejected_row.dismissed.")
    object_kind = models.CharField(max_length=64)
    object_key = models.CharField(max_length=64)
    patient = models.UUIDField(null=True, blank=True)
    why = models.TextField(blank=True, default="")
    details = models.JSONField(default=dict, blank=True)
    from_where = models.CharField(max_length=64, blank=True, default="", db_default="")
    request_id = models.CharField(max_length=64, blank=True, default="")
    once = models.CharField(max_length=128, blank=True, default="", db_default="")

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="an_act_names_who_and_what", condition=~Q(who="") & ~Q(act="")
            ),
            models.UniqueConstraint(
                fields=["once"], condition=~Q(once=""), name="a_look_counts_once_a_while"
            ),
        ]
        indexes = [
            models.Index(fields=["object_kind", "object_key", "-at"], name="acts_on_an_object"),
            models.Index(fields=["-at"], name="acts_by_time"),
            models.Index(fields=["who", "-at"], name="acts_of_a_person"),
            models.Index(
                fields=["patient", "-at"],
                condition=Q(patient__isnull=False),
                name="who_came_to_a_patient",
            ),
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
