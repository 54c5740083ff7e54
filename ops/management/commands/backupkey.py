"""The key of the backups: make one, show its public part, put a newer one before it."""

from __future__ import annotations

import getpass
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError
from django.db import transaction

from ops import audit
from ops.encryption import add_identity, identities
from ops.management.manners import WRONG_ARGUMENTS, MannerlyCommand


class Command(MannerlyCommand):
    """`manage.py backupkey new|public|rotate`."""

    help = (
        "new: make the first key, into HOSPITAL_BACKUP_KEY_FILE. public: print the public parts,"
        " with which backups can be made and not read. rotate: put a new key before the present"
        " ones; older backups stay readable with those. Keep a copy of the file in a safe place"
        " that is neither this machine nor where the backups are: without it they are lost."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare what to do."""
        parser.add_argument("act", choices=["new", "public", "rotate"])
        parser.add_argument("--why", default="", help="the reason, for the record")
        parser.add_argument("--by", default="", help="who does it; else the system's user")

    def handle(self, *args: Any, act: str, **options: Any) -> None:
        """Do it. The private part is never printed."""
        if act == "public":
            for identity in identities():
                self.stdout.write(str(identity.to_public()))
            return
        if settings.BACKUP_KEY:
            raise CommandError(
                "The key comes from HOSPITAL_BACKUP_KEY: put the new one there, before the old"
                " ones, one a line.",
                returncode=WRONG_ARGUMENTS,
            )
        kept = Path(settings.BACKUP_KEY_FILE)
        if kept.exists() != (act == "rotate"):
            known = "there is one already: rotate" if kept.exists() else "there is none yet: new"
            raise CommandError(f"{kept}: {known}.", returncode=WRONG_ARGUMENTS)
        with transaction.atomic():
            audit.record(
                f"backup_key.{'rotated' if act == 'rotate' else 'made'}",
                by=options["by"] or getpass.getuser(), kind="secret", key="backup-key",
                why=options["why"],
            )  # fmt: skip
            public = add_identity(kept)
        self.stdout.write(
            f"{kept} holds a new key; its public part is {public}.\nCopy the file to a safe place"
            " now, apart from this machine and from the backups."
        )
