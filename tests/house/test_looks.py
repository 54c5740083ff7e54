"""Whoever is shown a patient leaves a line in the trail, whichever door it was.

An address that is new needs no entry here: that it shows patients is told by its answer.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import pytest
from django.contrib import admin
from django.contrib.auth.models import User
from django.test import Client
from django.urls import get_resolver, reverse

from ingestion.models import Patient
from ops.models import AuditEvent
from tests.deliveries import NOON, admission, deliver, deliver_lines, lab_result, lab_test, patient
from tests.house.test_access import patterns

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("at_noon")]

# Nothing else bears these words.
NAME, NUMBER, CASE, TEST = "Quuxberg", "P77123", "C88123", "T99123"
# What can be read in an answer that tells of a patient. Their own keys count too: they lead there.
_DEPARTMENT = "Cardiology"


@pytest.fixture(autouse=True)
def a_hospital(at_noon: object) -> None:
    """Something of everything, and all of it of two people with unmistakable names."""
    deliver(patient(NUMBER, f"{NAME}, Emma"), patient(f"{NUMBER}2", f"{NAME}, Uri"))
    deliver(admission(CASE, NUMBER, hours=81, department=_DEPARTMENT))
    deliver(admission(CASE, f"{NUMBER}2", hours=81))
    deliver(admission("C9", f"{NUMBER}9", hours=20))
    deliver({**patient(NUMBER, f"{NAME}, Emma"), "date_of_birth": "yesterday"}, at=NOON)
    deliver_lines("patient_id,first_name,last_name,date_of_birth", f"{NUMBER},Torn,{NAME}")
    deliver(lab_test(TEST, NUMBER, "Sodium", hours=61), source="lis")
    deliver(lab_test(TEST, f"{NUMBER}2", "Sodium", hours=61), source="lis")
    deliver(lab_test(f"{TEST}2", NUMBER, "Potassium", hours=60), source="lis")
    deliver(lab_result("R1", f"{TEST}2", "4.1", hours=59), source="lis")
    deliver(lab_result("R2", TEST, "4.1", hours=59), source="lis")


def tells_of_somebody(body: str) -> bool:
    keys = [str(key) for key in Patient.objects.values_list("pk", flat=True)]
    return any(word in body for word in (NAME, NUMBER, CASE, TEST, *keys))


def looks() -> int:
    return AuditEvent.objects.filter(kind="look").count()


def of_the_api() -> list[str]:
    key = str(Patient.objects.get(patient_id=NUMBER).pk)
    found = [one for one in patterns(get_resolver()) if one.startswith("api/")]
    return [f"/{one.replace('<uuid:id>', key)}" for one in found]


def of_the_admin() -> Iterator[str]:
    yield from (
        f"/{one}"
        for one in patterns(get_resolver())
        if one.startswith("admin/") and "<" not in one and "^" not in one and "logout" not in one
    )
    for model in admin.site._registry:
        label = f"{model._meta.app_label}_{model._meta.model_name}"
        for one in model._default_manager.all()[:2]:
            yield reverse(f"admin:{label}_change", args=[one.pk])
            yield reverse(f"admin:{label}_history", args=[one.pk])


def somebody(**rights: bool) -> Client:
    """A browser of somebody new: what another has seen is no excuse."""
    browser = Client(raise_request_exception=False)
    browser.force_login(
        User.objects.create(username=f"person-{User.objects.count()}", **rights),
        backend="django.contrib.auth.backends.ModelBackend",
    )
    return browser


def unseen(addresses: Iterable[str], **rights: bool) -> tuple[list[str], int]:
    """Open each; give those that showed somebody and left no line, and how many showed any."""
    found, shown = [], 0
    for address in addresses:
        for posted in (False, True):
            browser, before = somebody(**rights), looks()
            if posted:
                answer = browser.post(address, {}, content_type="application/json")
            else:
                answer = browser.get(address, follow=True)
            if answer.status_code != 200 or not tells_of_somebody(answer.getvalue().decode()):
                continue
            shown += 1
            if looks() == before:
                found.append(address)
    return found, shown


def test_no_answer_of_the_api_shows_a_patient_unseen() -> None:
    assert unseen(of_the_api()) == ([], 5)


def test_no_page_of_the_admin_shows_a_patient_unseen() -> None:
    found, shown = unseen(dict.fromkeys(of_the_admin()), is_staff=True, is_superuser=True)
    assert found == []
    assert shown >= 30


def test_this_check_finds_what_shows_somebody() -> None:
    assert tells_of_somebody(f'{{"name": "{NAME}"}}')
    assert not tells_of_somebody('{"department": "Cardiology"}')
