"""What the tests of deploying share: a stage on AWS, its checklists, and where its backups lie."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ops.smoke import CHECKS
from tests.deploying.places import Place, a_place
from tests.ops.checks import items
from tests.ops.places import kept_place
from tests.ops.seals import a_storage


@pytest.fixture
def place(tmp_path: Path, transactional_db: None) -> Iterator[Place]:
    """The stage dev, on which nothing runs yet; its checklists are empty."""
    with kept_place(tmp_path), a_place(tmp_path) as found, items():
        yield found


@pytest.fixture(autouse=True)
def strangers_checks_alone() -> Iterator[None]:
    """What answers at the stage's address has no people, whom the journey would need."""
    journey = CHECKS.pop("journey", None)
    yield
    if journey is not None:
        CHECKS["journey"] = journey


@pytest.fixture
def seals(tmp_path: Path) -> Iterator[Path]:
    """The folder in which this test's seals are kept."""
    with a_storage(tmp_path / "seals") as folder:
        yield folder
