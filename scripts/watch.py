"""Asks again and again, after a deployment, whether requests fail more often than they may.

    watch.py STAGE [--minutes N] [--every SECONDS]

Ends with 1 as soon as they do, so that the pipeline goes back. `manage.py errorrate` decides. What
could not be judged, because too few people asked, is said and takes nothing back: a deployment by
night would never stay.
"""

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
ASK = [sys.executable, "manage.py", "errorrate", "--minutes", "5"]
NOT_RUN = 77


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="watch.py")
    parser.add_argument("stage", choices=("dev", "staging", "production"))
    parser.add_argument("--minutes", type=float, default=15)
    parser.add_argument("--every", type=float, default=60, metavar="SECONDS")
    options = parser.parse_args(arguments)
    return watch(ASK, options.stage, seconds=options.minutes * 60, every=options.every)


def watch(ask: list[str], stage: str, *, seconds: float, every: float) -> int:
    """Ask until the time is over or the answer is bad; give the exit status."""
    until = time.monotonic() + seconds
    judged = 0
    while True:
        environment = os.environ | {"HOSPITAL_AWS_STAGE": stage}
        status = subprocess.run(ask, cwd=PROJECT, env=environment, check=False).returncode
        if status not in (0, NOT_RUN):
            return 1
        judged += status == 0
        if time.monotonic() + every >= until:
            break
        time.sleep(every)
    if not judged:
        # In the form that GitHub shows on the run's page; elsewhere it is a line like any other.
        print("::warning title=Watch::Not judged: too few answers, or their log is elsewhere.")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
