"""Hold the audit trail against its seals."""

import getpass
from argparse import ArgumentParser
from datetime import date
from typing import Any

from django.core.management.base import CommandError

from ops.management.manners import MannerlyCommand
from ops.services.verifying import Report, verify_storage, verify_trail
from ops.storage import UNREACHABLE

_EACH = 1_000


class Command(MannerlyCommand):
    """`manage.py auditverify [--since DAY] [--storage-only] [--by NAME]`."""

    help = (
        "Find every edit, insertion, re-ordering and removal in what is sealed, in the database"
        " and in storage, and say where. Exits with 1 if there is any."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare which part is looked at."""
        parser.add_argument(
            "--since", type=date.fromisoformat, metavar="YYYY-MM-DD", help="from this day (UTC) on"
        )
        parser.add_argument(
            "--storage-only", action="store_true", help="the seals alone; the database is not asked"
        )
        parser.add_argument("--by", default="", help="who verifies; your account here if not given")

    def handle(self, *args: Any, **options: Any) -> None:
        """Verify, and print each finding."""
        try:
            report = self._verified(**options)
        except UNREACHABLE as error:
            raise CommandError(
                f"The seals' storage refuses or does not answer ({type(error).__name__}): see"
                " HOSPITAL_SEAL_BUCKET or HOSPITAL_SEAL_DIR. Nothing was verified.",
                returncode=3,
            ) from error
        for finding in report.findings:
            self.stdout.write(self.style.ERROR(str(finding)))
        self.stdout.write(_summary(report))
        if report.findings:
            raise CommandError(
                f"{len(report.findings)} findings. The trail is not as it was sealed: keep database"
                " and storage as they are, and call the security officer."
            )

    def _verified(self, **options: Any) -> Report:
        if options["storage_only"]:
            return verify_storage(on_seal=self._tell)
        return verify_trail(
            by=options["by"] or getpass.getuser(), since=options["since"], on_seal=self._tell
        )

    def _tell(self, number: int) -> None:
        if number % _EACH == 0:
            self.stderr.write(f"… seal {number}")


def _summary(report: Report) -> str:
    words = f"{report.scope}: {report.seals} seals with {report.events} events"
    if report.superseded:
        words += f", {report.superseded} superseded"
    if report.newest is not None:
        words += f"; the newest is seal {report.newest.number} of {report.newest.at:%Y-%m-%d %H:%M}"
    return f"{words}. {len(report.findings) or 'No'} findings."
