"""A release is brought to a stage: every step on record, and back by itself if one fails."""

from __future__ import annotations

from typing import Any

import pytest

from ops.errors import DeployFailed
from ops.models import AuditEvent, Deployment, Incident
from ops.services.deploying import deploy, rehearse
from tests.deploying.places import FRONTEND, RELEASES, Place

STEPS = [
    "checklist-before", "package", "migration-plan", "backup-point", "static-files", "migrate",
    "functions", "settle", "frontend", "what-runs", "smoke", "checklist-during", "checklist-after",
]  # fmt: skip


def quiet(_: str) -> None:
    """Say nothing."""


def deployed(place: Place, **asked: Any) -> Deployment:
    return deploy(place.ask(**asked), say=quiet, tell=place.tell)


def refused(place: Place, **asked: Any) -> str:
    with pytest.raises(DeployFailed) as failed:
        deployed(place, **asked)
    return str(failed.value)


def test_a_first_deployment_ends_with_code_files_and_every_step_on_record(place: Place) -> None:
    deployment = deployed(place)

    assert place.codes() == {"one"}
    assert place.served("app/assets/index-one.js") == b"board('one')"
    assert place.served("app/vigil.svg") == b"<svg>one</svg>"
    assert f"releases/{place.release}.json" in place.keys(RELEASES) & place.keys(FRONTEND)
    assert (deployment.status, deployment.version) == ("succeeded", "0.1.0")
    assert deployment.backup_point.startswith("point-")
    assert list(deployment.steps.values_list("name", flat=True)) == STEPS
    assert {each["outcome"] for each in deployment.smoke} == {"passed"}
    acts = ["deployment.planned", "deployment.begun", "deployment.succeeded"]
    assert (
        list(AuditEvent.objects.filter(act__in=acts).order_by("pk").values_list("act", flat=True))
        == acts
    )


def test_a_failing_smoke_test_brings_code_and_board_of_before_back(place: Place) -> None:
    deployed(place)
    place.write("two")
    place.is_broken = {"two"}

    words = refused(place)

    assert words.startswith("It failed at smoke: alive: /livez answers 500.")
    assert "It went back to 0.1.0." in words
    assert place.codes() == {"one"}
    assert place.served("app/vigil.svg") == b"<svg>one</svg>"
    # A board that is open since then still finds what it asks for.
    assert place.served("app/assets/index-two.js") == b"board('two')"
    back, failed, _ = Deployment.objects.all()
    assert (failed.status, failed.rolled_back_by) == ("rolled_back", back)
    assert (back.status, back.rolls_back) == ("succeeded", failed)
    assert Incident.objects.get(component="deployment").status == "open"


def test_a_rehearsal_shows_every_step_and_changes_nothing(place: Place) -> None:
    deployed(place)
    place.write("two")
    place.told.clear()
    before = (place.keys(RELEASES), place.keys(FRONTEND), AuditEvent.objects.count())

    rehearse(place.ask(), say=quiet, tell=place.tell)

    assert [came.name for came in place.told] == [*STEPS, "finish"]
    assert place.outcome("static-files")[1] == "Add 3 of 3 static files; delete none."
    assert (place.keys(RELEASES), place.keys(FRONTEND), AuditEvent.objects.count()) == before
    assert Deployment.objects.count() == 1
    assert place.codes() == {"one"}
