"""One picture of all figures: how far each is beyond its goal, or short of it."""

from __future__ import annotations

from pathlib import Path

from bench.figures import Figure, Goal, Measure, shown

_MET, _MISSED = "#1b7f5c", "#b3401f"


def draw(figures: list[Figure], path: Path) -> None:
    """Draw a bar for each goal, from the goal to what was measured. Needs matplotlib."""
    import matplotlib as mpl  # pylint: disable=import-error  # installed by make bench alone

    mpl.use("Agg")
    from matplotlib import pyplot  # pylint: disable=import-error

    bars = [
        (f"{figure.number}  {one.name}", one, one.goal)
        for figure in figures
        for one in figure.measures
        if one.goal and one.goal.bound and one.value
    ]
    bars.reverse()
    chart, axes = pyplot.subplots(figsize=(11, 1.6 + 0.48 * len(bars)), layout="constrained")
    shares = [goal.share_reached(one.value) for _, one, goal in bars]
    axes.barh(
        range(len(bars)),
        [share - 1 for share in shares],
        left=1,
        color=[_MET if goal.is_met_by(one.value) else _MISSED for _, one, goal in bars],
        height=0.62,
    )
    axes.axvline(1, color="black", linewidth=1.2)
    axes.set_xscale("log", base=2)
    axes.set_xlim(min([0.4, *(share / 2.2 for share in shares)]), max([2.5, *shares]) * 2.6)
    axes.set_yticks(range(len(bars)), [name for name, _, _ in bars])
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}×")
    axes.set_xlabel("how far towards the goal: 1× is the goal, further right is better")
    for place, (share, (_, one, goal)) in enumerate(zip(shares, bars, strict=True)):
        axes.annotate(
            _label(one, goal),
            (share, place),
            xytext=(6 if share >= 1 else -6, 0),
            textcoords="offset points",
            ha="left" if share >= 1 else "right",
            va="center",
            fontsize=9,
        )
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.set_title("Measured figures beside their goals (green: met, red: missed)", loc="left")
    chart.savefig(path, dpi=150, metadata={"Software": None})
    pyplot.close(chart)


def _label(one: Measure, goal: Goal) -> str:
    return f"{shown(one.value)} {one.unit}".strip() + f"  (goal {goal})"
