"""Restore a backup into a database, proven by counts and checksums."""

from __future__ import annotations

import getpass
from argparse import ArgumentParser, ArgumentTypeError
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError

from ops.management.manners import NOT_CARRIED_OUT, WRONG_ARGUMENTS, MannerlyCommand
from ops.management.progress import Progress
from ops.services.log_shipping import recovered_archive
from ops.services.rds import recover_instance
from ops.services.restoring import Archive, Restored, kept_archive, restore

LATEST = "latest"


def _moment(text: str) -> datetime | str:
    if text == LATEST:
        return LATEST
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        at = datetime.min
    if at.tzinfo is None:
        raise ArgumentTypeError(f"{text!r} is no time with an offset: 2026-11-28T03:10+01:00")
    return at


def _restored(options: dict[str, Any], say: Progress) -> Restored:
    """Restore by whichever means the place has; with RDS, a moment becomes a new instance."""
    by, why = options["by"] or getpass.getuser(), options["why"]
    if options["at"] and settings.RDS_INSTANCE:
        return recover_instance(to=options["to"], until=_until(options), by=by, why=why, say=say)
    with _archive(options, say) as archive:
        return restore(
            archive,
            to=options["to"],
            is_overwriting=options["overwrite"],
            by=by,
            why=why,
            say=say,
        )


def _archive(options: dict[str, Any], say: Progress) -> AbstractContextManager[Archive]:
    if options["backup"]:
        return kept_archive(options["backup"])
    return recovered_archive(_until(options), say=say, cluster=options["cluster"])


def _until(options: dict[str, Any]) -> datetime | None:
    at: datetime | str = options["at"]
    return at if isinstance(at, datetime) else None


class Command(MannerlyCommand):
    """`manage.py restore BACKUP --to DATABASE --why "…"`, or `--at` in place of a backup."""

    help = (
        "Restore a backup, or the log of changes as of a moment (--at), into a database of this"
        " server, prove it by counts and checksums, and let"
        " the record catch up with what came later. The database starts muted: manage.py unmute."
        " With HOSPITAL_RDS_INSTANCE, --at makes a new instance of RDS, and --to is its identifier."
        " Exits with 3 if it could not be done; then nothing half-restored is left."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare from what, into what, and for the record who and why."""
        parser.add_argument("backup", nargs="?", help="its name, as manage.py backups lists it")
        parser.add_argument(
            "--at", type=_moment, metavar="MOMENT",
            help="latest, or a time with its offset (2026-11-28T03:10+01:00), instead of a backup",
        )  # fmt: skip
        parser.add_argument(
            "--to", required=True, metavar="DATABASE",
            help="where to restore it; with --at on RDS the identifier of the new instance",
        )  # fmt: skip
        parser.add_argument(
            "--overwrite", action="store_true",
            help="take the place of a database that holds something; it is kept aside",
        )  # fmt: skip
        parser.add_argument(
            "--cluster", default="", metavar="ID",
            help="with --at: whose log, where those of several clusters are kept",
        )  # fmt: skip
        parser.add_argument("--why", required=True, help="the reason, for the record")
        parser.add_argument("--by", default="", help="who does it; else the system's user")

    def handle(self, *args: Any, **options: Any) -> None:
        """Restore, showing each step, and print what was measured, proven and lost."""
        if (options["backup"] is None) == (options["at"] is None):
            raise CommandError("Name a backup, or a moment with --at.", returncode=WRONG_ARGUMENTS)
        if options["overwrite"] and options["at"] and settings.RDS_INSTANCE:
            raise CommandError(
                "An instance of RDS is never overwritten: leave --overwrite out, and name a new one"
                " with --to.",
                returncode=WRONG_ARGUMENTS,
            )
        progress = Progress()
        try:
            restored = _restored(options, progress)
        finally:
            progress.end()
        for step, seconds in restored.seconds.items():
            self.stdout.write(f"{step:<12}{seconds:>8.1f} s")
        self._tell(restored)
        _require_whole(restored.report)

    def _tell(self, restored: Restored) -> None:
        report = restored.report
        self.stdout.write(_proof(report))
        self.stdout.write(
            f"It stood as of {report['stands_as_of']}, {report['seconds_behind']:,} s before it was"
            " asked for. So much of what people did is lost at most; files since then, and lines of"
            " the sealed trail, come back:"
        )
        for name, said in report["caught_up"].items():
            self.stdout.write(f"{name}: {said}")
        if report["kept_aside"]:
            self.stdout.write(f"What was there before is kept as {report['kept_aside']}.")
        if "address" in report:
            self.stdout.write(
                f"It is at {report['address']}. To use it, let no process use"
                f" {settings.RDS_INSTANCE} any more, and set DATABASE_URL and DATABASE_OWNER_URL to"
                f" that address and HOSPITAL_RDS_INSTANCE to {restored.database}."
            )
        self.stdout.write(
            f"{restored.database} is restored and muted: it takes nothing in until"
            " manage.py unmute."
        )


def _proof(report: dict[str, Any]) -> str:
    found = f"{report['tables']} tables, {report['rows']:,} rows"
    if "address" in report:
        return f"Read through: {found}. RDS keeps no figures to hold them against."
    return f"Proven: {found}, each as it was backed up."


def _require_whole(report: dict[str, Any]) -> None:
    if failed := report["not_caught_up"]:
        told = "; ".join(f"{name}: {why}" for name, why in failed.items())
        raise CommandError(
            f"It has not caught up with what came later. {told}. Mend that, then run"
            " manage.py catchup before you unmute it.",
            returncode=NOT_CARRIED_OUT,
        )
    if left := report.get("not_carried_over"):
        raise CommandError(
            f"It is restored, but it is not set up as its source is. {left}",
            returncode=NOT_CARRIED_OUT,
        )
