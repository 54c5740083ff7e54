"""manage.py receivewal: receive the embedded database's log, for ever. A part of manage.py run."""

import os
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from hospital.localdb.keeper import EmbeddedLog


class Command(BaseCommand):
    help = "Receive the embedded database's log, so that it can be shipped with the backups."
    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        log = EmbeddedLog(Path(settings.DATA_DIR))
        log.ensure()
        command = log.receive()
        # In its place, so that whoever ends this process ends the receiver.
        os.execve(command[0], command, log.environment())
