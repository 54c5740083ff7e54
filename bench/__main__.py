"""`make bench`: measures the chosen figures, one after the other, and tells what came out.

    python -m bench [--only 1,4] [--quick] [--results FOLDER]

Exits 0 if every chosen figure counts, goals met or missed; 1 if variants did not do the same work.
"""

from __future__ import annotations

import argparse
import importlib
import sys
import time
from collections.abc import Callable
from pathlib import Path

from bench import report
from bench.figures import Figure, Sizes, VariantsDiffer
from bench.place import CACHE, PROJECT, Scratch, scratch

# Which module measures which figure. 6 to 8 (alerts and the board) are not measured yet.
MEASURED_BY = {
    1: ("bulk", "beside_raw_copy"),
    2: ("bulk", "beside_orm"),
    3: ("bulk", "read_again"),
    4: ("small", "small_files"),
    5: ("memory", "peak_memory"),
    9: ("arrival", "object_to_api"),
    10: ("growth", "as_it_grows"),
}


def main() -> int:
    """Measure, print, write; gives the exit code."""
    asked = _asked()
    sizes = Sizes.quick() if asked.quick else Sizes()
    folder = asked.results or (CACHE / "bench-quick" if asked.quick else PROJECT / "bench/results")
    figures = report.read(folder)
    failures = []
    with scratch(durable=not asked.quick) as place:
        _bring_people(place, sizes)
        for number in asked.only:
            print(f"{number} …", flush=True)
            try:
                figures[number] = _measured(number, place, sizes)
            except VariantsDiffer as difference:
                failures.append(f"Figure {number} does not count: {difference}.")
                figures.pop(number, None)
            _tell(folder, figures, number, is_quick=asked.quick)
    ordered = [figures[number] for number in sorted(figures)]
    _draw(ordered, folder)
    print("\n" + report.as_text(ordered))
    table = (folder / report.TABLE).resolve()
    shown = table.relative_to(PROJECT) if table.is_relative_to(PROJECT) else table
    print("\n".join(["", *failures, f"In full: {shown}"]))
    return 1 if failures else 0


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--only", type=_numbers, default=list(MEASURED_BY), metavar="1,4")
    parser.add_argument("--quick", action="store_true", help="small sizes: it works, no more")
    parser.add_argument("--results", type=Path, metavar="FOLDER")
    return parser.parse_args()


def _numbers(text: str) -> list[int]:
    names = text.replace(",", " ").split()
    unknown = [name for name in names if not name.isdecimal() or int(name) not in MEASURED_BY]
    if unknown or not names:
        known = ", ".join(map(str, MEASURED_BY))
        raise argparse.ArgumentTypeError(f"figures are {known}, not {text!r}")
    return [int(name) for name in names]


def _bring_people(place: Scratch, sizes: Sizes) -> None:
    """Prepare the database that all variants get copies of: a hospital with its patients."""
    from bench.exports import ADMISSIONS, PATIENTS, write_known
    from ingestion.services.receiving import ingest_all
    from ingestion.storage import local_object

    paths = [write_known(kind, place.files, sizes.people) for kind in (PATIENTS, ADMISSIONS)]
    ingest_all([local_object(path) for path in paths])
    place.administer("vigil", "VACUUM (ANALYZE)")


def _measured(number: int, place: Scratch, sizes: Sizes) -> Figure:
    from bench.conditions import conditions, load_average

    module, name = MEASURED_BY[number]
    measure: Callable[[Scratch, Sizes, Callable[[str], None]], Figure]
    measure = getattr(importlib.import_module(f"bench.{module}"), name)
    before, started = load_average(), time.monotonic()
    figure = measure(place, sizes, lambda line: print(line, flush=True))
    figure.conditions = conditions() | {
        "load": f"{before} and {load_average()}",
        "took": f"{time.monotonic() - started:.0f} s",
    }
    return figure


def _tell(folder: Path, figures: dict[int, Figure], number: int, *, is_quick: bool) -> None:
    """Print what is known so far, and write it: a run that is stopped later keeps it."""
    title = "A quick look: too small to count" if is_quick else "Measured figures"
    report.write(folder, figures, title=title)
    if number in figures:
        print(report.as_text([figures[number]]))
        print(f"  {report.conditions_of(figures[number])}", flush=True)


def _draw(figures: list[Figure], folder: Path) -> None:
    try:
        from bench.plot import draw

        draw(figures, folder / report.PLOT)
    except ImportError:
        print("No picture: matplotlib is missing (scripts/setup.py bench installs it).")


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit("\nStopped; what was measured before is kept.")
