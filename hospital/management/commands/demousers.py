"""manage.py demousers: make the demo's users and show how they sign in."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from hospital.demo import make_demo_users


class Command(BaseCommand):
    help = "Make the demo's users, if they are not there, and print their passwords."

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.DEMO:
            raise CommandError("These users belong to the demo: HOSPITAL_DEMO=1 is not set.")
        for name, password in make_demo_users(settings.DATA_DIR).items():
            self.stdout.write(f"{name:<10} {password}")
