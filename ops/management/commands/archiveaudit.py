"""Let old events leave the trail's table."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError

from ops.management.manners import MannerlyCommand
from ops.services.archiving import archivable, archive_trail


class Command(MannerlyCommand):
    """`manage.py archiveaudit --older-than-days N (--dry-run | --by NAME --why TEXT)`."""

    help = (
        "Take sealed events out of the database that are older than the retention. Their seals in"
        " storage are held against the chain first, and are their only copy from then on."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare how old, who and why."""
        parser.add_argument("--older-than-days", type=int, required=True, metavar="N")
        parser.add_argument("--dry-run", action="store_true", help="say what would leave")
        parser.add_argument("--by", default="", help="who archives")
        parser.add_argument("--why", default="", help="why; it stays on record")

    def handle(self, *args: Any, **options: Any) -> None:
        """Archive, or say what would be archived."""
        days = options["older_than_days"]
        if options["dry_run"]:
            self._tell(days)
            return
        made = archive_trail(older_than_days=days, by=options["by"], why=options["why"])
        if made is None:
            self.stdout.write("No seal is that old. Nothing was archived.")
        else:
            self.stdout.write(
                f"Archived: {made.events} events of seals {made.first_seal} to {made.last_seal}."
                " Their objects in storage are now their only copy."
            )

    def _tell(self, days: int) -> None:
        found = archivable(older_than_days=days)
        for each in found.findings:
            self.stdout.write(self.style.ERROR(each))
        if not found.last:
            self.stdout.write("No seal is that old. Nothing would be archived.")
        elif found.findings:
            raise CommandError(f"{len(found.findings)} findings: nothing could be archived.")
        else:
            self.stdout.write(
                f"Would be archived: {found.events} events of seals {found.first} to {found.last}."
            )
