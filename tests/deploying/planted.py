"""Migrations that are in no release: planted beside those of the alerts for one test."""

from __future__ import annotations

import importlib
import itertools
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.core.management import call_command
from django.db import connection
from django.test import override_settings

import alerts.migrations

LAST = max(path.stem for path in Path(alerts.migrations.__file__).parent.glob("0*.py"))
_numbers = itertools.count()

_SOURCE = """\
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("alerts", "{before}")]
    {more}
    operations = [{operations}]
"""
NEW_TABLE = """migrations.CreateModel("Idea", [("id", models.BigAutoField(primary_key=True)),
    ("words", models.TextField())], {"db_table": "alerts_idea"})"""
NEW_COLUMN = """migrations.AddField("alertrule", "colour",
    models.TextField(null=True, db_column="colour"))"""
DROPPED_COLUMN = 'migrations.RemoveField("alertrule", "second_tier_hours")'
FAILS = 'migrations.RunSQL("SELECT 1/0", "SELECT 1")'
NEW_INDEX = 'migrations.RunSQL("CREATE INDEX idea_index ON alerts_alertrule (id)", "SELECT 1")'


def source(operations: str, before: str, more: str = "") -> str:
    """Write a migration."""
    return _SOURCE.format(before=before, more=more, operations=operations)


@contextmanager
def planted(folder: Path, *sources: tuple[str, str]) -> Iterator[None]:
    """Let the alerts have these migrations, too, one after another: operations, and more words.

    Afterwards the schema is as it was.
    """
    package = folder / f"planted_{next(_numbers)}"
    package.mkdir()
    original = str(Path(alerts.migrations.__file__).parent)
    (package / "__init__.py").write_text(f"__path__.append({original!r})\n")
    before = LAST
    for number, (operations, more) in enumerate(sources, start=9001):
        name = f"{number}_planted"
        (package / f"{name}.py").write_text(source(operations, before, more))
        before = name
    sys.path.insert(0, str(folder))
    importlib.invalidate_caches()
    try:
        with override_settings(MIGRATION_MODULES={"alerts": package.name}):
            try:
                yield
            finally:
                connection.close()
                call_command("migrate", "alerts", LAST, verbosity=0, interactive=False)
    finally:
        sys.path.remove(str(folder))
