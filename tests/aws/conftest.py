"""One stage on an emulated AWS for all tests of this folder: making it takes a minute or two."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.aws.stage import PYTHON, DevStage, clone_of, dev_stage, require_tools

TRANSCRIPT = Path(__file__).resolve().parents[2] / ".cache" / "reports" / "journey.txt"


@pytest.fixture(scope="session")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DevStage]:
    """The stage dev, with everything but its functions; what is deployed is a clone of the code."""
    require_tools()
    folder = tmp_path_factory.mktemp("aws")
    try:
        code = clone_of(PYTHON.parents[2], folder / "code")
        with dev_stage(folder, code=code) as made:
            yield made
            TRANSCRIPT.parent.mkdir(parents=True, exist_ok=True)
            TRANSCRIPT.write_text("\n".join(made.transcript))
    finally:
        shutil.rmtree(folder / "emulator", ignore_errors=True)
