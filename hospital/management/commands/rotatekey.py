"""manage.py rotatekey: a new signing key, and the end of old ones."""

from __future__ import annotations

import getpass
import os
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction
from django.utils import timezone

from hospital.rotation import drop_old_signing_keys, rotate_signing_key
from ops.services.people import end_all_sessions
from ops.services.secrets import note_new_version

BY_HAND = """\
HOSPITAL_SECRET_KEY is set from outside, where no command reaches it. By hand, so that nobody is signed out:
  1. Make a key: .venv/bin/python -c "import secrets; print(secrets.token_urlsafe(50))"
  2. Put it into HOSPITAL_SECRET_KEY_FALLBACKS everywhere, and restart everything: now all believe it.
  3. Exchange both: the new key into HOSPITAL_SECRET_KEY, the old one into HOSPITAL_SECRET_KEY_FALLBACKS; restart.
  4. Put it on record: manage.py rotatekey signing --done
  5. After {days} days: manage.py rotatekey signing --drop-old, take the old key out of HOSPITAL_SECRET_KEY_FALLBACKS, restart.
After a theft leave out the waiting: everybody signs in again, and that is meant."""  # noqa: E501


class Command(BaseCommand):
    help = (
        "Let a new key sign sessions from the next start on. The old one is believed until "
        "--drop-old, so that nobody is signed out. No key is ever shown."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("key", choices=["signing"])
        parser.add_argument("--by", default="", help="who does it; else the system's user")
        parser.add_argument("--why", default="", help="the reason, for the record")
        what = parser.add_mutually_exclusive_group()
        what.add_argument("--drop-old", action="store_true", help="old keys whose time is over")
        parser.add_argument(
            "--at-once",
            action="store_true",
            help="with --drop-old, after a theft: old keys whatever their time; everybody signs in "
            "again",
        )
        what.add_argument("--done", action="store_true", help="it was changed by hand: note it")

    def handle(self, *args: Any, **options: Any) -> None:
        by, why = options["by"] or getpass.getuser(), options["why"]
        if options["at_once"] and not options["drop_old"]:
            raise CommandError("--at-once goes with --drop-old. Nothing was changed.")
        if options["done"]:
            with transaction.atomic():
                note_new_version("signing", by=by, why=why)
            self.stdout.write("Noted.")
        elif options["drop_old"]:
            self._drop_old(is_at_once=options["at_once"])
            if options["at_once"]:
                ended = end_all_sessions(by=by, why=why)
                self.stdout.write(f"{ended} sessions ended: everybody signs in again.")
        elif os.environ.get("HOSPITAL_SECRET_KEY"):
            raise CommandError(BY_HAND.format(days=settings.KEEP_OLD_SIGNING_KEY_DAYS))
        else:
            rotate_signing_key(settings.DATA_DIR, now=timezone.now(), by=by, why=why)
            self.stdout.write(
                "A new key signs from the next start on: stop Vigil and start it again. Nobody is "
                f"signed out; the old key is believed for {settings.KEEP_OLD_SIGNING_KEY_DAYS} "
                "days more."
            )

    def _drop_old(self, *, is_at_once: bool) -> None:
        from hospital.factorsecrets import keep_anew

        if os.environ.get("HOSPITAL_SECRET_KEY"):
            self.stdout.write(
                f"{keep_anew()} secrets of second factors were encrypted anew: the old key may go "
                "out of HOSPITAL_SECRET_KEY_FALLBACKS."
            )
            return
        count = drop_old_signing_keys(settings.DATA_DIR, now=timezone.now(), is_at_once=is_at_once)
        self.stdout.write(
            f"{count} old keys are believed no more, from the next start on: stop Vigil and start "
            "it again."
            if count
            else "There is no old key: rotate first."
            if is_at_once
            else f"No old key is {settings.KEEP_OLD_SIGNING_KEY_DAYS} days old: none was dropped."
        )
