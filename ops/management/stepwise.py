"""A command that takes steps: each printed as it is over, and an orderly end when it is stopped.

Knows the terminal and signals. Must not know what the steps do.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from django.core.management.base import OutputWrapper

from ops.management.progress import Progress
from ops.services.procedure import Came


@contextmanager
def stepwise(out: OutputWrapper) -> Iterator[tuple[Progress, Callable[[Came], None]]]:
    """Give what shows the present step, and what prints one that is over.

    Meanwhile SIGTERM counts as Ctrl-C: who is cancelled still ends in order, unlike who is killed.
    """
    progress = Progress()

    def tell(came: Came) -> None:
        progress.end()
        out.write(f"{came.outcome.label:<8} {came.name:<18} {came.seconds:7.1f} s  {came.words}")

    former = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield progress, tell
    finally:
        signal.signal(signal.SIGTERM, former)
        progress.end()
