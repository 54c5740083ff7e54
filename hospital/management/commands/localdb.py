"""manage.py localdb start|stop|status: the database and the broker that come along."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from hospital import localdb
from hospital.localdb.commandline import data_dir


class Command(BaseCommand):
    help = "Start, stop or show the database and the broker that come along."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("act", choices=["start", "stop", "status"])

    def handle(self, *args: Any, act: str, **options: Any) -> None:
        folder = data_dir()
        try:
            if act == "start":
                localdb.ensure(folder)
            elif act == "stop":
                localdb.stop(folder)
            found = localdb.status(folder)
        except localdb.LocalServicesFailed as error:
            raise CommandError(str(error)) from error
        for name, is_running in found.items():
            self.stdout.write(f"{name:<9} {'running' if is_running else 'stopped'}")
        self.stdout.write(f"in {folder}")
