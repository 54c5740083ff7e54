"""Gives a test run a PostgreSQL of its own, before Django reads its settings. A pytest plugin.

Loaded by `-p` in pyproject.toml, because pytest-django reads the settings before any conftest.
Two runs never meet: each holds one numbered folder below .cache/test-db, with its own server and
its own HOSPITAL_DATA_DIR; the next run finds the cluster and saves the second that making it costs.
Tests connect as the owner, who may create test databases; a test of what the application may do
says SET ROLE vigil_app. TEST_DATABASE_URL names another server. DATABASE_URL is not honoured: it
may point at a hospital's record.
"""

import fcntl
import os
import shutil
from pathlib import Path

import pytest

from hospital import localdb

PROJECT = Path(__file__).resolve().parent.parent.parent
FOLDERS = PROJECT / ".cache" / "test-db"

_held: list[int] = []  # the lock lives as long as this process, however it ends


def pytest_unconfigure(config: pytest.Config) -> None:
    if _held and not hasattr(config, "workerinput"):
        localdb.stop(_folder / "server")


def _take_folder() -> Path:
    """The first numbered folder that no other run holds."""
    number = 1
    while True:
        folder = FOLDERS / str(number)
        folder.mkdir(parents=True, exist_ok=True)
        handle = os.open(folder / "held", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            number += 1
            continue
        _held.append(handle)
        return folder


def _prepare(folder: Path) -> None:
    data = folder / "hospital"
    shutil.rmtree(data, ignore_errors=True)
    data.mkdir(mode=0o700)
    for name in [name for name in os.environ if name.startswith("HOSPITAL_")]:
        del os.environ[name]  # a test must not depend on who runs it
    owner = os.environ.get("TEST_DATABASE_URL")
    if not owner:
        owner = localdb.ensure(folder / "server", durable=False).owner_url
    os.environ |= {
        "DATABASE_URL": owner,
        "DATABASE_OWNER_URL": owner,
        "HOSPITAL_DATA_DIR": str(data),
        "HOSPITAL_STAGE": "development",
        "HOSPITAL_TIME_ZONE": "Europe/Berlin",
        "HYPOTHESIS_STORAGE_DIRECTORY": str(PROJECT / ".cache" / "hypothesis"),
    }
    for name in ("CELERY_BROKER_URL", "CACHE_URL", "DATABASE_PASSWORDS", "DATABASE_READER_URL"):
        os.environ.pop(name, None)


_folder = FOLDERS
# The workers of pytest-xdist inherit the environment of the run that started them.
if "PYTEST_XDIST_WORKER" not in os.environ:
    _folder = _take_folder()
    _prepare(_folder)
