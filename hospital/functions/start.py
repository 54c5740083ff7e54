"""The cold start that the three functions share: the stage's configuration, then Django."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hospital import surroundings
from ops.aws.functions import ROLL_CALL

Event = Mapping[str, Any]


class EventNotKnown(Exception):
    """An event that this function does not serve. AWS keeps it, and somebody sees it."""


def start(*, answers_people: bool = False) -> None:
    """Load the configuration and set Django up; once in a process."""
    name = os.environ.get("AWS_LAMBDA_FUNCTION_NAME", "")
    if name:
        # The package's folder cannot be written.
        os.environ.setdefault("HOSPITAL_DATA_DIR", "/tmp/vigil")
        task = _task()
        os.environ.setdefault("HOSPITAL_STATIC_ROOT", str(task / "static-root"))
        commit = task / "commit"
        if commit.is_file():
            os.environ.setdefault("HOSPITAL_COMMIT", commit.read_text().strip())
        stage = surroundings.stage_of_function(name)
        surroundings.load(stage, answers_people=answers_people)
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "hospital.settings")
    import django
    from django.apps import apps

    if not apps.ready:
        django.setup()


def roll_call(event: Event) -> dict[str, str] | None:
    """Answer `manage.py afterdeploy`, which asks each function what it runs; else nothing."""
    if event != ROLL_CALL:
        return None
    from django.conf import settings

    told = {"commit": settings.COMMIT, "stage": settings.STAGE}
    changed = _task() / "changed"
    return told | {"changed": changed.read_text().strip()} if changed.is_file() else told


def _task() -> Path:
    """Where the package lies."""
    return Path(os.environ.get("LAMBDA_TASK_ROOT") or Path(__file__).parents[2])


def is_tick(event: Event) -> bool:
    """Tell whether the clock of AWS sent it."""
    return isinstance(event, Mapping) and event.get("detail-type") == "Scheduled Event"
