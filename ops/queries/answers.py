"""How many of the web server's latest answers were failures, as its own log tells."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

# The end of the log is read; in it are the latest answers.
_READ = 16 << 20
# Of fewer a rate says nothing, unless each of at least so many failed.
FEWEST = 20
_FEWEST_ALL_FAILED = 3


@dataclass(frozen=True)
class Answers:
    """So many answers, and so many of them that failed on our side (5xx)."""

    count: int
    failed: int

    @property
    def rate(self) -> float:
        """Give the share that failed; of no answers, none."""
        return self.failed / self.count if self.count else 0.0

    @property
    def is_enough(self) -> bool:
        """Tell whether there are so many that their rate says something."""
        return self.count >= FEWEST

    def is_beyond(self, most: float) -> bool:
        """Tell whether more than so many percent failed, or each one of a few did."""
        # CloudWatch may tell of a failure before it tells of the call.
        if self.failed >= max(self.count, _FEWEST_ALL_FAILED):
            return True
        return self.is_enough and self.rate * 100 > most


def answers_since(log: Path, *, since: datetime) -> Answers:
    """Count the answers in a log of JSON lines. Raises OSError where there is none."""
    count = failed = 0
    with log.open("rb") as lines:
        size = lines.seek(0, os.SEEK_END)
        lines.seek(max(0, size - _READ))
        for line in lines:
            code = _code(line, since)
            count += code is not None
            failed += code is not None and code >= 500
    return Answers(count, failed)


def _code(line: bytes, since: datetime) -> int | None:
    """Give the status of an answer that the line tells of; of any other line, nothing."""
    try:
        told: dict[str, Any] = json.loads(line)
        at = datetime.fromisoformat(told["timestamp"])
        # A request that broke is told as failed, by its exception alone.
        if told["event"] == "request_failed":
            code = 500
        elif told["event"] == "request_finished":
            code = int(told["code"])
        else:
            return None
        return code if at >= since else None
    except (ValueError, KeyError, TypeError):
        return None
