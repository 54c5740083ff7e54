"""What the landing page shows: a tile for each part of the place, the worst first.

Knows tiles and probes from the registry alone. A tile that raises is unknown, and keeps no other
from being shown.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.urls import NoReverseMatch, reverse

from ops import charts
from ops.choices import Health
from ops.queries.status import Slot, last_day
from ops.registry import Face, Probe, Tile, probes, tiles
from ops.standing import Standing, standings

log = logging.getLogger(__name__)

# What is known to be bad goes before what is not known.
WORST_FIRST = (Health.DOWN, Health.DEGRADED, Health.UNKNOWN, Health.WELL)
_SLOTS = 48


@dataclass(frozen=True)
class Shown:
    """A tile as it is shown."""

    name: str
    title: str
    face: Face
    href: str = ""


def shown_tiles(at: datetime, *, may: Callable[[str], bool]) -> list[Shown]:
    """Give the tiles that somebody may see, the worst first. `may` tells of a permission."""
    own = {tile.name: tile for tile in tiles()}
    # One of the same name takes the probe's place.
    asked = [probe for probe in probes() if probe.name not in own]
    parts: list[Probe | Tile] = [*asked, *own.values()]
    wanted = [part for part in parts if not part.permission or may(part.permission)]
    faces = _faces([part for part in wanted if isinstance(part, Probe)], at)
    shown = [
        Shown(part.name, part.title, face, _href(face.address))
        for part in sorted(wanted, key=lambda part: (part.order, part.name))
        for face in (_tell(part) if isinstance(part, Tile) else faces[part.name],)
    ]
    return sorted(shown, key=lambda one: WORST_FIRST.index(one.face.health))


def _tell(tile: Tile) -> Face:
    try:
        # In a transaction of its own: a question that fails must not spoil those of the others.
        with transaction.atomic():
            return tile.tell()
    except Exception as error:  # pylint: disable=broad-exception-caught
        log.warning("tile cannot be told", extra={"tile": tile.name, "error": type(error).__name__})
        return Face(Health.UNKNOWN, f"It cannot be told: {type(error).__name__}.")


def _href(address: str) -> str:
    try:
        return reverse(address) if address else ""
    except NoReverseMatch:
        log.warning("tile leads to no page", extra={"address": address})
        return ""


def _faces(asked: list[Probe], at: datetime) -> dict[str, Face]:
    stand = {one.name: one for one in standings(at)}
    drawn = last_day({one.name: one.figure for one in asked}, at=at, slots=_SLOTS)
    return {one.name: _face(one, stand[one.name], drawn[one.name]) for one in asked}


def _face(probe: Probe, stands: Standing, slots: list[Slot]) -> Face:
    """Draw the last day: the probe's figure if it has one that is known, else how it stood."""
    figures = [slot.figure for slot in slots]
    known = [figure for figure in figures if figure is not None]
    if probe.figure and known:
        title = (
            f"{probe.title}, last 24 hours: {probe.figure_title}, between {min(known):,.4g} and"
            f" {max(known):,.4g}"
        )
        chart = charts.line(figures, title=title)
    else:
        worst = min((slot.health for slot in slots), key=WORST_FIRST.index)
        title = f"{probe.title}, last 24 hours: at worst {worst.label.lower()}"
        chart = charts.bars([(slot.health, slot.health.label) for slot in slots], title=title)
    at = stands.at if stands.health in (Health.UNKNOWN, Health.DOWN) else None
    return Face(stands.health, stands.words, chart, at, probe.address)
