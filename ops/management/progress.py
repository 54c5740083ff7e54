"""What a command does at the moment: one line that changes on a terminal, and lines elsewhere."""

from __future__ import annotations

import sys
import time
from typing import TextIO

_WIDTH = 78
_SECONDS_BETWEEN_LINES = 5.0


class Progress:
    """Shows the present step; on a terminal in place, else a line every few seconds."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr
        self._is_terminal = self._stream.isatty()
        self._said_at = 0.0

    def __call__(self, step: str) -> None:
        """Show a step."""
        if self._is_terminal:
            self._stream.write(f"\r{step[:_WIDTH]:<{_WIDTH}}")
        elif time.monotonic() - self._said_at > _SECONDS_BETWEEN_LINES:
            self._said_at = time.monotonic()
            self._stream.write(f"{step}\n")
        self._stream.flush()

    def end(self) -> None:
        """Leave the line empty for what is said next."""
        if self._is_terminal:
            self._stream.write(f"\r{'':<{_WIDTH}}\r")
            self._stream.flush()
