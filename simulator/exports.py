"""The export job: takes what happened out of the outbox, writes files, remembers the hospital.

The state is kept before the files are written and again after: killed in between, the next start
writes the same rows once more under a later stamp, and none is lost.
"""

import json
import math
from pathlib import Path
from zoneinfo import ZoneInfo

from simulator.backstory import found
from simulator.files import DIALECTS, UNUSABLE, file_name, spell, spoil, write
from simulator.hospital import MINUTE, SOURCES, Hospital, Letter

# A feed that has nothing to say still says so: silence for 15 minutes counts as broken.
SILENCE = (20.0, 45.0)  # seconds; not all feeds in one breath
STATE = ".simulator.json"  # a dot file: whoever reads the inbox leaves it alone


def tick(hospital: Hospital, inbox: Path, *, now: float, zone: ZoneInfo) -> int:
    """Live until now, write the files that are due; says how many."""
    if not hospital.seen_until:
        found(hospital, now=now)
    hospital.live_until(now)
    keep(hospital, inbox)
    written = [
        export(hospital, inbox, source, layout, now=now, zone=zone)
        for source, layouts in SOURCES.items()
        for layout in layouts
    ]
    keep(hospital, inbox)
    return sum(written)


def export(
    hospital: Hospital, inbox: Path, source: str, layout: str, *, now: float, zone: ZoneInfo
) -> bool:
    """One feed's file, if it has news or has been silent for long; a stamp is never used twice."""
    feed = f"{source}.{layout}"
    stamp = math.floor(now)
    newest = hospital.files.get(feed, 0)
    ripe = [letter for letter in hospital.outbox if _is_for(letter, source, layout, stamp)]
    if stamp <= newest or not (ripe or stamp - newest >= hospital.rng.uniform(*SILENCE)):
        return False
    rows = [_cells(hospital, letter, zone=zone, now=now) for letter in ripe]
    path = inbox / source / file_name(layout, stamp=stamp)
    write(path, rows, source=source, layout=layout)
    hospital.files[feed] = stamp
    taken = {id(letter) for letter in ripe}
    hospital.outbox = [letter for letter in hospital.outbox if id(letter) not in taken]
    return True


def _is_for(letter: Letter, source: str, layout: str, stamp: float) -> bool:
    return letter.source == source and letter.layout == layout and letter.after <= stamp


def _cells(hospital: Hospital, letter: Letter, *, zone: ZoneInfo, now: float) -> list[str]:
    columns = DIALECTS[letter.source].columns[letter.layout]
    spelt = spell(letter.row, source=letter.source, layout=letter.layout, zone=zone)
    cells = [spelt[column] for column in columns]
    if spoil(cells, columns, rng=hospital.rng) in UNUSABLE:
        # Somebody at the source notices after a few minutes, and the true row follows.
        later = now + hospital.rng.uniform(3, 20) * MINUTE
        hospital.post(letter.source, letter.layout, letter.row, after=later)
    return cells


def keep(hospital: Hospital, inbox: Path) -> None:
    part = inbox / f"{STATE}.part"
    part.write_text(json.dumps(hospital.remember(), ensure_ascii=False), encoding="utf-8")
    part.replace(inbox / STATE)


def open_hospital(inbox: Path, *, seed: int, size: int) -> Hospital:
    """The hospital that this inbox belongs to, or a new one."""
    inbox.mkdir(parents=True, exist_ok=True)
    try:
        return Hospital.recall(json.loads((inbox / STATE).read_text(encoding="utf-8")))
    except FileNotFoundError:
        return Hospital(seed=seed, size=size)
