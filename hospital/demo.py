"""The demo's users and its one rule beside the default.

Passwords are random for every data folder and kept in it.
"""

from pathlib import Path

from django.contrib.auth.models import User

from alerts.models import AlertRule
from hospital.localdb.places import Place
from ingestion.models import Department
from ops.roles import Role
from ops.services.people import give_role, roles_of

# Sign-in, and the invented person behind it.
CAST = {
    "nurse": ("Nora", "Lindqvist"),
    "physician": ("Paul", "Okafor"),
    "lab": ("Lena", "Moreau"),
    "operator": ("Omar", "Haddad"),
    "integration": ("Ines", "Ferrari"),
    "security": ("Samir", "Novak"),
}
# The first of a place is a superuser, as the one is whom `createsuperuser` makes.
SUPERUSER = "operator"
ROLES = {"integration": Role.INTEGRATION, "security": Role.SECURITY_OFFICER}
INTENSIVE_CARE = "Intensive Care"


def make_demo_users(data_dir: Path) -> dict[str, str]:
    """Make who is missing; returns each name with its password. The second time nothing changes."""
    place = Place.at(data_dir)
    place.make()
    passwords = {name: place.password(f"sign-in-{name}") for name in CAST}
    for name, password in passwords.items():
        _make(name, password)
    return passwords


def make_demo_rule() -> None:
    """Let intensive care have a shorter rule, unless an operator has changed it already."""
    department, _ = Department.objects.get_or_create(name=INTENSIVE_CARE)
    AlertRule.objects.get_or_create(
        department=department, defaults={"threshold_hours": 24, "second_tier_hours": 36}
    )


def _make(name: str, password: str) -> None:
    runs_the_place = name == SUPERUSER
    first_name, last_name = CAST[name]
    user, is_new = User.objects.get_or_create(
        username=name,
        defaults={
            "first_name": first_name,
            "last_name": last_name,
            "is_staff": runs_the_place,
            "is_superuser": runs_the_place,
        },
    )
    if is_new or not user.check_password(password):
        user.set_password(password)
        user.save(update_fields=["password"])
    if name in ROLES and not roles_of(user):
        give_role(user, ROLES[name], by="the demo", why="The demo shows each role.")
