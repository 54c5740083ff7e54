"""Checks the migrations: none is missing, and none would break the version that runs beside it.

Needs a database, to see the SQL; takes one of its own below .cache/, never the record in var/.
"""

import os
import sys
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent


# What the linter refuses and somebody has read: a unique constraint gives way to a weaker one; and
# one is over a column that is new and that the version before leaves empty, which does not count.
LOOKED_AT = {"0005_a_line_counts_once_a_reading", "0002_looks_and_seals"}


def main() -> int:
    os.environ.pop("DATABASE_URL", None)
    os.environ |= {
        "HOSPITAL_DATA_DIR": str(PROJECT / ".cache" / "checks"),
        "DJANGO_SETTINGS_MODULE": "hospital.settings",
    }
    from hospital import localdb

    folder = Path(os.environ["HOSPITAL_DATA_DIR"])
    os.environ |= localdb.ensure(folder, durable=False).environment()
    try:
        return 1 if is_one_missing() or would_one_break_something() else 0
    finally:
        localdb.stop(folder)


def is_one_missing() -> bool:
    import django
    from django.core.management import call_command

    django.setup()
    try:
        call_command("makemigrations", check_changes=True, dry_run=True)
    except SystemExit:
        return True
    return False


def would_one_break_something() -> bool:
    from django_migration_linter import MigrationLinter

    ours = ["alerts", "api", "hospital", "ingestion", "ops"]
    # A first migration meets no older version of the application and no rows.
    linter = MigrationLinter(
        str(PROJECT),
        include_apps=ours,
        no_cache=True,
        ignore_initial_migrations=True,
        ignore_name=LOOKED_AT,
    )
    linter.lint_all_migrations()
    linter.print_summary()
    return bool(linter.has_errors)


if __name__ == "__main__":
    sys.exit(main())
