"""manage.py demousers: the sign-ins of the demo, with passwords that no other copy has."""

from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError

from hospital.localdb.places import Place

CAST = ("nurse", "physician", "lab", "operator")


class Command(BaseCommand):
    help = "Make the demo's users, if they are not there, and print their passwords."

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.DEMO:
            raise CommandError("These users belong to the demo: HOSPITAL_DEMO=1 is not set.")
        place = Place.at(settings.DATA_DIR)
        place.make()
        for name in CAST:
            password = place.password(f"sign-in-{name}")
            self._make(name, password)
            self.stdout.write(f"{name:<10} {password}")

    def _make(self, name: str, password: str) -> None:
        runs_the_place = name == "operator"
        user, is_new = User.objects.get_or_create(
            username=name, defaults={"is_staff": runs_the_place, "is_superuser": runs_the_place}
        )
        if is_new or not user.check_password(password):
            user.set_password(password)
            user.save(update_fields=["password"])
