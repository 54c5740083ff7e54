"""Memory does not grow with the file: a night's backlog must not take the machine down.

Measured on the command line in a process of its own, against a data folder of its own.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.journeys.hospital import PROJECT, LiveHospital

_HEADER = "test_id,patient_id,test_name,order_date,order_time,ordering_physician,status"
# Reports the largest memory of the command that it ran, in KiB.
_MEASURE = (
    "import resource, subprocess, sys;"
    "subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL);"
    "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
)
_UNIT = 1 if sys.platform == "darwin" else 1024


@pytest.fixture(scope="module")
def hospital(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveHospital]:
    idle = LiveHospital(tmp_path_factory.mktemp("hospital"))
    idle.manage("migrate", "--verbosity=0")
    yield idle
    idle.manage("localdb", "stop")


def a_file_of(rows: int, folder: Path) -> Path:
    path = folder / f"tests-{rows}-2025-03-20T05-20-00Z.csv"
    with path.open("w", encoding="utf-8") as export:
        export.write(_HEADER + "\n")
        export.writelines(
            f"T{rows}-{n},P{n % 997},Sodium,3/{n % 18 + 1}/2025,{n % 12 + 1}:05 PM,Dr. Who,Final\n"
            for n in range(rows)
        )
    return path


def peak_memory(hospital: LiveHospital, path: Path) -> int:
    """The largest memory of `manage.py ingest`, in bytes."""
    command = [sys.executable, str(PROJECT / "manage.py"), "ingest", str(path)]
    done = subprocess.run(
        [sys.executable, "-c", _MEASURE, *command],
        env=hospital.environment,
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
    )
    return int(done.stdout) * _UNIT


def test_a_file_ten_times_as_long_takes_no_more_memory(
    hospital: LiveHospital, tmp_path: Path
) -> None:
    small = peak_memory(hospital, a_file_of(5_000, tmp_path))
    large = peak_memory(hospital, a_file_of(50_000, tmp_path))
    assert large < 160_000_000
    assert large / small < 1.25
