"""Lets a test bring its own components and tiles, and puts back what was registered before."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ops import registry

# pylint: disable=protected-access


@contextmanager
def no_other_components() -> Iterator[None]:
    """Know no component but those that are added meanwhile."""
    before = dict(registry._probes)
    registry._probes.clear()
    try:
        yield
    finally:
        registry._probes.clear()
        registry._probes.update(before)


@contextmanager
def tiles_put_back() -> Iterator[None]:
    """Forget the tiles that are added meanwhile."""
    before = dict(registry._tiles)
    try:
        yield
    finally:
        registry._tiles.clear()
        registry._tiles.update(before)
