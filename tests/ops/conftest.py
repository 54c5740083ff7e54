"""What the tests of the operators' room share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.ops.seals import a_storage


@pytest.fixture
def seals(tmp_path: Path) -> Iterator[Path]:
    """The folder in which this test's seals are kept."""
    with a_storage(tmp_path / "seals") as folder:
        yield folder
