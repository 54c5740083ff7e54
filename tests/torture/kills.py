"""Kills workers and the database while they ingest, again and again, and asks what is missing.

A victim is frozen first (SIGSTOP), looked at through the server's own list of connections, and then
killed, so that the step told is the step hit. No file is hit in its last try: a file that takes
its worker down three times counts as poison and is refused, as it should be.
"""

from __future__ import annotations

import os
import random
import signal
import time
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import zip_longest
from pathlib import Path
from types import FrameType
from typing import Any

import psycopg2

from tests.torture.crew import (
    Crew,
    in_a_child,
    register_all,
    write_down,
    write_down_the_oracle,
)
from tests.torture.scratch import Scratch
from tests.torture.steps import Glance, look_at
from tests.torture.supplies import write_file
from tests.torture.terminal import Progress, table

DISTURBED, UNDISTURBED = "disturbed", "undisturbed"
WORKER, BACKEND, POSTMASTER = "a worker", "a database process", "the whole database"
_VICTIMS = (WORKER, BACKEND, POSTMASTER)
_OF_DATABASE = {BACKEND: 0.15, POSTMASTER: 0.1}  # of all kills; the others hit workers
_IN_TRANSACTION = 0.76  # of the kills at least; the others strike whatever is going on
# Workers wait for each other; that one moment must not be the only one that is tried.
_WAITING, _MOST_WAITING = "taking locks", 0.2
_TRIES = 3  # of a file, after which it counts as poison
_WAVE = 8  # files that come at once
_SHOWN = 20


class OutOfTime(Exception):
    """The watchdog has barked."""


@dataclass(frozen=True)
class Strike:
    """One kill."""

    victim: str
    step: str
    is_in_transaction: bool
    files: tuple[int, ...] = ()  # whose readers it brought down


@dataclass
class Torment:
    """What was done, and what was found afterwards."""

    seed: int
    strikes: list[Strike] = field(default_factory=list)
    files: int = 0
    lines: int = 0
    told_lines: int = 0
    most_attempts: int = 0
    refused_as_poison: int = 0
    wrongs: list[str] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def is_passed(self) -> bool:
        """Nothing is missing."""
        return not self.wrongs

    def report(self) -> str:
        inside = sum(strike.is_in_transaction for strike in self.strikes)
        begun = f"{len(self.strikes)} kills (seed {self.seed}) while {self.files:,} files came in"
        lines = [
            f"{begun}; {inside} of them inside an open transaction.",
            f"No file was begun more than {self.most_attempts} times.",
            f"Refused as poison: {self.refused_as_poison}.",
        ]
        if self.is_passed:
            lines += [
                "Afterwards the books balance, every file is ingested or refused, and nothing is",
                "locked. Record, waiting rows, conflicts, rejected rows and flaws, written down in",
                f"{self.lines:,} lines, are those of an undisturbed run.",
                f"Its record and books, {self.told_lines:,} lines, are those of the oracle.",
            ]
        else:
            lines += ["NOT as in an undisturbed run:", *self.wrongs[:_SHOWN]]
        return "\n".join([*lines, "", self._table()])

    def _table(self) -> str:
        victims = list(_VICTIMS)
        hits = Counter((strike.step, strike.victim) for strike in self.strikes)
        inside = Counter(strike.victim for strike in self.strikes if strike.is_in_transaction)
        steps = Counter(strike.step for strike in self.strikes)
        rows = [
            [step, *(hits[step, victim] for victim in victims), count]
            for step, count in steps.most_common()
        ]
        sums = Counter(strike.victim for strike in self.strikes)
        rows.append(["all", *(sums[victim] for victim in victims), len(self.strikes)])
        rows.append(["in a transaction", *(inside[victim] for victim in victims), inside.total()])
        return table(["hit while", *victims, "kills"], rows)


def torment(
    scratch: Scratch, *, seed: int, kills: int, workers: int, minutes: float, scale: float = 1.0
) -> Torment:
    """Ingest under blows, ingest the same files in peace, and compare. `scale`: of the files."""
    started = time.monotonic()
    outcome = Torment(seed)
    end = started + minutes * 60
    whip = _Whip(scratch, outcome, workers=workers, scale=scale, end=end)
    signal.signal(signal.SIGALRM, _bark)
    signal.alarm(round(minutes * 60) + 30)  # for a call that never comes back
    try:
        whip.lash(kills)
        whip.finish(DISTURBED)
        whip.compare_with_peace()
    except OutOfTime as error:
        outcome.wrongs.append(f"out of time: {error}")
    finally:
        signal.alarm(0)
        whip.crew.send_home()
    outcome.seconds = time.monotonic() - started
    return outcome


def _bark(_signal: int, _frame: FrameType | None) -> None:
    raise OutOfTime("something never came back")


class _Whip:
    """Holds the crew and the server in view, and strikes."""

    def __init__(
        self, scratch: Scratch, outcome: Torment, *, workers: int, scale: float, end: float
    ) -> None:
        self.outcome = outcome
        self.crew = Crew(DISTURBED, scratch.folder)
        self._scratch = scratch
        self._rng = random.Random(outcome.seed)
        self._size = workers
        self._end = end
        self._waits = 0  # how often a worker that waits for a lock may still be hit
        self._scale = scale
        self._inbox = scratch.folder / "inbox"
        self._keys: list[str] = []
        scratch.new_record(DISTURBED)
        self._watch = scratch.watch(DISTURBED)

    def lash(self, kills: int) -> None:
        """Strike so many times, and keep the crew at work meanwhile."""
        progress = Progress("kills")
        victims = [
            victim
            for victim, share in _OF_DATABASE.items()
            for _ in range(max(1, round(share * kills)))
        ]
        victims += [WORKER] * (kills - len(victims))
        self._rng.shuffle(victims)
        outside, self._waits = int(kills * (1 - _IN_TRANSACTION)), int(kills * _MOST_WAITING)
        for number, victim in enumerate(victims, start=1):
            self.crew.fill_up(self._size)
            self._supply()
            time.sleep(self._rng.uniform(0.02, 0.4))
            strike = self._strike(victim, anywhere=outside > 0)
            outside -= not strike.is_in_transaction
            self._waits -= strike.step == _WAITING
            self.outcome.strikes.append(strike)
            progress.show(number, kills, f"{len(self._keys)} files, {strike.step}")

    def finish(self, record: str) -> None:
        """Let the crew do what is left, and see that nothing stays behind."""
        progress, self._size = Progress(f"the rest, {record}"), max(self._size, 2)
        while left := self._count(
            "SELECT count(*) FROM ingestion_feedfile WHERE status='received'"
        ):
            self._be_in_time("files were left to do")
            self.crew.fill_up(self._size)
            progress.show(len(self._keys) - left, len(self._keys), f"{left} files to do")
            time.sleep(0.2)
        time.sleep(0.5)  # whom the last files touched is still evaluated
        self.crew.send_home()
        progress.show(len(self._keys), len(self._keys))
        self._find_leftovers()
        self.outcome.wrongs += [f"a worker failed: {fault}" for fault in self.crew.faults()]

    def compare_with_peace(self) -> None:
        """The same files once more, into an empty record, and nobody is killed."""
        outcome, folder = self.outcome, self._scratch.folder
        outcome.files = len(self._keys)
        outcome.most_attempts = self._count("SELECT max(attempts) FROM ingestion_feedfile")
        poison = self._ask(
            "SELECT id, size, attempts, reason FROM ingestion_feedfile WHERE refusal = 'unreadable'"
        )
        outcome.refused_as_poison = len(poison)
        for file, size, attempts, reason in poison:
            blows = [f"{one.victim}, {one.step}" for one in outcome.strikes if file in one.files]
            outcome.wrongs.append(
                f"a healthy file of {size:,} bytes, begun {attempts} times, was refused: {reason}"
                f" It was hit: {blows}"
            )
        in_a_child(lambda: write_down(DISTURBED, folder / DISTURBED))
        self._scratch.new_record(UNDISTURBED)
        self._watch.close()
        self._watch = self._scratch.watch(UNDISTURBED)
        self.crew = Crew(UNDISTURBED, folder)
        in_a_child(lambda: register_all(UNDISTURBED, self._keys))
        self.finish(UNDISTURBED)
        in_a_child(lambda: write_down(UNDISTURBED, folder / UNDISTURBED))
        oracle = folder / "oracle"
        in_a_child(lambda: write_down_the_oracle(self._inbox, self._keys, oracle))
        outcome.lines, unlike = _compared(folder / DISTURBED, folder / UNDISTURBED)
        outcome.wrongs += [f"{one}\n  in peace: {two}" for one, two in unlike]
        outcome.told_lines, unlike = _compared(folder / UNDISTURBED, oracle, only_what_both=True)
        outcome.wrongs += [f"{one} in peace\n  the oracle: {two}" for one, two in unlike]

    def _supply(self) -> None:
        """A new wave of files before the crew runs dry."""
        left = self._count("SELECT count(*) FROM ingestion_feedfile WHERE status='received'")
        if left > self._size + 2:
            return
        seed, first = self.outcome.seed, len(self._keys)
        new = [
            write_file(self._inbox, seed=seed, number=number, scale=self._scale)
            for number in range(first, first + _WAVE)
        ]
        self._keys += new
        in_a_child(lambda: register_all(DISTURBED, new))

    def _strike(self, victim: str, *, anywhere: bool) -> Strike:
        """Wait for a moment at which a blow is allowed, and strike.

        Whoever the blow may hit stands still while it is decided: the database takes all with it.
        """
        while True:
            self._be_in_time("no moment came for the next kill")
            worker = self._rng.choice(self.crew.pids)
            frozen = [worker] if victim == WORKER else list(self.crew.pids)
            for each in frozen:
                os.kill(each, signal.SIGSTOP)
            glances = {each: look_at(self._watch, each) for each in frozen}
            glance = glances[worker]
            if glance and self._is_allowed(glance, glances.values(), anywhere=anywhere):
                self._hit(victim, worker, glance, frozen)
                files = tuple(each.file for each in glances.values() if each and each.file)
                return Strike(victim, glance.step, glance.is_in_transaction, files)
            _let_go(frozen)
            time.sleep(self._rng.uniform(0.001, 0.02))
            self._supply()

    def _is_allowed(
        self, glance: Glance, glances: Iterable[Glance | None], *, anywhere: bool
    ) -> bool:
        if not glance.is_in_transaction and not anywhere:
            return False
        if glance.step == _WAITING and self._waits <= 0:
            return False
        return all(each.tries < _TRIES for each in glances if each)

    def _hit(self, victim: str, worker: int, glance: Glance, frozen: list[int]) -> None:
        if victim == WORKER:
            os.kill(worker, signal.SIGKILL)
            self.crew.bury(worker)
        elif victim == BACKEND:
            os.kill(glance.backend, signal.SIGKILL)
            _let_go(frozen)
            self._wait_until_noticed()
            self._wait_for_database()
        else:
            os.kill(self._scratch.head(), signal.SIGKILL)
            _let_go(frozen)
            self._watch.close()
            self._scratch.start()
            self._wait_for_database()

    def _wait_until_noticed(self) -> None:
        """The server ends all its other processes; what it answers before is of no use."""
        with suppress(psycopg2.Error):
            while True:
                self._be_in_time("the database did not notice")
                self._count("SELECT 1")
                time.sleep(0.005)

    def _wait_for_database(self) -> None:
        self._watch.close()
        while True:
            self._be_in_time("the database did not come back")
            try:
                self._watch = self._scratch.watch(DISTURBED)
                self._count("SELECT 1")
                return
            except psycopg2.Error:
                time.sleep(0.05)

    def _find_leftovers(self) -> None:
        end = time.monotonic() + 10
        held = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'"
        others = "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'torture%'"
        while self._count(held) + self._count(others) and time.monotonic() < end:
            time.sleep(0.05)  # a connection is a moment longer alive than its worker
        questions: dict[str, str] = {
            "advisory locks are still held": held,
            "connections of dead workers are still open": others,
            "prepared transactions are left": "SELECT count(*) FROM pg_prepared_xacts",
            "ingested files have no reading of their own or more than one": """
                SELECT count(*) FROM ingestion_feedfile f WHERE 1 <> (
                    SELECT count(*) FROM ingestion_reading r WHERE r.feed_file_id = f.id)""",
        }
        for what, question in questions.items():
            if found := self._count(question):
                self.outcome.wrongs.append(f"{found} {what}")

    def _count(self, question: str) -> int:
        ((found,),) = self._ask(question)
        return int(found or 0)

    def _ask(self, question: str) -> list[tuple[Any, ...]]:
        with self._watch.cursor() as cursor:
            cursor.execute(question)
            return list(cursor.fetchall())

    def _be_in_time(self, remark: str) -> None:
        if time.monotonic() > self._end:
            raise OutOfTime(remark)


def _let_go(frozen: Iterable[int]) -> None:
    for pid in frozen:
        os.kill(pid, signal.SIGCONT)


def _compared(
    one: Path, other: Path, *, only_what_both: bool = False
) -> tuple[int, list[tuple[str, str]]]:
    """How many lines the other has, and where the two differ.

    `only_what_both`: what the other does not speak of at all, the first may tell.
    """
    first, second = one.read_text("utf-8").splitlines(), other.read_text("utf-8").splitlines()
    if only_what_both:
        kinds = {_kind_of(line) for line in second}
        first = [line for line in first if _kind_of(line) in kinds]
    if first == second:
        return len(second), []
    left, right = set(first) - set(second), set(second) - set(first)
    unlike = zip_longest(sorted(left), sorted(right), fillvalue="(nothing)")
    # A file that came to another end says more than the thousand records that differ for it.
    pairs = sorted(unlike, key=lambda pair: not pair[0].startswith(('["files"', '["books"')))
    return len(second), [(mine[:400], theirs[:400]) for mine, theirs in pairs]


def _kind_of(line: str) -> str:
    return line.partition(",")[0]
