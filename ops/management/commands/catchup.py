"""Bring a restored record to where it should be; for what failed when it was restored."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError

from ops.management.manners import NOT_CARRIED_OUT, MannerlyCommand
from ops.management.progress import Progress
from ops.services.restoring import catch_up


class Command(MannerlyCommand):
    """`manage.py catchup`: safe to repeat."""

    help = (
        "Take in what was received since the restored database was left: kept files, sealed events,"
        " the list of backups. Safe to repeat. Exits with 3 if any of it failed."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        """Catch up, showing each step."""
        progress = Progress()
        try:
            said, failed = catch_up(say=progress)
        finally:
            progress.end()
        for name, words in said.items():
            self.stdout.write(f"{name}: {words}")
        if failed:
            told = "; ".join(f"{name}: {why}" for name, why in failed.items())
            raise CommandError(f"Not caught up. {told}", returncode=NOT_CARRIED_OUT)
