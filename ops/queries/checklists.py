"""How the items of a checklist run stand, with the evidence for it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from ops.choices import TickState
from ops.models import ChecklistRun, ChecklistTick


@dataclass(frozen=True)
class Standing:
    """One item of a run. `latest` decides; `earlier`, newest first, is what was said before."""

    key: str
    title: str
    why: str
    command: str
    latest: ChecklistTick | None
    earlier: list[ChecklistTick]

    @property
    def state(self) -> TickState:
        """Give what the latest word says."""
        return TickState(self.latest.state) if self.latest else TickState.OPEN

    @property
    def is_settled(self) -> bool:
        """Tell whether nothing is left to do: green, or excepted with a reason."""
        return self.state in {TickState.GREEN, TickState.EXCEPTED}


def standings(run: ChecklistRun) -> list[Standing]:
    """Give the items of a run as they stand, in order: one question."""
    return standings_of([run])[run.pk]


def standings_of(runs: Iterable[ChecklistRun]) -> dict[int, list[Standing]]:
    """Give the items of several runs as they stand, by the run's key: one question for all."""
    runs = list(runs)
    said: dict[tuple[int, str], list[ChecklistTick]] = defaultdict(list)
    for tick in ChecklistTick.objects.filter(run__in=runs).order_by("-id"):
        said[tick.run_id, tick.key].append(tick)
    return {
        run.pk: [_standing(item, said[run.pk, item["key"]]) for item in run.items] for run in runs
    }


def _standing(item: dict[str, str], said: list[ChecklistTick]) -> Standing:
    return Standing(
        key=item["key"],
        title=item["title"],
        why=item["why"],
        command=item["command"],
        latest=said[0] if said else None,
        earlier=said[1:],
    )
