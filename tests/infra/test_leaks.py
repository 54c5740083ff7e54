"""The search for secrets finds them: in a repository of its own, in which some were left."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.infra.scripts import load

leaks = load("leaks")
# In parts, so that this file holds none.
KEY = "AKIA" + "IOSFODNN7EXAMPLE"[:15] + "Q"
PRIVATE = "-----BEGIN RSA " + "PRIVATE KEY-----"
PASSWORD = "pass" + 'word = "correct-horse-battery"'


@pytest.fixture(name="repository")
def _repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    subprocess.run(["git", "init", "--quiet", str(tmp_path)], check=True)
    monkeypatch.setattr(leaks, "PROJECT", tmp_path)
    (tmp_path / "tests").mkdir()
    (tmp_path / "README.md").write_text("postgres://vigil:password@db.example/vigil\n")
    (tmp_path / "tests" / "test_one.py").write_text(f"{PASSWORD}\n")
    return tmp_path


def test_where_there_is_none_it_says_so(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert leaks.main() == 0
    assert capsys.readouterr().out == "2 files, no secret\n"


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("deploy.sh", f"export AWS_ACCESS_KEY_ID={KEY}"),
        ("tests/test_two.py", f'KEY = "{KEY}"'),
        ("tests/key.pem", PRIVATE),
        ("settings.py", PASSWORD),
    ],
)
def test_one_that_was_left_is_found(
    name: str, line: str, repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (repository / name).write_text(f"{line}\n")

    assert leaks.main() == 1
    said = capsys.readouterr().out
    assert f"{name}:1" in said
    assert "withdraw it first" in said


def test_one_that_is_none_says_so_on_its_line(repository: Path) -> None:
    (repository / "settings.py").write_text(f"{PASSWORD}  # pragma: allowlist secret\n")
    assert leaks.main() == 0


def test_what_git_ignores_is_left_alone(repository: Path) -> None:
    (repository / ".gitignore").write_text(".env\n")
    (repository / ".env").write_text(f"{PASSWORD}\n")
    assert leaks.main() == 0
