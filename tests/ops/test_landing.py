"""The landing page: each part of the place at a glance, the worst first, and acts on incidents."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client

from ops.choices import Health
from ops.models import AuditEvent, Incident, IncidentUpdate, ProbeSample
from ops.registry import Face, Tile, add_tile
from ops.services.incidents import close_incident, open_incident
from tests.cast import sam_of_the_staff
from tests.deliveries import NOON
from tests.ops.registered import tiles_put_back

pytestmark = pytest.mark.usefixtures("at_noon")


@pytest.fixture(autouse=True)
def tiles_as_they_were() -> Iterator[None]:
    with tiles_put_back():
        yield


def staff_who_may(*permissions: str) -> Client:
    """The browser of somebody of the staff with no more than these rights."""
    return sam_of_the_staff(*permissions).browser


def tiles_of(browser: Client) -> list[tuple[str, str]]:
    body = browser.get("/admin/").content.decode()
    found = re.findall(r'<li class="tile is-(\w+)">\s*<h3>(?:<a[^>]*>)?([^<]+)', body)
    return [(title.strip(), health) for health, title in found]


def stood(name: str, health: Health, words: str = "Words.", **figures: float) -> None:
    ProbeSample.objects.create(component=name, at=NOON, health=health, words=words, figures=figures)


def test_the_worst_is_first_and_what_is_known_to_be_bad_goes_before_what_is_not_known(
    operator: Client,
) -> None:
    stood("disk", Health.DOWN)
    stood("books", Health.DEGRADED)
    stood("queue", Health.WELL)
    stood("clock", Health.WELL)

    told = tiles_of(operator)

    assert told[:2] == [("Disk", "down"), ("Books", "degraded")]
    assert told[-3:] == [("Incidents", "well"), ("Clock and workers", "well"), ("Queue", "well")]
    assert {health for _, health in told[2:-3]} == {"unknown"}


def test_each_tile_has_words_and_a_chart_with_a_title(operator: Client) -> None:
    stood("queue", Health.WELL, "3 waiting.", queue_length=3)

    body = operator.get("/admin/").content.decode()

    assert "<p>3 waiting.</p>" in body
    assert "<title>Queue, last 24 hours: messages waiting, between 3 and 3</title>" in body


def raising() -> Face:
    raise LookupError("Emma Brown")


def breaking_the_transaction() -> Face:
    with connection.cursor() as cursor:
        cursor.execute("SELECT no_such_column")
    return Face(Health.WELL, "")


@pytest.mark.parametrize(
    ("tell", "error"),
    [(raising, "LookupError"), (breaking_the_transaction, "ProgrammingError")],
)
def test_a_tile_that_cannot_be_told_is_unknown_and_the_others_are_shown(
    operator: Client, tell: Callable[[], Face], error: str
) -> None:
    add_tile(Tile("backups", "Backups", tell))

    answer = operator.get("/admin/")

    assert answer.status_code == 200
    body = answer.content.decode()
    assert f"It cannot be told: {error}." in body
    assert "Emma Brown" not in body
    assert ("Incidents", "well") in tiles_of(operator)


def test_a_tile_takes_the_place_of_the_probe_of_its_name(operator: Client) -> None:
    add_tile(Tile("disk", "Disks", lambda: Face(Health.WELL, "All fine.")))
    told = tiles_of(operator)
    assert ("Disks", "well") in told
    assert "Disk" not in [title for title, _ in told]


def test_a_tile_with_an_address_leads_there_and_a_wrong_one_leads_nowhere(
    operator: Client,
) -> None:
    add_tile(Tile("a", "Here", lambda: Face(Health.WELL, "", address="admin:ops_state")))
    add_tile(Tile("b", "Nowhere", lambda: Face(Health.WELL, "", address="admin:no_such_page")))
    body = operator.get("/admin/").content.decode()
    assert '<a href="/admin/ops/state/">Here</a>' in body
    assert "<h3>Nowhere <span" in body


def test_who_lacks_the_permission_is_not_shown_the_tile() -> None:
    browser = staff_who_may("ops.view_incident")
    titles = [title for title, _ in tiles_of(browser)]
    assert "Incidents" in titles
    assert "Alerts" not in titles
    assert "Files" not in titles


def test_the_list_of_applications_stands_below(operator: Client) -> None:
    body = operator.get("/admin/").content.decode()
    assert body.index("State of the place") < body.index('id="content-main"')


def test_the_whole_state_is_for_those_who_may_see_it(nurse: Client) -> None:
    may_not = staff_who_may("ops.view_incident")
    assert may_not.get("/admin/ops/state/").status_code == 403
    assert nurse.get("/admin/ops/state/", follow=True).status_code == 403
    User.objects.filter(username="staff").delete()
    stood("queue", Health.WELL, "3 waiting.", queue_length=3)

    body = staff_who_may("ops.view_probesample").get("/admin/ops/state/").content.decode()

    assert "<dt>queue length</dt><dd>3</dd>" in body


# --- incidents -----------------------------------------------------------------------------

NEW = {"component": "queue", "title": "Stuck", "words": "It grows.", "is_public": "on"}


def test_an_operator_opens_an_incident_and_is_told_what_strangers_read(operator: Client) -> None:
    form = operator.get("/admin/ops/incident/open/").content.decode()
    assert "no patient and nothing that tells of one" in form

    operator.post("/admin/ops/incident/open/", NEW)

    incident = Incident.objects.get()
    (said,) = incident.updates.all()
    told = (incident.component, incident.title, incident.opened_by, said.words, said.is_public)
    assert told == ("queue", "Stuck", "operator", "It grows.", True)
    assert AuditEvent.objects.get().who == "operator"


def test_words_are_not_public_unless_it_is_asked_for(operator: Client) -> None:
    operator.post("/admin/ops/incident/open/", {**NEW, "is_public": ""})
    assert IncidentUpdate.objects.get().is_public is False


def test_without_words_nothing_is_opened(operator: Client) -> None:
    answer = operator.post("/admin/ops/incident/open/", {**NEW, "words": " "})
    assert answer.status_code == 200
    assert Incident.objects.count() == 0


def test_an_incident_is_updated_and_closed_with_words(operator: Client) -> None:
    incident = open_incident(component="queue", title="Stuck", words="It grows.")
    address = f"/admin/ops/incident/{incident.pk}"
    assert "Say more of it" in operator.get(f"{address}/change/").content.decode()

    operator.post(f"{address}/update/", {"words": "We look.", "is_public": "on"})
    operator.post(f"{address}/close/", {"words": "Over."})

    incident.refresh_from_db()
    assert incident.status == "closed"
    assert [(one.by, one.words, one.is_public) for one in incident.updates.all()] == [
        ("vigil", "It grows.", False),
        ("operator", "We look.", True),
        ("operator", "Over.", False),
    ]
    assert "Say more of it" not in operator.get(f"{address}/change/").content.decode()


def test_of_a_closed_incident_nothing_more_is_said(operator: Client) -> None:
    incident = open_incident(component="queue", title="Stuck", words="It grows.")
    close_incident(incident, words="Over.", by="olga")

    answer = operator.post(
        f"/admin/ops/incident/{incident.pk}/update/", {"words": "More."}, follow=True
    )

    assert "The incident is closed already" in answer.content.decode()
    assert incident.updates.count() == 2


def test_who_may_only_look_opens_and_closes_nothing() -> None:
    incident = open_incident(component="queue", title="Stuck", words="It grows.")
    browser = staff_who_may("ops.view_incident")

    shown = browser.get(f"/admin/ops/incident/{incident.pk}/change/").content.decode()
    refused = [
        browser.post("/admin/ops/incident/open/", {**NEW, "title": "Another"}),
        browser.post(f"/admin/ops/incident/{incident.pk}/update/", {"words": "More."}),
        browser.post(f"/admin/ops/incident/{incident.pk}/close/", {"words": "Over."}),
        browser.post(f"/admin/ops/incident/{incident.pk}/delete/", {"post": "yes"}),
    ]

    assert "It grows." in shown
    assert "Say more of it" not in shown
    assert [answer.status_code for answer in refused] == [403] * 4
    assert Incident.objects.get().status == "open"
    assert IncidentUpdate.objects.count() == 1


@pytest.mark.parametrize("key", ["0", "x", "99999999999999999999"])
def test_an_incident_that_is_not_there_is_not_found(operator: Client, key: str) -> None:
    assert operator.get(f"/admin/ops/incident/{key}/close/").status_code == 404


def test_the_time_of_what_is_not_known_is_told(operator: Client) -> None:
    ProbeSample.objects.create(
        component="queue", at=NOON - timedelta(hours=2), health=Health.WELL, words="Fine."
    )
    body = operator.get("/admin/").content.decode()
    assert "Not asked since. Found then: Fine." in body
    assert "As of 11:00 CET, 20 Mar." in body
