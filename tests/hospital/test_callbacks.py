"""Zappa as typed: what its callbacks do before anything is brought. A stand-in is manage.py."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import boto3
import pytest
from moto import mock_aws

from ops.aws.zappa import CALLED
from tests.ingestion.clouds import REGION, made_up_credentials

SOURCE = Path(__file__).resolve().parents[2] / "hospital" / "functions" / "callbacks.py"
MANAGE = """
import json, pathlib, sys
with open("asked", "a") as asked: asked.write(json.dumps(sys.argv[1:]) + "\\n")
sys.exit(int(pathlib.Path("ends-with").read_text()))
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder with a manage.py that notes what it is asked; the stage dev is handed over."""
    (tmp_path / "manage.py").write_text(MANAGE)
    (tmp_path / "ends-with").write_text("0")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(CALLED, raising=False)
    with made_up_credentials(), mock_aws():
        boto3.client("ssm", region_name=REGION).put_parameter(
            Name="/vigil/dev/application/release-bucket", Value="vigil-releases", Type="String"
        )
        yield tmp_path


def callbacks() -> ModuleType:
    """Load the callbacks as Zappa does, from the folder that it is in."""
    spec = importlib.util.spec_from_file_location("callbacks", SOURCE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def typed(command: str, entry: str = "dev", **options: Any) -> Any:
    """What Zappa hands to a callback."""
    return SimpleNamespace(
        command=command, api_stage=entry, vargs={"zip": None, "num_rollback": 1, **options},
        rollback=None, undeploy=None,
    )  # fmt: skip


def asked(project: Path) -> list[list[str]]:
    """What manage.py was asked."""
    path = project / "asked"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("deploy", ["beforedeploy", "dev"]),
        ("update", ["beforedeploy", "dev"]),
        ("rollback", ["beforedeploy", "dev", "--back"]),
    ],
)
def test_before_zappa_begins_manage_py_is_asked(
    project: Path, command: str, words: list[str]
) -> None:
    callbacks().fill_in(typed(command))

    assert asked(project) == [words]


@pytest.mark.parametrize("command", ["deploy", "update", "rollback"])
def test_what_is_refused_stops_zappa_before_it_begins(project: Path, command: str) -> None:
    (project / "ends-with").write_text("2")

    with pytest.raises(Exception, match="was not begun, and no function was touched"):
        callbacks().fill_in(typed(command))


@pytest.mark.parametrize("command", ["status", "undeploy", "package"])
def test_other_commands_ask_nothing_of_manage_py(project: Path, command: str) -> None:
    callbacks().fill_in(typed(command))

    assert asked(project) == []


def test_whoever_holds_the_lock_and_calls_zappa_is_not_asked_again(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(CALLED, "1")

    callbacks().fill_in(typed("update", zip="s3://vigil-releases/packages/1.zip"))

    assert asked(project) == []


@pytest.mark.parametrize("command", ["deploy", "update"])
def test_one_function_alone_is_not_brought(project: Path, command: str) -> None:
    with pytest.raises(Exception, match=f"type `zappa {command} dev`, which does all three"):
        callbacks().fill_in(typed(command, "dev-ingestion"))

    assert asked(project) == []
