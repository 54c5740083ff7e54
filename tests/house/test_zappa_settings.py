"""Zappa's settings: unsafe defaults are off on every stage, and all stages are alike."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from typing import Any

import pytest

from ops.aws.handover import STAGES, function_names

PROJECT = Path(__file__).resolve().parents[2]
ENTRIES: dict[str, dict[str, Any]] = json.loads((PROJECT / "zappa_settings.json").read_text())
INFRASTRUCTURE: dict[str, dict[str, Any]] = json.loads(
    (PROJECT / "infra" / "stages.json").read_text()
)
NAMES = [name.removeprefix("vigil-") for stage in STAGES for name in function_names(stage).values()]


def whole(name: str) -> dict[str, Any]:
    """An entry with what it takes over from the base."""
    entry = ENTRIES[name]
    return {**ENTRIES[entry["extends"]], **entry}


def test_there_are_three_functions_for_each_stage_and_nothing_else() -> None:
    assert set(ENTRIES) == {"base", *NAMES}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("slim_handler", False),
        ("debug", False),
        ("log_level", "INFO"),
        ("manage_roles", False),
        ("apigateway_enabled", False),
        ("use_precompiled_packages", False),
        ("runtime", "python3.13"),
        ("keep_warm", False),
    ],
)
def test_what_zappa_would_do_by_itself_is_off(name: str, setting: str, value: object) -> None:
    assert whole(name)[setting] == value


@pytest.mark.parametrize("name", NAMES)
def test_nothing_secret_and_nothing_of_a_stage_lies_in_the_package(name: str) -> None:
    for setting in ("environment_variables", "aws_environment_variables", "remote_env"):
        assert setting not in whole(name)


@pytest.mark.parametrize("name", NAMES)
def test_no_bucket_and_no_topic_calls_a_function(name: str) -> None:
    for event in whole(name).get("events", []):
        assert set(event) == {"function", "expression", "description"}


@pytest.mark.parametrize("stage", STAGES)
def test_each_function_has_its_entry_point_and_its_role(stage: str) -> None:
    for what, function in function_names(stage).items():
        entry = whole(function.removeprefix("vigil-"))
        module, _, name = entry["lambda_handler"].rpartition(".")
        assert module == f"hospital.functions.{what}"
        assert callable(getattr(importlib.import_module(module), name))
        assert entry["role_name"] == f"vigil-{stage}-{what}"


@pytest.mark.parametrize("stage", STAGES)
def test_the_first_entry_of_a_stage_carries_on_with_the_others(stage: str) -> None:
    own = "hospital.functions.callbacks."
    assert whole(stage)["callbacks"] == {
        "settings": f"{own}fill_in", "zip": f"{own}finish_package", "post": f"{own}carry_on",
    }  # fmt: skip
    for what in ("ingestion", "alerts"):
        assert whole(f"{stage}-{what}")["callbacks"] == {"settings": f"{own}fill_in"}


@pytest.mark.parametrize("name", NAMES)
def test_enough_versions_are_kept_to_go_back(name: str) -> None:
    assert whole(name)["num_retained_versions"] >= 10


@pytest.mark.parametrize("name", NAMES)
def test_each_function_has_its_own_share_of_concurrency(name: str) -> None:
    assert whole(name)["lambda_concurrency"] >= 2


@pytest.mark.parametrize("stage", STAGES)
def test_functions_and_infrastructure_lie_in_one_region(stage: str) -> None:
    assert whole(stage)["aws_region"] == INFRASTRUCTURE[stage]["region"]
    assert INFRASTRUCTURE[stage]["stage"] in {"development", "staging", "production"}
