"""Incidents: one of a kind is open at a time, and each step is on the audit trail."""

from __future__ import annotations

import pytest

from ops.errors import IncidentClosed
from ops.models import AuditEvent, Incident, IncidentUpdate
from ops.services.incidents import close_incident, open_incident, update_incident
from tests.deliveries import NOON

pytestmark = pytest.mark.usefixtures("at_noon")


def acts() -> list[tuple[str, str, str]]:
    trail = AuditEvent.objects.order_by("pk")
    return [(event.act, event.who, event.object_key) for event in trail]


def said(incident: Incident) -> list[tuple[str, str, bool]]:
    return [(one.by, one.words, one.is_public) for one in incident.updates.all()]


def test_an_incident_is_opened_with_its_first_words_and_an_audit_line() -> None:
    incident = open_incident(component="backups", title="The dump failed", words="Disk full.")

    told = (incident.status, incident.opened_at, incident.opened_by, incident.closed_at)
    assert told == ("open", NOON, "vigil", None)
    assert said(incident) == [("vigil", "Disk full.", False)]
    assert acts() == [("incident.opened", "vigil", str(incident.pk))]


def test_the_same_incident_is_not_opened_twice_and_nothing_is_added() -> None:
    first = open_incident(component="backups", title="The dump failed", words="Disk full.")
    second = open_incident(component="backups", title="The dump failed", words="Again.")

    assert second.pk == first.pk
    assert IncidentUpdate.objects.count() == 1
    assert len(acts()) == 1


def test_once_closed_the_same_kind_is_opened_anew() -> None:
    first = open_incident(component="backups", title="The dump failed", words="Disk full.")
    close_incident(first, words="Disk added.", by="olga")

    second = open_incident(component="backups", title="The dump failed", words="Full again.")

    assert second.pk != first.pk
    assert [one.status for one in Incident.objects.order_by("pk")] == ["closed", "open"]


def test_updates_and_the_end_are_said_by_name_and_audited() -> None:
    incident = open_incident(component="queue", title="Stuck", words="It grows.")
    update_incident(incident, words="We look.", by="olga", is_public=True)
    close_incident(incident, words="Worker restarted.", by="olga")

    assert (incident.status, incident.closed_at) == ("closed", NOON)
    assert said(incident) == [
        ("vigil", "It grows.", False),
        ("olga", "We look.", True),
        ("olga", "Worker restarted.", False),
    ]
    assert [act for act, _, _ in acts()] == [
        "incident.opened",
        "incident.updated",
        "incident.closed",
    ]


def test_a_closed_incident_is_neither_updated_nor_closed_again() -> None:
    incident = open_incident(component="queue", title="Stuck", words="It grows.")
    close_incident(incident, words="Over.", by="olga")

    with pytest.raises(IncidentClosed):
        update_incident(incident, words="More.", by="olga")
    with pytest.raises(IncidentClosed):
        close_incident(incident, words="Once more.", by="olga")

    assert len(said(incident)) == 2
    assert len(acts()) == 2
