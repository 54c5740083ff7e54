"""Gives manage.py its database: which commands need one, and which must not start any."""

import fcntl
import hashlib
import os
import sys
from pathlib import Path

from hospital.localdb.places import TABLES_MADE, LocalServicesFailed
from hospital.localdb.services import LocalServices, ensure, reserve

# They read code, not rows; starting servers for them would only be slow.
WITHOUT_DATABASE = {
    "alarms", "backups", "check", "collectstatic", "compilemessages", "dependencies",
    "diffsettings", "errorrate", "findstatic", "help", "localdb", "makemessages", "makemigrations",
    "run", "smoke", "spectacular", "startapp", "version",
}  # fmt: skip

# They make the tables themselves, or are asked what is missing of them.
WITHOUT_TABLES = {"drill", "migrate", "restore", "showmigrations", "sqlmigrate", "test"}


def bring_services(arguments: list[str]) -> None:
    """Put the addresses into the environment, and start the servers if the command needs them.

    Nothing happens where DATABASE_URL is set. Says one sentence and exits where it cannot help.
    """
    if os.environ.get("DATABASE_URL"):
        return
    command = arguments[1] if len(arguments) > 1 else "help"
    is_asking = {"-h", "--help", "--version"} & set(arguments[1:])
    needs_none = command in WITHOUT_DATABASE or command.startswith("-") or bool(is_asking)
    stage = os.environ.get("HOSPITAL_STAGE", "development")
    if stage != "development":
        if needs_none:
            return
        sys.exit(f"DATABASE_URL is not set: stage {stage} brings no database of its own.")
    try:
        services = reserve(data_dir())
        _announce(services)
        if needs_none or not _is_known(command):
            return
        if command == "restore":
            # Whoever restores knows that the database is gone, and wants another.
            (data_dir() / TABLES_MADE).unlink(missing_ok=True)
        running = ensure(data_dir())
    except LocalServicesFailed as error:
        sys.exit(str(error))
    if running != services:
        # Somebody else took a port that was ours, and the settings have read the old one already.
        for name in services.environment():
            del os.environ[name]
        os.execv(sys.executable, [sys.executable, *arguments])
    if command not in WITHOUT_TABLES:
        bring_tables(data_dir())


def bring_tables(folder: Path) -> None:
    """Migrate our own database where the migrations have changed since it was last done.

    A database that somebody else brought is migrated by whoever owns it, when he says so.
    """
    project = Path(__file__).resolve().parent.parent.parent
    sources = [*sorted(project.glob("*/migrations/*.py")), project / "requirements" / "run.txt"]
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()
    stamp = folder / TABLES_MADE
    # One at a time: two commands that start on an empty folder must not both make the tables.
    with (folder / "tables.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if stamp.exists() and stamp.read_text() == digest:
            return
        from django.core.management import call_command

        call_command("migrate", interactive=False, verbosity=0)
        stamp.write_text(digest)


def data_dir() -> Path:
    project = Path(__file__).resolve().parent.parent.parent
    return Path(os.environ.get("HOSPITAL_DATA_DIR") or project / "var")


def _announce(services: LocalServices) -> None:
    for name, value in services.environment().items():
        os.environ.setdefault(name, value)


def _is_known(command: str) -> bool:
    # A mistyped command is answered by Django at once, without a server started for it.
    import django
    from django.core.management import get_commands

    # Set up first: before that, Django would find its own commands alone and remember only those.
    django.setup()
    return command in get_commands()
