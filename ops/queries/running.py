"""What runs at this place: version, commit, migrations, frontend, and which settings are set.

Knows no value of a secret: of such a setting only that it is set.
"""

from __future__ import annotations

import functools
import hashlib
import os
import re
import subprocess
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from django.conf import settings
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder

_SETTING = re.compile(
    r"HOSPITAL_\w+|DATABASE_URL|DATABASE_OWNER_URL|CELERY_BROKER_URL|CACHE_URL|PG_BIN_DIR"
)
_SECRET = re.compile(r"KEY|SECRET|PASSW|TOKEN|CREDENTIAL|_URL$")
# They say which place it is, and differ by nature.
_OF_THE_PLACE = {"HOSPITAL_STAGE", "HOSPITAL_COMMIT"}


@dataclass(frozen=True)
class Running:
    """What runs at one place. `settings` gives each name a mark that tells values apart."""

    stage: str
    version: str
    commit: str
    frontend_version: str
    migrations: dict[str, str]
    settings: dict[str, str]


def what_runs_here() -> Running:
    """Look at this place: one question to the database, a few files."""
    return Running(
        stage=settings.STAGE,
        version=settings.VERSION,
        commit=running_commit(),
        frontend_version=frontend_version(),
        migrations=applied_migrations(),
        settings=marked_settings(),
    )


def applied_migrations() -> dict[str, str]:
    """Give the last applied migration of each application."""
    applied = MigrationRecorder(connection).migration_qs.order_by("app", "name")
    return dict(applied.values_list("app", "name"))


def migrations_before(at: datetime) -> dict[str, str]:
    """Give the last migration of each application that had been applied by then."""
    applied = MigrationRecorder(connection).migration_qs.filter(applied__lte=at)
    return dict(applied.order_by("app", "name").values_list("app", "name"))


def migrations_between(before: dict[str, str], after: dict[str, str]) -> dict[str, dict[str, str]]:
    """Give the applications whose last migration changed, from which to which."""
    return {
        app: {"from": before.get(app, ""), "to": after.get(app, "")}
        for app in sorted({*before, *after})
        if before.get(app) != after.get(app)
    }


def frontend_version() -> str:
    """Give what tells one built board from another; nothing where none was built."""
    page = Path(settings.FRONTEND_DIST) / "index.html"
    try:
        return hashlib.sha256(page.read_bytes()).hexdigest()[:12]
    except OSError:
        return ""


@functools.cache
def running_commit() -> str:
    """Give the commit of the code: as set, else as git knows it; nothing where neither does."""
    if settings.COMMIT:
        return str(settings.COMMIT)
    try:
        done = subprocess.run(
            ["git", "rev-parse", "HEAD"],
            cwd=settings.BASE_DIR,
            capture_output=True,
            text=True,
            timeout=5,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    found = done.stdout.strip()
    return found if re.fullmatch(r"[0-9a-f]{40}", found) else ""


def marked_settings() -> dict[str, str]:
    """Give the names of all settings that are set, each with a mark of its value.

    Of whatever may hold a secret the mark says only that it is set: a short secret could be
    guessed from its hash.
    """
    return {
        name: "set" if _SECRET.search(name) else _mark(name, value)
        for name, value in sorted(os.environ.items())
        if _SETTING.fullmatch(name) and name not in _OF_THE_PLACE
    }


def _mark(name: str, value: str) -> str:
    return hashlib.sha256(f"{name}={value}".encode()).hexdigest()[:12]
