"""The inbox of the kills: files of all layouts, small and large, some of them damaged.

Every file is told by the seed and its number, so that the undisturbed run reads the same bytes.
"""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.torture.bases import LAYOUTS, Pool, invent
from tests.torture.mutations import KINDS, Draft, damage

_BEGUN = datetime(2025, 3, 18, 6, 0, tzinfo=UTC)
_SOURCES = {"pms": ("pms", "pms-night"), "lis": ("lis-a", "lis-b")}
_ROWS = (10, 60, 200, 300, 500, 500, 1500, 3000)
_POOL = Pool(people=2_000, tests=20_000)
# Over the size from which a file takes the lane of large ones.
_LARGE_EVERY = 40
_LARGE = {"rows": 5_000, "padding": 900}
# Where its name is damaged it might speak from the future, and of another feed's morning.
_DAMAGES = tuple(kind for kind in KINDS if kind != "time stamp scrambled")


def write_file(inbox: Path, *, seed: int, number: int, scale: float = 1.0) -> str:
    """Write the file of this number into its source's folder. Returns its key."""
    rng = random.Random(f"supplies {seed}/{number}")
    layout = LAYOUTS[number % len(LAYOUTS)]
    at = _BEGUN + timedelta(minutes=rng.randrange(4 * 24 * 60))
    is_large = number % _LARGE_EVERY == _LARGE_EVERY - 1
    rows = _LARGE["rows"] if is_large else round(rng.choice(_ROWS) * scale)
    table = invent(rng, layout, rows=rows, at=at, pool=_POOL)
    if is_large:
        table.header.append("note")
        for row in table.rows:
            row.append("z" * _LARGE["padding"])
    draft = Draft(f"{layout}-{number:05}-{at:%Y-%m-%dT%H-%M-%SZ}.csv", table, at)
    if number % 10 == 7:
        damage(rng, draft, rng.choice(_DAMAGES))
    else:
        draft.write_lines()
        draft.write_content()
    key = f"{rng.choice(_SOURCES[layout.partition('.')[0]])}/{draft.key}"
    path = inbox / key
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(draft.content)
    return key
