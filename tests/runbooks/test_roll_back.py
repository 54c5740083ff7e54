"""A bad upgrade, with a migration and a broken page, is rolled back, and nothing is lost.

The place runs from a repository of its own, in which the version of before and the bad one are.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.house.test_docs import tracked
from tests.runbooks.pages import Runbook
from tests.runbooks.places import Browser, Hospital
from tests.stage.test_run import PROJECT

MIGRATION = """\
from django.db import migrations

class Migration(migrations.Migration):
    dependencies = [("alerts", "{before}")]
    operations = [
        migrations.RunSQL(
            "CREATE TABLE alerts_bad_idea (id integer);"
            "UPDATE auth_user SET first_name = 'Spoilt'",
            "DROP TABLE alerts_bad_idea",
        ),
    ]
"""
TABLE = "SELECT to_regclass('alerts_bad_idea') IS NOT NULL"
# The account of the smoke tests is made anew at a start, and was never spoilt.
OLGA = "SELECT first_name FROM auth_user WHERE username = 'olga'"


def git(code: Path, *arguments: str) -> str:
    who = ("-c", "user.name=Vigil", "-c", "user.email=vigil@example.org")
    return subprocess.check_output(["git", *who, *arguments], cwd=code, text=True).strip()


@pytest.fixture(name="place")
def _place(tmp_path: Path) -> Iterator[Hospital]:
    code = tmp_path / "code"
    for path in tracked():
        room = path.relative_to(PROJECT)
        if room.parts[0] not in {"frontend", "tests", "bench", "docs"}:
            (code / room).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, code / room)
    (code / "frontend").mkdir()
    if (PROJECT / "frontend" / "dist").exists():
        (code / "frontend" / "dist").symlink_to(PROJECT / "frontend" / "dist")
    git(code, "init", "--quiet", "--initial-branch=main")
    git(code, "add", "--all", "--force")
    git(code, "commit", "--quiet", "--message", "The version of before")
    place = Hospital(tmp_path / "data", code=code)
    try:
        yield place
    finally:
        place.end()


def upgrade_badly(code: Path) -> None:
    """Bring a version that breaks a page and spoils rows."""
    migrations = code / "alerts" / "migrations"
    before = max(path.stem for path in migrations.glob("0*.py"))
    (migrations / "9999_bad_idea.py").write_text(MIGRATION.format(before=before))
    (code / "hospital" / "templates" / "account" / "login.html").write_text("{% no such tag %}")
    git(code, "add", "--all")
    git(code, "commit", "--quiet", "--message", "A bad idea")


def test_a_bad_upgrade_is_rolled_back_and_where_it_spoilt_rows_its_backup_comes_back(
    place: Hospital,
) -> None:
    book = Runbook.read("roll-back")
    book.instead = {"make run": place.start}
    place.manage("backup", "daily")
    place.start()
    place.make_user("olga")
    place.admit("U-due", hours=60)
    key = place.order("lab", "U-other", hours=5)
    assert place.ingested(key)
    commit = git(place.code, "rev-parse", "HEAD")
    backup = place.back_up()
    place.stop()
    upgrade_badly(place.code)
    place.start()
    late = place.order("lab", "U-other", hours=4)
    assert place.ingested(late)
    alerts = place.alerts()

    book.do("1", place)
    (listed,) = book.do("2", place)
    number = listed.split()[0]
    (told,) = book.do("3", place, NUMBER=number)
    assert commit in told
    back = told.partition("to go back")[2].split()
    assert back[:4] == ["manage.py", "migrate", "alerts", back[3]]
    book.do("4", place, YOU="olga")
    assert place.ask(TABLE) == {(True,)}
    book.by_hand("5", place.stop)
    book.do("B2", place, APP="alerts", MIGRATION=back[3])
    assert place.ask(TABLE) == {(False,)}
    book.do("A1", place, COMMIT=commit)
    book.do("A2", place)
    book.do("6", place)
    book.do("7", place, NUMBER=str(int(number) + 1), STATE="observed")
    assert place.alerts() == alerts
    assert place.ask(OLGA) == {("Spoilt",)}

    place.stop()
    book.do("C1", place, BACKUP=backup, YOU="olga")
    place.start()
    book.do("C2", place, YOU="olga")
    assert place.ask(OLGA) == {("",)}
    assert place.alerts().keys() == alerts.keys()
    assert place.ingested(late)
    book.do("6", place)
    assert Browser(place).sign_in("olga")
    # A stage on AWS: tests/deploying/test_runbook.py.
    assert book.left() == ["D1", "D2", "D3"]
