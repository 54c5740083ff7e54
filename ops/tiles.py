"""Parts of the landing page that are no component's: the incidents that are open."""

from __future__ import annotations

from ops.queries.status import open_incidents
from ops.registry import Face, Health, Tile, add_tile

_NAMED = 3


def incidents() -> Face:
    """Tell which incidents are open. A stopped clock or a failed job may be told nowhere else."""
    found = list(open_incidents()[: _NAMED + 1])
    address = "admin:ops_incident_changelist"
    if not found:
        return Face(Health.WELL, "None is open.", address=address)
    titles = "; ".join(one.title for one in found[:_NAMED])
    more = "; and more" if len(found) > _NAMED else ""
    return Face(Health.DEGRADED, f"Open: {titles}{more}.", address=address)


def register() -> None:
    """Put them on the landing page."""
    add_tile(Tile("incidents", "Incidents", incidents, order=1, permission="ops.view_incident"))
