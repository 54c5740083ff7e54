"""A security officer's signature under a period of the trail.

Knows what must be said with it: how far the period was sealed, and what was found at last.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.utils import timezone

from ops import audit
from ops.errors import OpsError
from ops.models import AuditEvent, AuditReview, AuditVerification
from ops.services.vouching import REVIEWED, what_a_review_says


class NotSigned(OpsError):
    """Nothing was signed, and why."""


@dataclass(frozen=True)
class Standing:
    """How a period of the trail stands: what a signature would be given for."""

    events: int
    unsealed: int
    verification: AuditVerification | None

    @property
    def words(self) -> str:
        """Say it in sentences, for the page and for the record."""
        sealed = f"{self.events} events are on record, {self.unsealed} of them not yet sealed."
        if self.verification is None:
            return f"{sealed} The trail was never verified."
        told = timezone.localtime(self.verification.at)
        return (
            f"{sealed} The last verification ({self.verification.scope}), of"
            f" {told:%Y-%m-%d %H:%M %Z}, had {self.verification.findings or 'no'} findings."
        )


def standing_of(period_from: datetime, period_to: datetime) -> Standing:
    """Say how a period stands now; its end is not part of it."""
    events = AuditEvent.objects.filter(at__gte=period_from, at__lt=period_to)
    return Standing(
        events.count(),
        events.filter(sealed__isnull=True).count(),
        AuditVerification.objects.order_by("-pk").first(),
    )


def sign_review(period_from: datetime, period_to: datetime, *, by: str, note: str) -> AuditReview:
    """Sign that the trail of a period was looked through. Raises NotSigned.

    How the period stands is kept with it as it is at this moment, findings included: to sign is to
    have looked, not to vouch for more.
    """
    if not by.strip() or not note.strip():
        raise NotSigned("Say who signs and what was looked at. Nothing was signed.")
    now = timezone.now()
    if not period_from < period_to <= now:
        raise NotSigned("A period begins before its end and has passed. Nothing was signed.")
    with transaction.atomic():
        standing = standing_of(period_from, period_to)
        review = AuditReview.objects.create(
            period_from=period_from,
            period_to=period_to,
            signed_at=now,
            signed_by=by,
            note=note.strip(),
            events=standing.events,
            unsealed=standing.unsealed,
            verification=standing.verification,
            state=standing.words,
        )
        audit.record(
            REVIEWED,
            by=by,
            kind="audit review",
            key=review.pk,
            why=review.note,
            details=what_a_review_says(review),
        )
    return review
