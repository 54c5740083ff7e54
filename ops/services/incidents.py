"""Incidents of the place: opened, told of and closed, each with its line on the audit trail.

Words that are public are read by strangers: neither patients nor machines are named in them.
"""

from __future__ import annotations

from django.db import IntegrityError, transaction
from django.utils import timezone

from ops import audit
from ops.choices import IncidentStatus
from ops.errors import IncidentClosed
from ops.models import Incident, IncidentUpdate

BY_ITSELF = "vigil"
_OPEN = {"status": IncidentStatus.OPEN}


def open_incident(
    *, component: str, title: str, words: str, by: str = BY_ITSELF, is_public: bool = False
) -> Incident:
    """Open an incident, or give the one of this component and title that is open already.

    The second time nothing is added: what fails each minute must not fill a page.
    """
    try:
        with transaction.atomic():
            return _open(component, title, words, by, is_public)
    except IntegrityError:
        # Somebody was first, between our look and our writing.
        return Incident.objects.get(component=component, title=title, **_OPEN)


def _open(component: str, title: str, words: str, by: str, is_public: bool) -> Incident:
    there = Incident.objects.filter(component=component, title=title, **_OPEN)
    if (found := there.first()) is not None:
        return found
    incident = Incident.objects.create(
        component=component, title=title, opened_at=timezone.now(), opened_by=by
    )
    _say(incident, words=words, by=by, is_public=is_public)
    details = {"component": component, "is_public": is_public}
    audit.record("incident.opened", by=by, kind="incident", key=incident.pk, details=details)
    return incident


def update_incident(
    incident: Incident, *, words: str, by: str, is_public: bool = False
) -> IncidentUpdate:
    """Say something more of an open incident. Raises IncidentClosed."""
    with transaction.atomic():
        if not Incident.objects.select_for_update().filter(pk=incident.pk, **_OPEN).exists():
            raise IncidentClosed
        said = _say(incident, words=words, by=by, is_public=is_public)
        details = {"is_public": is_public}
        audit.record("incident.updated", by=by, kind="incident", key=incident.pk, details=details)
        return said


def close_incident(incident: Incident, *, words: str, by: str, is_public: bool = False) -> None:
    """Close an incident, saying what came of it. Raises IncidentClosed.

    Strangers who were told of it see that it is over, also where the last words are not for them.
    """
    with transaction.atomic():
        closed = Incident.objects.filter(pk=incident.pk, **_OPEN).update(
            status=IncidentStatus.CLOSED, closed_at=timezone.now()
        )
        if not closed:
            raise IncidentClosed
        _say(incident, words=words, by=by, is_public=is_public)
        details = {"is_public": is_public}
        audit.record("incident.closed", by=by, kind="incident", key=incident.pk, details=details)
    incident.refresh_from_db()


def _say(incident: Incident, *, words: str, by: str, is_public: bool) -> IncidentUpdate:
    return IncidentUpdate.objects.create(
        incident=incident, at=timezone.now(), by=by, words=words, is_public=is_public
    )
