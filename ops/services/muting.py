"""A muted place takes nothing in and tells nobody: two copies of a hospital must not both act."""

from __future__ import annotations

from django.db import transaction
from django.utils import timezone

from ops import audit
from ops.errors import PlaceMuted
from ops.models import Muting


def mute(*, by: str, why: str) -> Muting:
    """Mute the place; where it is muted already, it stays as it was."""
    with transaction.atomic():
        muting = Muting.objects.filter(ended_at__isnull=True).first()
        if muting is None:
            muting = Muting.objects.create(muted_at=timezone.now(), muted_by=by, why=why)
            audit.record("place.muted", by=by, kind="place", key=muting.pk, why=why)
    return muting


def unmute(*, by: str, why: str) -> bool:
    """Let the place act again. Returns whether it was muted."""
    with transaction.atomic():
        ended = Muting.objects.filter(ended_at__isnull=True).update(
            ended_at=timezone.now(), ended_by=by
        )
        if ended:
            audit.record("place.unmuted", by=by, kind="place", key="this", why=why)
    return bool(ended)


def require_acting() -> None:
    """Refuse to act in a muted place. Raises PlaceMuted."""
    if is_muted():
        raise PlaceMuted(
            "This place is muted, since it was restored, and acts on nothing: manage.py unmute,"
            " if it is the one to be used."
        )


def is_muted() -> bool:
    """Tell whether the place must not act."""
    return Muting.objects.filter(ended_at__isnull=True).exists()
