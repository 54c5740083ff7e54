"""Figure 5: whether memory grows with the file."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

from bench.exports import LAB_TESTS, Export, write
from bench.figures import Figure, Measure, Sizes, at_most, ratios, require_same, shown
from bench.measuring import Say
from bench.place import PROJECT, Scratch

_MEGABYTE = 1_000_000


def peak_memory(place: Scratch, sizes: Sizes, say: Say) -> Figure:
    """Figure 5: the peak of a fresh process that ingests a file, and one ten times as long."""
    exports = [
        write(LAB_TESTS, place.files, rows=rows, series=f"M{rows}", people=sizes.people)
        for rows in sizes.memory_rows
    ]
    told: dict[int, list[dict[str, Any]]] = {export.rows: [] for export in exports}
    for repetition in range(sizes.repeats):
        for export in exports:
            one = _ingested_alone(place, export)
            told[export.rows].append(one)
            say(
                f"  {repetition + 1} of {sizes.repeats}  {shown(export.rows)} rows:"
                f" {one['peak'] / _MEGABYTE:.1f} MB, {one['seconds']:.1f} s"
            )
    few, many = ([one["peak"] / _MEGABYTE for one in told[rows]] for rows in sizes.memory_rows)
    fewer, more = (shown(rows) for rows in sizes.memory_rows)
    return Figure(
        5,
        "Memory",
        [
            Measure(f"peak at {more} rows ÷ at {fewer}", ratios(many, few), goal=at_most(1.25)),
            Measure(f"peak at {more} rows", tuple(many), "MB", goal=at_most(120)),
            Measure(f"peak at {fewer} rows", tuple(few), "MB"),
            Measure(
                f"largest child at {more} rows",
                tuple(one["peak_of_children"] / _MEGABYTE for one in told[sizes.memory_rows[1]]),
                "MB",
            ),
            Measure(
                f"{more} rows in a fresh process",
                tuple(one["rows"] / one["seconds"] for one in told[sizes.memory_rows[1]]),
                "rows/s",
            ),
        ],
        "of both files all rows were created but the "
        + " and ".join(str(export.faulty) for export in exports)
        + " faulty ones, which were rejected",
        ["The whole process from its start, with Python and Django; 1 MB is 10⁶ bytes."],
    )


def _ingested_alone(place: Scratch, export: Export) -> dict[str, Any]:
    place.fresh()
    done = subprocess.run(
        [sys.executable, "-m", "bench.alone", str(export.path)],
        cwd=PROJECT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise RuntimeError(f"python -m bench.alone failed:\n{done.stderr[-2000:]}")
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    expected = [export.rows, export.rows - export.faulty, export.faulty]
    found = [told["rows"], told["created"], told["rejected"]]
    require_same("rows, created, rejected", expected=expected, found=found)
    return told
