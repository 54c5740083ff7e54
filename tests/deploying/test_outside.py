"""A check from outside that could not run has shown nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ops.choices import Stage, StepOutcome
from ops.errors import DeployFailed
from ops.services.outside import require_passed
from ops.smoke import CHECKS, SmokeCheck, SmokeNotRun, add_check
from tests.deploying.acts import deployed, refusal
from tests.deploying.places import Place, a_place
from tests.ops.checks import items
from tests.ops.places import kept_place

ALIVE = SmokeCheck("alive", StepOutcome.PASSED, 0.1, "It is.")
NOT_RUN = SmokeCheck("journey", StepOutcome.NOT_RUN, 0.0, "Nobody may sign in.")
FAILED = SmokeCheck("ready", StepOutcome.FAILED, 0.1, "/readyz answers 500.")
STAGES = [Stage.DEVELOPMENT, Stage.STAGING, Stage.PRODUCTION]


def told(*done: SmokeCheck, stage: str) -> str:
    return require_passed(done, "https://vigil.example", stage=stage)


@pytest.mark.parametrize("stage", STAGES)
def test_all_that_passed_are_counted(stage: str) -> None:
    assert told(ALIVE, ALIVE, stage=stage) == "All 2 checks of https://vigil.example passed."


@pytest.mark.parametrize("stage", STAGES)
def test_one_that_failed_fails_everywhere(stage: str) -> None:
    with pytest.raises(DeployFailed, match=r"^ready: /readyz answers 500\.$"):
        told(ALIVE, NOT_RUN, FAILED, stage=stage)


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("done", [(NOT_RUN, NOT_RUN), ()], ids=["not run", "none"])
def test_where_none_ran_nothing_passed(done: tuple[SmokeCheck, ...], stage: str) -> None:
    with pytest.raises(DeployFailed, match=r"^No check ran, so that nobody knows"):
        told(*done, stage=stage)


def test_on_dev_what_did_not_run_is_told_by_its_name() -> None:
    assert told(ALIVE, NOT_RUN, stage=Stage.DEVELOPMENT) == (
        "1 of 2 checks of https://vigil.example passed; not run: journey: Nobody may sign in."
    )


@pytest.mark.parametrize("stage", STAGES[1:])
def test_elsewhere_what_did_not_run_stops(stage: str) -> None:
    with pytest.raises(DeployFailed, match=r"Not run: journey: Nobody may sign in\.$"):
        told(ALIVE, NOT_RUN, stage=stage)


@pytest.fixture
def unable() -> Iterator[None]:
    """One check more, which cannot run."""

    def unable(_: str) -> str:
        raise SmokeNotRun("Nobody may sign in.")

    add_check("unable", unable)
    yield
    del CHECKS["unable"]


def test_a_deployment_to_dev_names_the_check_that_did_not_run(place: Place, unable: None) -> None:
    assert deployed(place).status == "succeeded"
    assert place.outcome("smoke")[1].endswith("passed; not run: unable: Nobody may sign in.")


def test_production_goes_back_where_a_check_did_not_run(
    tmp_path: Path, transactional_db: None, request: pytest.FixtureRequest
) -> None:
    with kept_place(tmp_path), a_place(tmp_path, "production") as place, items():
        deployed(place)
        place.write("two")
        request.getfixturevalue("unable")
        words = refusal(place, DeployFailed)

        assert "It failed at smoke: 6 of 7 checks" in words
        assert "Not run: unable: Nobody may sign in." in words
        assert place.codes() == {"one"}
