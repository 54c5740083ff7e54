"""Two versions of the application work on one schema, as they do while a deployment lasts.

The schema is the later version's. The earlier one, whole and from a folder of its own, is ready,
takes files in, raises alerts and answers people, while the later one works on the same record.
Once the earlier version is the last release before migrations were added, from this repository's
history; where that is not there (a shallow clone), and beside it, the later version is made up:
this code with migrations of the kinds that a deployment lets pass.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from fnmatch import fnmatch
from pathlib import Path

import pytest

from hospital import localdb
from tests.deploying.planted import LAST, NEW_COLUMN, NEW_TABLE, source
from tests.house.test_docs import tracked
from tests.runbooks.places import Browser, Hospital
from tests.stage.test_run import PROJECT, eventually

_MIGRATIONS = "*/migrations/0*.py"


def _git(*words: str) -> str:
    done = subprocess.run(["git", *words], cwd=PROJECT, capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else ""


def _could_have_run(commit: str) -> bool:
    """Tell whether a commit knows fewer migrations than now, none by another name, none twice.

    While work was put together, some commits had two of one number: nobody could run those.
    """
    files = set(_git("ls-tree", "-r", "--name-only", commit).splitlines())
    known = {name for name in files if fnmatch(name, _MIGRATIONS)}
    now = {path.relative_to(PROJECT).as_posix() for path in tracked(_MIGRATIONS)}
    numbers = [name.partition("_")[0] for name in known]
    return bool(known) and known < now and len(set(numbers)) == len(numbers)


@contextmanager
def before_the_newest_migrations(folder: Path) -> Iterator[Path]:
    """Check out what came before the newest migrations. Skips where history is not there."""
    touched = _git("log", "-20", "--format=%H", "--", _MIGRATIONS).split()
    before = next((f"{each}^" for each in touched if _could_have_run(f"{each}^")), "")
    if not before:
        pytest.skip("The history of this repository does not reach so far: a shallow clone.")
    _git("worktree", "add", "--detach", str(folder), before)
    try:
        yield folder
    finally:
        _git("worktree", "remove", "--force", str(folder))


def with_more_migrations(folder: Path) -> Path:
    """Copy this code, and give it migrations that a deployment lets pass."""
    for path in tracked():
        room = path.relative_to(PROJECT)
        if room.parts[0] not in {"frontend", "tests", "bench", "docs", "infra"}:
            (folder / room).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, folder / room)
    (folder / "frontend").mkdir()
    operations = f"{NEW_COLUMN}, {NEW_TABLE}"
    (folder / "alerts" / "migrations" / "9001_planted.py").write_text(source(operations, LAST))
    return folder


def ready(place: Hospital) -> bool:
    with urllib.request.urlopen(f"http://127.0.0.1:{place.port}/readyz", timeout=10) as answer:
        return bool(answer.status == 200)


def work_side_by_side(folder: Path, *, earlier: Path, later: Path) -> None:
    """Let both work on the later version's schema, and hold what each does against the other."""
    new = Hospital(folder / "data", code=later)
    old = Hospital(folder / "data", code=earlier)
    try:
        new.manage("backup", "daily")  # makes the tables; and the keeper makes none meanwhile
        applied = new.ask("SELECT count(*) FROM django_migrations")
        old.start()
        old.make_user("olga")
        assert ready(old)
        assert new.ask("SELECT count(*) FROM django_migrations") == applied

        old.admit("U-due", hours=60)
        key = old.order("lab", "U-other", hours=5)

        assert old.ingested(key)
        assert eventually(lambda: old.alerts().keys() == {"U-due"})
        assert old.overdue() == new.overdue()
        assert json.loads(new.manage("books", "--json").splitlines()[-1])["balanced"] is True
        browser = Browser(old)
        assert browser.sign_in("olga")
        patients = json.loads(browser.get("/api/v1/patients/"))
        assert "U-due" in json.dumps(patients)
    finally:
        old.end()
        localdb.stop(folder / "data")


def test_the_version_before_the_newest_migrations_works_on_the_schema_of_now(
    tmp_path: Path,
) -> None:
    with before_the_newest_migrations(tmp_path / "earlier") as earlier:
        work_side_by_side(tmp_path, earlier=earlier, later=PROJECT)


def test_the_version_of_now_works_on_a_schema_that_grew_as_a_deployment_allows(
    tmp_path: Path,
) -> None:
    later = with_more_migrations(tmp_path / "later")
    work_side_by_side(tmp_path, earlier=PROJECT, later=later)
