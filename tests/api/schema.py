"""Holds an answer against the committed schema: every key, no key more, every type."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import yaml

FILE = Path(__file__).parents[2] / "api" / "openapi.yaml"


@functools.cache
def committed() -> dict[str, Any]:
    """The schema as it is committed, each object closed: an undeclared key is a drift too."""
    schema: dict[str, Any] = yaml.safe_load(FILE.read_text())
    for component in schema["components"]["schemas"].values():
        if component.get("type") == "object":
            component["additionalProperties"] = False
    return schema


def assert_answers(path: str, body: Any, *, method: str = "get", status: int = 200) -> None:
    """Hold the body against what `path` (as the schema writes it) declares for this status."""
    operation = committed()["paths"][path][method]
    shape = operation["responses"][str(status)]["content"]["application/json"]["schema"]
    jsonschema.validate(
        body,
        {**shape, "components": committed()["components"]},
        cls=jsonschema.Draft202012Validator,
        format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER,
    )
