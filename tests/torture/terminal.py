"""Shows how far the torture is, and sets tables of numbers."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence


class Progress:
    """One line that is written over on a terminal; elsewhere a line every ten seconds."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._started = time.monotonic()
        self._shown_at = 0.0

    def show(self, done: int, of: int, remark: str = "") -> None:
        now = time.monotonic()
        is_terminal = sys.stderr.isatty()
        if done < of and now - self._shown_at < (0.2 if is_terminal else 10):
            return
        self._shown_at = now
        line = f"{self._what}: {done:,} of {of:,}, {now - self._started:.0f} s, {remark}"
        start, end = ("\r\x1b[K", "" if done < of else "\n") if is_terminal else ("", "\n")
        print(f"{start}{line}", end=end, file=sys.stderr, flush=True)


def table(heads: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A table in plain text: the first column to the left, numbers to the right."""
    cells = [list(heads), *([_cell(value) for value in row] for row in rows)]
    widths = [max(len(row[n]) for row in cells) for n in range(len(heads))]
    lines = []
    for row in cells:
        first, *others = (text.rjust(width) for text, width in zip(row, widths, strict=True))
        lines.append("  ".join([first.strip().ljust(widths[0]), *others]).rstrip())
    lines.insert(1, "  ".join("-" * width for width in widths))
    return "\n".join(lines)


def _cell(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) else str(value)
