"""The bench works: with small sizes, on a server of its own, each variant stores the same rows.

No time that it takes is judged here. Figures 5 and 9 start processes of their own and are left out:
memory has its test in tests/budgets, and from inbox to screen is a journey.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tests.journeys.hospital import PROJECT


def test_a_quick_look_measures_variants_that_all_stored_and_rejected_the_same(
    tmp_path: Path,
) -> None:
    done = subprocess.run(
        [
            *(sys.executable, "-m", "bench", "--quick"),
            *("--only", "1,2,3,4,10", "--results", str(tmp_path)),
        ],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
        timeout=180,
    )

    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    told = json.loads((tmp_path / "figures.json").read_text())["figures"]
    assert {figure["number"]: figure["same_rows"] for figure in told} == {
        1: "lis.lab_tests: 1998 rows stored, 2 rejected by all",
        2: "all values of 1998 rows; 2 rejected by all; row by row the same for the first 100",
        3: "the replay left all values of 1998 rows as they were and rejected the same 2",
        4: "6 single rows stored by both, 200 by the thousand, none rejected",
        10: "the same 2 000 rows for 1 files each: stored and rejected alike in both",
    }


def test_a_figure_that_is_not_measured_here_is_refused_and_nothing_is_started(
    tmp_path: Path,
) -> None:
    done = subprocess.run(
        [*(sys.executable, "-m", "bench"), *("--only", "7", "--results", str(tmp_path / "none"))],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert done.returncode == 2
    assert "figures are 1, 2, 3, 4, 5, 9, 10, not '7'" in done.stderr
    assert not (tmp_path / "none").exists()
