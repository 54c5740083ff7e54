"""What was measured, told: a table for the screen and for `results/`, and everything as JSON."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

from bench.figures import Figure, Measure, shown

TABLE = "figures.md"
DATA = "figures.json"
PLOT = "figures.png"
_LABELS = {
    "measured": "measured",
    "commit": "commit",
    "python": "Python",
    "postgresql": "PostgreSQL",
    "django": "Django",
    "cpu": "processor",
    "cores": "cores",
    "memory": "memory",
    "fsync": "fsync",
    "synchronous_commit": "synchronous_commit",
    "load": "load average before and after",
    "took": "took",
}


def read(folder: Path) -> dict[int, Figure]:
    """Give the figures of earlier runs: one that is not measured anew keeps its place."""
    path = folder / DATA
    if not path.exists():
        return {}
    kept = [Figure.read(one) for one in json.loads(path.read_text(encoding="utf-8"))["figures"]]
    return {figure.number: figure for figure in kept}


def write(folder: Path, figures: dict[int, Figure], *, title: str) -> None:
    """Write the table and the data, the figures by their numbers."""
    folder.mkdir(parents=True, exist_ok=True)
    ordered = [figures[number] for number in sorted(figures)]
    told = {"figures": [asdict(figure) for figure in ordered]}
    text = json.dumps(told, indent=1, ensure_ascii=False)
    (folder / DATA).write_text(text + "\n", encoding="utf-8")
    (folder / TABLE).write_text(as_markdown(ordered, title=title), encoding="utf-8")


def as_markdown(figures: list[Figure], *, title: str) -> str:
    """Tell the figures with a goal in one table, then each with all that it rests on."""
    lines = [f"# {title}", "", f"![Each figure beside its goal]({PLOT})", ""]
    lines += ["| # | figure | measured | goal | | lowest to highest |", "|---|---|---|---|---|---|"]
    for figure in figures:
        lines += [
            f"| {figure.number} | {one.name} | **{_value(one)}** | {one.goal} | {one.verdict}"
            f" | {_spread(one)} |"
            for one in figure.measures
            if one.goal
        ]
    for figure in figures:
        lines += ["", *_in_full(figure)]
    return "\n".join(lines) + "\n"


def as_text(figures: list[Figure]) -> str:
    """Tell the figures for a screen: one line for each number."""
    rows = [
        (f"{figure.number:>2}", one.name, _value(one), str(one.goal or ""), one.verdict)
        for figure in figures
        for one in figure.measures
    ]
    widths = [max(len(row[place]) for row in rows) for place in range(4)] if rows else [0] * 4
    return "\n".join(
        f"{number}  {name:<{widths[1]}}  {value:>{widths[2]}}  {goal:<{widths[3]}}  {verdict}"
        for number, name, value, goal, verdict in rows
    )


def _in_full(figure: Figure) -> list[str]:
    return [
        f"## {figure.number}. {figure.title}",
        "",
        "| | median | lowest to highest |",
        "|---|---|---|",
        *(f"| {one.name} | {_value(one)} | {_spread(one)} |" for one in figure.measures),
        "",
        f"Same rows: {figure.same_rows}.",
        "",
        *(f"- {remark}" for remark in figure.remarks),
        f"- {conditions_of(figure)}.",
    ]


def conditions_of(figure: Figure) -> str:
    """Say under which conditions a figure was measured, in one line."""
    return "; ".join(
        f"{_LABELS.get(name, name)} {value}" for name, value in figure.conditions.items()
    )


def _value(one: Measure) -> str:
    return f"{shown(one.value)} {one.unit}".strip()


def _spread(one: Measure) -> str:
    if len(one.samples) == 1:
        return "measured once"
    return f"{shown(min(one.samples))} to {shown(max(one.samples))}"
