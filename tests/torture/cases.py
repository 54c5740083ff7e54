"""One case: a damaged file told by two numbers, and what the two readers make of it.

`case(seed, number)` makes the same file for ever; `try_case` gives what is counted of it.
"""

from __future__ import annotations

import hashlib
import random
import signal
import traceback
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import FrameType
from zoneinfo import ZoneInfo

from tests.oracle import ExportObject
from tests.torture import verdicts
from tests.torture.bases import LAYOUTS, ZONE, invent
from tests.torture.mutations import ROTA, Draft, damage

CLOCK = datetime(2025, 3, 22, 12, 0, tzinfo=UTC)
SECONDS_A_FILE = 20.0
_ZONE = ZoneInfo(ZONE)
_WAYS = {"one by one": False, "by columns": True}
# A large file now and then, for what goes wrong where one block of bytes or rows meets the next.
_LARGE_EVERY = 997


@dataclass(frozen=True)
class Case:
    """One damaged file."""

    seed: int
    number: int
    kind: str
    object: ExportObject

    @property
    def name(self) -> str:
        return f"{self.seed}/{self.number}"


@dataclass
class Count:
    """What became of the files of one kind of damage."""

    files: int = 0
    recognised: int = 0
    rows: int = 0
    applied: int = 0
    flaws: int = 0
    disagreements: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    rejected: Counter[str] = field(default_factory=Counter)

    def add(self, other: Count) -> None:
        for name in ("files", "recognised", "rows", "applied", "flaws", "disagreements"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.refused.update(other.refused)
        self.rejected.update(other.rejected)


class TookTooLong(Exception):
    """The product has not answered in time."""


def case(seed: int, number: int) -> Case:
    """The file of this number."""
    rng = random.Random(f"{seed}/{number}")
    kind = ROTA[number % len(ROTA)]
    layout = LAYOUTS[number // len(ROTA) % len(LAYOUTS)]
    at = CLOCK - timedelta(minutes=rng.randint(0, 4 * 24 * 60))
    is_large = number % _LARGE_EVERY == 1
    rows = rng.randint(2_000, 2_200) if is_large else rng.choice((0, 1, 2, 3, 4, 6, 8, 12, 40))
    draft = Draft(
        key=f"{layout}-{seed}-{number}-{at:%Y-%m-%dT%H-%M-%SZ}.csv",
        table=invent(rng, layout, rows=rows, at=at),
        at=at,
        delimiter=rng.choice((",", ",", ",", ";", "\t")),
        encoding=rng.choice(("utf-8", "utf-8", "utf-8", "utf-8-sig", "utf-16-le", "utf-16-be")),
        line_end=rng.choice(("\n", "\n", "\r\n")),
        is_all_quoted=rng.random() < 0.15,
        is_cut=rng.random() < 0.1,
    )
    damage(rng, draft, kind)
    return Case(seed, number, kind, _object(draft))


def _object(draft: Draft, *, content: bytes | None = None) -> ExportObject:
    content = draft.content if content is None else content
    return ExportObject(
        key=draft.key,
        version=hashlib.sha256(content).hexdigest(),
        last_modified=CLOCK - timedelta(hours=30),
        content=content,
        received_at=CLOCK,
    )


def try_case(one: Case) -> tuple[Count, str]:
    """Ask all; count the product's answer, and tell what is wrong with it, or nothing."""
    wrong, found = _wrong(one.object)
    count = _counted(found or verdicts.Verdict(refusal="failed"))
    count.disagreements = int(bool(wrong))
    return count, wrong and f"case {one.name} ({one.kind}): product ≠ oracle\n{wrong}"


def _wrong(each: ExportObject) -> tuple[str, verdicts.Verdict | None]:
    """What is wrong with the product's answer, whichever way it judges, and that answer."""
    expected = verdicts.of_the_oracle(each, zone=ZONE)
    lines, found = [], None
    for way, by_columns in _WAYS.items():
        found, failure = _asked(each, by_columns=by_columns)
        told = found.differences(expected) if found is not None else [failure]
        lines += [f"  {way}: {line}" for line in told]
    return "\n".join(lines), found


def _asked(each: ExportObject, *, by_columns: bool) -> tuple[verdicts.Verdict | None, str]:
    try:
        with a_limit(SECONDS_A_FILE):
            return verdicts.of_the_product(each, zone=_ZONE, by_columns=by_columns), ""
    except TookTooLong:
        return None, f"no answer within {SECONDS_A_FILE:.0f} seconds"
    except Exception:  # pylint: disable=broad-exception-caught
        # Whatever it is: that a damaged file can raise it is what was looked for.
        return None, traceback.format_exc(limit=-4)


def _counted(found: verdicts.Verdict) -> Count:
    count = Count(files=1, recognised=int(found.layout is not None), flaws=len(found.flaws))
    if found.refusal:
        count.refused[found.refusal] += 1
    count.rows = found.rows
    count.applied = len(found.stated)
    count.rejected.update(reason for _, reason in found.rejected)
    if count.rows != count.applied + count.rejected.total():
        raise AssertionError("a row is neither applied nor rejected")
    return count


@contextmanager
def a_limit(seconds: float) -> Iterator[None]:
    """Raise TookTooLong in whatever runs inside once the seconds are over."""

    def stop(_signal: int, _frame: FrameType | None) -> None:
        raise TookTooLong

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def excerpt(one: Case) -> str:
    """The least part of the file over which the two still differ, shown line by line."""
    pieces = one.object.content.split(b"\n")
    tried = 0
    size = max(1, len(pieces) // 2)
    while size and tried < 300:
        at = 0
        while at < len(pieces) and tried < 300:
            fewer = pieces[:at] + pieces[at + size :]
            tried += 1
            if _differs(one, b"\n".join(fewer)):
                pieces = fewer
            else:
                at += size
        size //= 2
    lines = [piece if len(piece) <= 300 else piece[:300] + b"..." for piece in pieces[:12]]
    return "\n".join(f"  | {line!r}" for line in [one.object.key.encode(), *lines])


def _differs(one: Case, content: bytes) -> bool:
    each = ExportObject(**{**vars(one.object), "content": content})
    return bool(_wrong(each)[0])
