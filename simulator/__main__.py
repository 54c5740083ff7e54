"""The command line of the simulated hospital."""

import argparse
import random
import signal
import sys
import time
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from simulator.exports import open_hospital, tick


def main() -> int:
    parser = argparse.ArgumentParser(prog="simulator", description=__doc__)
    parser.add_argument("inbox", type=Path, help="folder that gets a sub-folder for each source")
    parser.add_argument("--interval", type=float, default=3.0, help="seconds between two looks")
    parser.add_argument("--seed", type=int, help="for the same hospital again")
    parser.add_argument("--patients", type=int, default=60, help="beds in use")
    parser.add_argument("--zone", default="Europe/Berlin", help="zone in which the systems write")
    parser.add_argument("--once", action="store_true", help="write what is due and stop")
    given = parser.parse_args()
    if given.patients < 3 or given.interval <= 0:
        parser.error("at least 3 patients, and an interval above 0")
    try:
        zone = ZoneInfo(given.zone)
    except (ZoneInfoNotFoundError, ValueError):
        parser.error(f"{given.zone} is no IANA time zone")
    seed = given.seed if given.seed is not None else random.randrange(10**9)
    hospital = open_hospital(given.inbox, seed=seed, size=given.patients)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    while True:
        tick(hospital, given.inbox, now=time.time(), zone=zone)
        if given.once:
            return 0
        time.sleep(given.interval)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(0)
