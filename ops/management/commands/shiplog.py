"""Ship what the log has gained, at once: before a planned stop, or to see that it works."""

from __future__ import annotations

from typing import Any

from ops.management.manners import MannerlyCommand
from ops.services.log_shipping import own_log, ship


class Command(MannerlyCommand):
    """`manage.py shiplog`."""

    help = (
        "Keep what was written to the database's log since it was last shipped. The keeper does so"
        " every 20 seconds. Exits with 3 where the log is another's to keep."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        """Ship, and say how much that was."""
        own_log()
        self.stdout.write(f"{ship()} segments of the log were shipped.")
