"""What the tests of deploying do again and again: deploy, roll back, and be refused."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from ops.errors import OpsError
from ops.models import Deployment
from ops.services import rolling_back
from ops.services.deploying import deploy
from tests.deploying.places import Place


def quiet(_: str) -> None:
    """Say nothing."""


def deployed(place: Place, **asked: Any) -> Deployment:
    """Deploy what lies in the work tree."""
    return deploy(place.ask(**asked), say=quiet, tell=place.tell)


def refusal(place: Place, kind: type[OpsError], **asked: Any) -> str:
    """Deploy, and give the words with which that is refused or failed."""
    with pytest.raises(kind) as failed:
        deployed(place, **asked)
    assert failed.type is kind
    return str(failed.value)


def to_go_back(place: Place, **more: Any) -> rolling_back.Asked:
    """Ask for the way back."""
    asked = {"stage": place.stage, "by": "olga", "why": "It failed.", "watch": timedelta(0)}
    return rolling_back.Asked(**{**asked, **more})


def rolled_back(place: Place, **asked: Any) -> Deployment:
    """Roll back."""
    return rolling_back.roll_back(to_go_back(place, **asked), say=quiet, tell=place.tell)
