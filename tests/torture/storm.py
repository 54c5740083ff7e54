"""All the damaged files: tried in several processes, counted by kind, and a sample ingested.

Knows how to divide the work, to show how far it is, and to write the tables. Must not know how a
file is damaged or judged.
"""

from __future__ import annotations

import itertools
import multiprocessing
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from tests.torture.cases import SECONDS_A_FILE, Count, case, excerpt, try_case
from tests.torture.mutations import ALL_KINDS
from tests.torture.terminal import Progress, table

_BATCH = 250
# The clock inside a worker stops a slow file; this one, a worker that does not even hear it.
_PATIENCE = 3 * SECONDS_A_FILE
_REFUSALS = {
    "no_header": "no header",
    "no_layout": "no layout",
    "column_twice": "column twice",
    "column_of_another_layout": "foreign column",
    "source_time_in_the_future": "future",
}
_REASONS = (
    *("encoding", "quote", "columns", "bad_date", "bad_time"),
    *("missing", "too_long", "future", "implausible"),
)
_SHOWN = 20


@dataclass
class Storm:
    """What came of all the files."""

    seed: int
    counts: dict[str, Count] = field(default_factory=lambda: {kind: Count() for kind in ALL_KINDS})
    wrongs: list[str] = field(default_factory=list)
    seconds: float = 0.0
    processes: int = 1

    @property
    def total(self) -> Count:
        total = Count()
        for count in self.counts.values():
            total.add(count)
        return total

    @property
    def recognised_share(self) -> float:
        total = self.total
        return total.recognised / total.files if total.files else 0.0

    @property
    def is_passed(self) -> bool:
        """No disagreement, and at least half of the files known by their header."""
        return not self.wrongs and self.recognised_share >= 0.5

    def report(self) -> str:
        total = self.total
        verdict = "agreed on every line of every file" if not self.wrongs else "DISAGREED"
        known = f"{self.recognised_share:.1%} of them known by their header, {total.rows:,} rows"
        lines = [
            f"{total.files:,} damaged files (seed {self.seed}), {known}.",
            f"Product and oracle {verdict}:",
            "refusal, rows, rejected lines with their reason, flaws and every stated value.",
            f"Disagreements, tracebacks and hangs: {total.disagreements}.",
            "",
            _table_of_files({**self.counts, "all": total}),
            "",
            _table_of_rejections({**self.counts, "all": total}),
            "",
            "One file again: make torture ARGS='mutations --case SEED/NUMBER'.",
            "",
        ]
        return "\n".join([*lines, *self.wrongs[:_SHOWN]])


def rage(seed: int, numbers: range, *, processes: int, progress: Progress) -> Storm:
    """Try the files of these numbers; the tables do not depend on how many processes there are."""
    storm, started = Storm(seed, processes=processes), time.monotonic()
    for counts, wrongs in _results(seed, list(_batches(numbers)), processes):
        for kind, count in counts.items():
            storm.counts[kind].add(count)
        storm.wrongs += wrongs
        total = storm.total
        progress.show(total.files, len(numbers), f"{total.disagreements} disagreements")
    storm.seconds = time.monotonic() - started
    return storm


Result = tuple[dict[str, Count], list[str]]


def _batches(numbers: range) -> Iterator[range]:
    for start in range(0, len(numbers), _BATCH):
        yield numbers[start : start + _BATCH]


def _results(seed: int, batches: list[range], processes: int) -> Iterator[Result]:
    if processes == 1:
        yield from (try_batch(seed, numbers) for numbers in batches)
        return
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        waiting = [pool.apply_async(try_batch, (seed, numbers)) for numbers in batches]
        for numbers, answer in zip(batches, waiting, strict=True):
            try:
                yield answer.get(timeout=_PATIENCE)
            except multiprocessing.TimeoutError:
                first, last = numbers[0], numbers[-1]
                lost = f"cases {seed}/{first} to {seed}/{last}: no answer, not even to the clock"
                yield {ALL_KINDS[0]: Count(files=len(numbers), disagreements=1)}, [lost]
                return


def try_batch(seed: int, numbers: Iterable[int]) -> Result:
    """Try some files in this process."""
    counts: dict[str, Count] = {}
    wrongs: list[str] = []
    for number in numbers:
        one = case(seed, number)
        count, wrong = try_case(one)
        counts.setdefault(one.kind, Count()).add(count)
        if wrong:
            wrongs.append(f"{wrong}\n{excerpt(one)}" if len(wrongs) < 3 else wrong)
    return counts, wrongs


def _table_of_files(counts: dict[str, Count]) -> str:
    heads = ["damage", "files", "recognised", *_REFUSALS.values()]
    heads += ["rows", "applied", "rejected", "flaws", "disagree"]
    return table(
        heads,
        [
            [
                kind,
                count.files,
                count.recognised,
                *(count.refused[reason] for reason in _REFUSALS),
                count.rows,
                count.applied,
                count.rejected.total(),
                count.flaws,
                count.disagreements,
            ]
            for kind, count in counts.items()
        ],
    )


def _table_of_rejections(counts: dict[str, Count]) -> str:
    known = itertools.chain.from_iterable(count.rejected for count in counts.values())
    reasons = [*_REASONS, *sorted(set(known) - set(_REASONS))]
    return table(
        ["rows rejected by reason", *reasons],
        [[kind, *(count.rejected[reason] for reason in reasons)] for kind, count in counts.items()],
    )
