"""The people of the tests: invented, each with a reason to be there."""

from __future__ import annotations

import functools
from dataclasses import dataclass

from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import Permission, User
from django.test import Client

from ops.roles import Role
from ops.services.people import give_role

PASSWORD = "correct horse battery staple"


@dataclass(frozen=True)
class Person:
    """One user, and the browser that is signed in as that user."""

    user: User
    browser: Client


def nora_nurse() -> Person:
    """A nurse of cardiology: reads the board all day."""
    return _person("nurse", "Nora", "Nurse")


def pia_physician() -> Person:
    """A physician: reads the board and the patients' pages."""
    return _person("physician", "Pia", "Physician")


def liam_lab() -> Person:
    """Staff of the laboratory: looks at tests and feeds."""
    return _person("lab", "Liam", "Lab")


def olga_operator() -> Person:
    """An operator: may do everything in the admin."""
    return _person("operator", "Olga", "Operator", is_staff=True, is_superuser=True)


def ines_integration() -> Person:
    """An integration engineer: answers for every file and every row."""
    return _with_role("integration", "Ines", "Integration", Role.INTEGRATION)


def sam_security() -> Person:
    """A security officer: reads who did and saw what, and acts on nothing."""
    return _with_role("security", "Sam", "Security", Role.SECURITY_OFFICER)


def omar_of_operations() -> Person:
    """An operator by role, who is no superuser."""
    return _with_role("operations", "Omar", "Operations", Role.OPERATOR)


def sam_of_the_staff(*permissions: str) -> Person:
    """Somebody who may open the admin, and do there no more than what is named."""
    person = _person("staff", "Sam", "Staff", is_staff=True)
    for permission in permissions:
        label, _, codename = permission.partition(".")
        person.user.user_permissions.add(
            Permission.objects.get(content_type__app_label=label, codename=codename)
        )
    return person


def a_stranger() -> Client:
    """A browser in which nobody is signed in."""
    return Client()


def _person(username: str, first: str, last: str, **rights: bool) -> Person:
    user = User.objects.create(
        username=username, first_name=first, last_name=last, password=_hashed(), **rights
    )
    browser = Client()
    browser.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return Person(user, browser)


def _with_role(username: str, first: str, last: str, role: Role) -> Person:
    person = _person(username, first, last)
    give_role(person.user, role, by="the tests", why="It is what this person is there for.")
    person.user.refresh_from_db()
    return person


@functools.cache
def _hashed() -> str:
    """Hashed once: the hasher is slow on purpose."""
    return make_password(PASSWORD)
