"""Who may do what in the operators' room: each permission has somebody, or nobody by a decision."""

from __future__ import annotations

import pytest
from django.contrib import admin
from django.contrib.auth.models import Group, Permission
from django.test import Client
from django.urls import reverse

from ops.roles import ALONE, NOBODY, RIGHTS, Role, permissions_of
from ops.services.people import fill_roles

pytestmark = pytest.mark.django_db
ROOMS = ("ops", "ingestion", "alerts")


def named(role: Role) -> set[tuple[str, str]]:
    """What a role's group may do, as the database has it."""
    group = Group.objects.get(name=role.value)
    return set(group.permissions.values_list("content_type__app_label", "codename"))


def existing() -> set[tuple[str, str]]:
    found = Permission.objects.values_list("content_type__app_label", "codename")
    return set(found)


def test_each_permission_is_some_role_s_or_nobody_s_by_a_decision() -> None:
    rooms = {(room, codename) for room, codename in existing() if room in ROOMS}
    given = set().union(*(permissions_of(rights) for rights in RIGHTS.values()))
    nobody = permissions_of(NOBODY)
    assert rooms - given - nobody == set()
    assert given & nobody == set()


def test_the_groups_are_there_after_migrating_and_hold_exactly_what_the_roles_may() -> None:
    for role, rights in RIGHTS.items():
        assert named(role) == permissions_of(rights) & existing()


def test_a_right_that_was_given_to_a_group_by_hand_goes_with_the_next_migration() -> None:
    group = Group.objects.get(name="operator")
    group.permissions.add(Permission.objects.get(codename="view_patient"))
    fill_roles()
    assert ("ingestion", "view_patient") not in named(Role.OPERATOR)


def test_an_operator_by_role_sees_no_patient_and_no_trail() -> None:
    spelt = {codename for _, codename in named(Role.OPERATOR)}
    for what in (
        "patient",
        "admission",
        "labtest",
        "labresult",
        "rejectedrow",
        "waitingrow",
        "auditevent",
    ):
        assert f"view_{what}" not in spelt


def test_only_security_officers_read_the_trail_and_they_change_no_data() -> None:
    assert ("ops", "view_auditevent") in named(ALONE)
    others = [role for role in Role if role != ALONE]
    assert all(("ops", "view_auditevent") not in named(role) for role in others)
    changing = {
        codename for app, codename in named(ALONE) if app in {"ingestion", "alerts", "auth"}
    }
    assert changing == {"view_user", "view_group"}


@pytest.mark.parametrize("who", ["integration", "security", "operations"])
def test_each_role_opens_exactly_the_lists_that_it_may_see(
    who: str, request: pytest.FixtureRequest
) -> None:
    browser: Client = request.getfixturevalue(who)
    role = {"integration": Role.INTEGRATION, "security": ALONE, "operations": Role.OPERATOR}[who]
    may = named(role)
    assert browser.get("/admin/").status_code == 200
    for model in admin.site._registry:
        label, name = model._meta.app_label, model._meta.model_name
        answer = browser.get(reverse(f"admin:{label}_{name}_changelist"))
        assert (answer.status_code == 200) == ((label, f"view_{name}") in may), name


def test_an_integration_engineer_works_on_conflicts_and_waiting_rows(integration: Client) -> None:
    assert integration.get("/admin/ingestion/conflicts/").status_code == 200
    assert integration.get("/admin/ingestion/waiting/").status_code == 200


def test_a_security_officer_decides_no_conflict(security: Client) -> None:
    assert security.post("/admin/ingestion/conflictdecision/decide/").status_code == 403
    assert security.get("/admin/ingestion/conflicts/").status_code == 403
