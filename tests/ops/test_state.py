"""The command that asks every component, and jobs that fail."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator

import pytest
from celery import shared_task
from django.core.management import CommandError, call_command

from ops.choices import Health
from ops.models import AuditEvent, Incident, ProbeSample
from ops.registry import Finding, Probe, add_probe
from tests.ops.registered import no_other_components

pytestmark = pytest.mark.usefixtures("at_noon")


@pytest.fixture(autouse=True)
def two_components() -> Iterator[None]:
    empty = Finding(Health.WELL, "Empty.", {"queue_length": 0})
    with no_other_components():
        add_probe(Probe("queue", "Queue", lambda: empty))
        add_probe(Probe("books", "Books", lambda: Finding(Health.UNKNOWN, "Not yet.")))
        yield


def test_each_component_is_told_and_nothing_is_written() -> None:
    said = io.StringIO()
    call_command("state", stdout=said)
    lines = [line.strip() for line in said.getvalue().splitlines()]
    assert lines == ["Books  Unknown   Not yet.", "Queue  Well      Empty."]
    assert ProbeSample.objects.count() == 0


def test_it_fails_if_one_is_down_and_names_it() -> None:
    add_probe(Probe("disk", "Disk", lambda: Finding(Health.DOWN, "Full.")))
    said = io.StringIO()
    with pytest.raises(CommandError, match=r"Down: disk\."):
        call_command("state", "--json", stdout=said)
    assert json.loads(said.getvalue())["disk"] == {
        "health": "down",
        "words": "Full.",
        "figures": {},
    }


@shared_task(name="tests.a_job")
def a_job() -> None:
    raise LookupError("Emma Brown")


def test_a_job_that_fails_is_an_incident_once_and_its_error_s_text_is_not_told() -> None:
    a_job.apply()
    a_job.apply()

    incident = Incident.objects.get()
    (said,) = incident.updates.all()
    assert (incident.component, incident.title) == ("workers", "A job failed: tests.a_job")
    assert said.words.startswith("It ended with LookupError.")
    assert "Emma" not in said.words
    assert said.is_public is False
    assert AuditEvent.objects.count() == 1
