"""The watch after a deployment: on a stand-in for the command that it asks, which decides."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.infra.scripts import load

script = load("watch")


def asks(tmp_path: Path, *statuses: int) -> list[str]:
    """A command that ends with these, one after the other, and with the last from then on."""
    count = tmp_path / "count"
    count.write_text("")
    code = (
        f"import pathlib, os; count = pathlib.Path({str(count)!r}); seen = count.read_text()\n"
        f"assert os.environ['HOSPITAL_AWS_STAGE'] == 'staging'\n"
        f"count.write_text(seen + 'x'); raise SystemExit({list(statuses)}[min(len(seen),"
        f" {len(statuses) - 1})])"
    )
    return [sys.executable, "-c", code]


def asked(tmp_path: Path) -> int:
    return len((tmp_path / "count").read_text())


def test_a_bad_answer_ends_it_at_once(tmp_path: Path) -> None:
    status = script.watch(asks(tmp_path, 0, 1, 0), "staging", seconds=60, every=0.01)

    assert status == 1
    assert asked(tmp_path) == 2


def test_a_command_that_breaks_is_no_good_answer(tmp_path: Path) -> None:
    assert script.watch(asks(tmp_path, 3), "staging", seconds=60, every=0.01) == 1


def test_good_answers_until_the_end_are_good(tmp_path: Path) -> None:
    assert script.watch(asks(tmp_path, 77, 0), "staging", seconds=1.5, every=0.4) == 0
    assert asked(tmp_path) >= 2


def test_what_could_never_be_judged_takes_nothing_back_and_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert script.watch(asks(tmp_path, 77), "staging", seconds=0.1, every=0.2) == 0
    assert "::warning title=Watch::Not judged" in capsys.readouterr().out
