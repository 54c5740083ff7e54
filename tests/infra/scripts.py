"""Gives tests the programs below scripts/, which are no package."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

PROJECT = Path(__file__).resolve().parent.parent.parent


def load(name: str) -> ModuleType:
    """Load scripts/NAME.py as a module of its own."""
    spec = importlib.util.spec_from_file_location(
        f"script_{name}", PROJECT / "scripts" / f"{name}.py"
    )
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    # Where dataclasses look for the module that a class is of.
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module
