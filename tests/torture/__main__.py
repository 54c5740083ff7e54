"""The command line of the torture: `mutations`, `kills`, or both. Exits with 1 on any failure."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from pathlib import Path

from django.db import connections

from tests.torture.cases import case, excerpt, try_case
from tests.torture.kills import torment
from tests.torture.scratch import Scratch, a_scratch, use_record
from tests.torture.storm import rage
from tests.torture.terminal import Progress


def main() -> int:
    given = _parser().parse_args()
    if given.what == "mutations" and given.case:
        return _again(given.case)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # and leave no server behind
    with a_scratch(is_quick=given.quick) as scratch:
        passed = given.what == "kills" or _mutations(given, scratch)
        passed &= given.what == "mutations" or _kills(given, scratch)
    print("Passed." if passed else "FAILED.")
    return 0 if passed else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="tests.torture", description=__doc__)
    parser.add_argument("what", nargs="?", choices=("all", "mutations", "kills"), default="all")
    parser.add_argument("--seed", type=int, default=1, help="another seed, other files")
    parser.add_argument("--files", type=int, default=100_000, help="files to damage")
    parser.add_argument("--case", help="SEED/NUMBER: one damaged file alone")
    parser.add_argument("--every", type=int, default=100, help="ingest each nth into PostgreSQL")
    parser.add_argument("--kills", type=int, default=200, help="kills altogether")
    parser.add_argument("--workers", type=int, default=3, help="workers that ingest at once")
    parser.add_argument("--scale", type=float, default=1.0, help="size of the files to ingest")
    parser.add_argument("--quick", action="store_true", help="a server that waits for no disk")
    parser.add_argument("--minutes", type=float, default=40, help="the kills end by then")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--reports", type=Path, help="folder that gets the reports")
    return parser


def _again(name: str) -> int:
    seed, _, number = name.partition("/")
    one = case(int(seed), int(number))
    count, wrong = try_case(one)
    print(f"case {one.name} ({one.kind}): {one.object.key}, {len(one.object.content)} bytes")
    print(count)
    if wrong:
        print(wrong)
        print(excerpt(one))
    return 1 if wrong else 0


def _mutations(given: argparse.Namespace, scratch: Scratch) -> bool:
    progress = Progress("damaged files")
    storm = rage(given.seed, range(given.files), processes=given.processes, progress=progress)
    # Models can be imported only now that Django is set up.
    from tests.torture.sample import ingest_sample

    scratch.new_record("damaged")
    use_record("damaged")
    numbers = range(0, given.files, given.every)
    sample = ingest_sample(given.seed, numbers, progress=Progress("into PostgreSQL"))
    connections.close_all()
    report = f"{storm.report()}\n{sample.report()}"
    print(report)
    print(f"Read and judged in {storm.seconds:.0f} s by {storm.processes} processes.")
    _keep(given.reports, "torture-mutations.txt", report)
    return storm.is_passed and sample.is_passed


def _kills(given: argparse.Namespace, scratch: Scratch) -> bool:
    outcome = torment(
        scratch,
        seed=given.seed,
        kills=given.kills,
        workers=given.workers,
        minutes=given.minutes,
        scale=given.scale,
    )
    print(outcome.report())
    print(f"Killed, ingested anew and compared in {outcome.seconds:.0f} s.")
    _keep(given.reports, "torture-kills.txt", outcome.report())
    return outcome.is_passed


def _keep(folder: Path | None, name: str, report: str) -> None:
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(report.rstrip() + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
