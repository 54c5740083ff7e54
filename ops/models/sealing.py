"""The chain of seals over the trail, and what came of holding the trail against it.

What a seal holds lies outside the database; here is which event is in which seal.
"""

from __future__ import annotations

from django.db import models

from ops.models.audit import AuditEvent


class AuditSeal(models.Model):
    """One sealed batch of the trail. Written by `ops.services.sealing`; never changed.

    `hash` is that of the object's bytes, which begin with `previous`: no earlier seal can be
    exchanged without all later ones.
    """

    number = models.BigIntegerField(primary_key=True)
    hash = models.CharField(max_length=64, unique=True)
    previous = models.CharField(max_length=64, blank=True)
    count = models.PositiveIntegerField()
    at = models.DateTimeField()
    place = models.CharField(max_length=255, help_text="The object's name in the seals' storage.")

    class Meta:
        ordering = ["-number"]
        indexes = [models.Index(fields=["-at"], name="seals_by_time")]

    def __str__(self) -> str:
        return f"seal {self.number}"


class SealedEvent(models.Model):
    """That an event is in a seal, and where. Written with the seal; never changed."""

    event = models.OneToOneField(
        AuditEvent, on_delete=models.PROTECT, primary_key=True, related_name="sealed"
    )
    seal = models.ForeignKey(
        AuditSeal, on_delete=models.PROTECT, related_name="events", db_index=False
    )
    position = models.PositiveIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["seal", "position"], name="a_place_in_a_seal_is_taken_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.seal_id}/{self.position}"


class AuditVerification(models.Model):
    """One holding of the trail against its seals. Written by `ops.services.verifying`.

    `newest` and `newest_hash` remember the end of the chain as it was: a chain that is shorter
    later was cut.
    """

    at = models.DateTimeField()
    by = models.CharField(max_length=150)
    scope = models.CharField(max_length=64, help_text="Which part was looked at.")
    seals = models.PositiveIntegerField()
    events = models.PositiveBigIntegerField()
    findings = models.PositiveIntegerField()
    words = models.JSONField(default=list, blank=True, help_text="The first of the findings.")
    oldest = models.BigIntegerField(null=True, blank=True, help_text="The first seal looked at.")
    newest = models.BigIntegerField(null=True, blank=True, help_text="The last one.")
    newest_hash = models.CharField(max_length=64, blank=True)

    class Meta:
        ordering = ["-at", "-id"]
        indexes = [models.Index(fields=["-at"], name="verifications_by_time")]

    def __str__(self) -> str:
        return f"{self.findings} findings in {self.seals} seals"


class AuditReview(models.Model):
    """A security officer's word that the trail of a period was looked through; never changed.

    Holds how the trail stood at that moment, so that nobody signs for more than could be known.
    """

    period_from = models.DateTimeField()
    period_to = models.DateTimeField()
    signed_at = models.DateTimeField()
    signed_by = models.CharField(max_length=150)
    note = models.TextField()
    events = models.PositiveBigIntegerField(help_text="How many events the period has on record.")
    unsealed = models.PositiveBigIntegerField(help_text="How many of them were not yet sealed.")
    verification = models.ForeignKey(
        AuditVerification, null=True, blank=True, on_delete=models.PROTECT, related_name="reviews"
    )
    state = models.TextField(help_text="How the trail stood, in words.")

    class Meta:
        ordering = ["-signed_at", "-id"]
        permissions = [("sign_auditreview", "Can sign a review of the audit trail")]

    def __str__(self) -> str:
        return f"{self.period_from:%Y-%m-%d} to {self.period_to:%Y-%m-%d} by {self.signed_by}"


class AuditArchive(models.Model):
    """That the events of some seals have left the table for good. Written by
    `ops.services.archiving`; never changed. Their seals are then held against storage alone.
    """

    first_seal = models.BigIntegerField()
    last_seal = models.BigIntegerField()
    events = models.PositiveBigIntegerField()
    at = models.DateTimeField()
    by = models.CharField(max_length=150)
    why = models.TextField()

    class Meta:
        ordering = ["-last_seal"]

    def __str__(self) -> str:
        return f"seals {self.first_seal} to {self.last_seal}"


# Which the database guards against change, deletion and truncation, by triggers of our own: those
# of the package that guards other tables can be switched off by any session.
GUARDED = (
    "ops_auditevent",
    "ops_auditseal",
    "ops_sealedevent",
    "ops_auditverification",
    "ops_auditreview",
    "ops_auditarchive",
)
GUARDS = ("trail_is_append_only", "trail_is_not_truncated")
# What both call, and what it does, as the migration made it: another body guards nothing.
GUARDING = "ops_keep_the_trail"
GUARDING_BODY = """
DECLARE
    has_rows boolean := true;
BEGIN
    IF TG_OP = 'TRUNCATE' THEN
        EXECUTE format('SELECT EXISTS (SELECT FROM %I.%I)', TG_TABLE_SCHEMA, TG_TABLE_NAME)
            INTO has_rows;
    END IF;
    IF has_rows THEN
        RAISE EXCEPTION 'the audit trail is append-only: % of % is refused', TG_OP, TG_TABLE_NAME;
    END IF;
    RETURN NULL;
END;
"""
