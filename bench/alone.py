"""Ingests one file in a process of its own and tells what that took: a program, never imported.

    python -m bench.alone FILE      prints {"seconds", "rows", "created", "rejected", "peak", …}

Memory is the largest that this process held since it began, in bytes; that of processes which it
may have started is told apart.
"""

import json
import resource
import sys
import time
from pathlib import Path

import django

_UNIT = 1 if sys.platform == "darwin" else 1024


def main(path: Path) -> None:
    """Ingest and print."""
    django.setup()
    from ingestion.services.receiving import ingest
    from ingestion.storage import local_object

    started = time.perf_counter()
    file = ingest(local_object(path)).file
    told = {
        **file.ledger,
        "status": file.status,
        "seconds": time.perf_counter() - started,
        "peak": _peak(),
        "peak_of_children": resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * _UNIT,
    }
    print(json.dumps(told))


def _peak() -> int:
    """The high-water mark of this program. `ru_maxrss` may still hold that of whoever started it:
    Linux hands it on when a process becomes another program."""
    try:
        lines = Path("/proc/self/status").read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _UNIT
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) * 1024


if __name__ == "__main__":
    main(Path(sys.argv[1]))
