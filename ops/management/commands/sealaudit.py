"""Seal the audit trail now."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError

from ops.management.manners import MannerlyCommand
from ops.services.sealing import SealsAhead, seal_trail, supersede
from ops.storage import UNREACHABLE


class Command(MannerlyCommand):
    """`manage.py sealaudit [--supersede --by NAME --why TEXT]`."""

    help = "Seal what the audit trail holds and no seal has yet; beat does it each 30 seconds."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the way out where the trail cannot be brought back."""
        parser.add_argument(
            "--supersede",
            action="store_true",
            help="go on beside seals in storage that cannot be brought back; they count no longer",
        )
        parser.add_argument("--by", help="who supersedes")
        parser.add_argument("--why", help="why it cannot be brought back")

    def handle(self, *args: Any, **options: Any) -> None:
        """Seal, and say what was sealed."""
        try:
            if options["supersede"]:
                if not options["by"] or not options["why"]:
                    raise CommandError("Say who supersedes (--by) and why (--why).", returncode=2)
                made = [supersede(by=options["by"], why=options["why"])]
            else:
                made = seal_trail()
        except SealsAhead as error:
            raise CommandError(f"{error} Nothing was sealed.") from error
        except UNREACHABLE as error:
            raise CommandError(
                f"The seals' storage refuses or does not answer ({type(error).__name__}): see"
                " HOSPITAL_SEAL_BUCKET or HOSPITAL_SEAL_DIR. Nothing was sealed; what is new is"
                " sealed once it answers."
            ) from error
        for seal in made:
            self.stdout.write(f"Seal {seal.number}: {seal.count} events, {seal.place}")
        if not made:
            self.stdout.write("Nothing new: everything is sealed.")
