"""What happens to second factors goes onto the audit trail, whoever does it; never a secret."""

from __future__ import annotations

from typing import Any

from allauth.mfa import signals
from django.db import transaction
from django.dispatch import receiver
from django.http import HttpRequest

from hospital.secondfactor import count_as_shown
from ops import audit


@receiver(signals.authenticator_added)
def note_added(request: HttpRequest, user: Any, authenticator: Any, **_: Any) -> None:
    """Enrolment: on the trail, and shown by who did it."""
    count_as_shown(request, authenticator=authenticator)
    _note("second_factor.added", user, authenticator)


@receiver(signals.authenticator_removed)
def note_removed(user: Any, authenticator: Any, **_: Any) -> None:
    """Removal by the person itself."""
    _note("second_factor.removed", user, authenticator)


@receiver(signals.authenticator_reset)
def note_renewed(user: Any, authenticator: Any, **_: Any) -> None:
    """Recovery codes made anew."""
    _note("second_factor.renewed", user, authenticator)


@receiver(signals.authentication_failed)
def note_refused(user: Any, authenticator: Any, **_: Any) -> None:
    """A wrong code after a right password: somebody may know the password."""
    _note("second_factor.refused", user, authenticator)


def _note(act: str, user: Any, authenticator: Any) -> None:
    with transaction.atomic():
        audit.record(
            act,
            by=user.get_username(),
            kind="user",
            key=user.pk,
            details={"factor": str(authenticator.type)},
        )
