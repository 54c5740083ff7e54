"""manage.py dependencies: hold what is installed against what is locked."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError

from ops.management.manners import WRONG_ARGUMENTS, MannerlyCommand
from ops.queries.installed import installed_otherwise, locked


class Command(MannerlyCommand):
    """`manage.py dependencies [--lock FILE]`."""

    help = "Say which package is installed otherwise than locked. Exits with 1 if there is one."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the lock."""
        parser.add_argument("--lock", type=Path, help="default: requirements/run.txt")

    def handle(self, *args: Any, **options: Any) -> None:
        """Print each difference."""
        try:
            requirements = locked(options["lock"])
        except (OSError, ValueError) as error:
            words = error.strerror if isinstance(error, OSError) else error
            raise CommandError(
                f"The lock cannot be read: {words}.", returncode=WRONG_ARGUMENTS
            ) from error
        if not requirements:
            raise CommandError("The lock names no package.", returncode=WRONG_ARGUMENTS)
        different = installed_otherwise(requirements)
        for words in different:
            self.stdout.write(words)
        if different:
            raise CommandError(
                f"{len(different)} of {len(requirements)} packages are not as locked: `make setup`"
                " installs what is."
            )
        self.stdout.write(f"All {len(requirements)} locked packages are installed as locked.")
