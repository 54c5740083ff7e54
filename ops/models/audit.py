"""The trail of what people did.

Knows no other application's models: whatever was acted on is named by its kind and key.
"""

from __future__ import annotations

import pgtrigger
from django.db import models
from django.db.models import Q


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
