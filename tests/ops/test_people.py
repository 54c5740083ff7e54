"""Roles given and taken, second factors reset, accounts kept: each with a reason, on the trail."""

from __future__ import annotations

import io
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.test import Client

from ops.models import AuditEvent
from ops.roles import Role
from ops.services.people import (
    NotForThisPerson,
    end_all_sessions,
    give_role,
    may_give,
    may_reset,
    reset_second_factor,
    roles_of,
    take_role,
)
from tests import cast

pytestmark = pytest.mark.django_db


def trail() -> list[tuple[str, str, str, Any]]:
    """The newest line of the trail."""
    return list(AuditEvent.objects.values_list("act", "who", "why", "details")[:1])


def with_factor(user: User) -> None:
    Authenticator.objects.create(user=user, type="totp", data={"secret": "kept elsewhere"})
    Authenticator.objects.create(user=user, type="recovery_codes", data={"seed": "too"})


def test_a_role_opens_the_admin_and_is_on_the_trail_with_its_reason() -> None:
    nora = cast.nora_nurse().user
    give_role(nora, Role.INTEGRATION, by="olga", why="She joins the team.")
    nora.refresh_from_db()
    assert (nora.is_staff, nora.is_superuser, roles_of(nora)) == (True, False, {Role.INTEGRATION})
    assert trail() == [("role.given", "olga", "She joins the team.", {"role": "integration"})]


def test_the_last_role_taken_closes_the_admin() -> None:
    ines = cast.ines_integration().user
    give_role(ines, Role.OPERATOR, by="olga", why="For a while.")
    take_role(ines, Role.OPERATOR, by="olga", why="The while is over.")
    ines.refresh_from_db()
    assert ines.is_staff is True
    take_role(ines, Role.INTEGRATION, by="olga", why="She leaves.")
    ines.refresh_from_db()
    assert (ines.is_staff, roles_of(ines)) == (False, set())
    assert trail() == [("role.taken", "olga", "She leaves.", {"role": "integration"})]


@pytest.mark.parametrize(
    ("role", "more"),
    [(Role.SECURITY_OFFICER, Role.OPERATOR), (Role.OPERATOR, Role.SECURITY_OFFICER)],
)
def test_who_acts_does_not_watch_himself(role: Role, more: Role) -> None:
    nora = cast.nora_nurse().user
    give_role(nora, role, by="olga", why="First.")
    before = AuditEvent.objects.count()
    with pytest.raises(NotForThisPerson, match="A security officer has no other role"):
        give_role(nora, more, by="olga", why="Second.")
    assert roles_of(nora) == {role}
    assert AuditEvent.objects.count() == before


def test_a_role_that_is_held_or_not_held_is_not_given_or_taken_again() -> None:
    ines = cast.ines_integration().user
    with pytest.raises(NotForThisPerson, match="integration is integration already"):
        give_role(ines, Role.INTEGRATION, by="olga", why="Again.")
    with pytest.raises(NotForThisPerson, match="integration is not operator"):
        take_role(ines, Role.OPERATOR, by="olga", why="Never was.")


def test_who_may_give_which_role_to_whom() -> None:
    nora, ines = cast.nora_nurse().user, cast.ines_integration().user
    omar, sam, olga = (
        cast.omar_of_operations().user,
        cast.sam_security().user,
        cast.olga_operator().user,
    )
    may = {
        (giver.username, role.value, to.username)
        for giver in (nora, ines, omar, sam, olga)
        for to in (nora, omar, sam, olga)
        for role in Role
        if may_give(giver, role, to=to)
    }
    everything = {("operator", role.value, to) for role in Role for to in
                  ("nurse", "operations", "security", "operator")}  # fmt: skip
    assert may - everything == {
        ("operations", "operator", "nurse"),
        ("operations", "integration", "nurse"),
        ("security", "security officer", "nurse"),
        ("security", "security officer", "operations"),
    }
    assert everything - may == set()


def test_who_may_reset_whose_second_factor() -> None:
    nora, ines = cast.nora_nurse().user, cast.ines_integration().user
    omar, sam, olga = (
        cast.omar_of_operations().user,
        cast.sam_security().user,
        cast.olga_operator().user,
    )
    people = (nora, ines, omar, sam, olga)
    may = {
        (giver.username, of.username)
        for giver in people
        for of in people
        if may_reset(giver, of=of)
    }
    assert may == {
        ("operations", "nurse"),
        ("operations", "integration"),
        *(("operator", name) for name in ("nurse", "integration", "operations", "security")),
    }


def test_a_reset_takes_every_factor_and_is_on_the_trail() -> None:
    ines = cast.ines_integration().user
    with_factor(ines)
    reset_second_factor(ines, by="omar", why="Her telephone is broken.")
    assert Authenticator.objects.filter(user=ines).count() == 0
    assert trail() == [("second_factor.reset", "omar", "Her telephone is broken.", {})]
    with pytest.raises(NotForThisPerson, match="no second factor to reset"):
        reset_second_factor(ines, by="omar", why="Again.")


# --- In the admin -----------------------------------------------------------------------


def test_an_operator_gives_a_role_with_a_reason(operations: Client) -> None:
    nora = cast.nora_nurse().user
    page = operations.get(f"/admin/auth/user/{nora.pk}/change/").content.decode()
    assert f'href="/admin/auth/user/{nora.pk}/role/"' in page
    asked = operations.get(f"/admin/auth/user/{nora.pk}/role/").content.decode()
    assert "Give: integration" in asked
    assert "security officer" not in asked.partition("<fieldset")[2]
    given = {"role": "give:integration", "why": "She joins."}
    answer = operations.post(f"/admin/auth/user/{nora.pk}/role/", given, follow=True)
    assert "Done: nurse is now integration." in answer.content.decode()
    assert roles_of(nora) == {Role.INTEGRATION}
    assert trail() == [("role.given", "operations", "She joins.", {"role": "integration"})]


def test_a_role_without_a_reason_is_not_given(operations: Client) -> None:
    nora = cast.nora_nurse().user
    answer = operations.post(f"/admin/auth/user/{nora.pk}/role/", {"role": "give:integration"})
    assert "This field is required." in answer.content.decode()
    assert roles_of(nora) == set()


def test_an_operator_makes_nobody_a_security_officer_or_superuser(operations: Client) -> None:
    nora = cast.nora_nurse().user
    posted = {"role": "give:security officer", "why": "Quietly."}
    operations.post(f"/admin/auth/user/{nora.pk}/role/", posted)
    form = {"username": "nurse", "is_active": "on", "is_staff": "on", "is_superuser": "on"}
    assert operations.post(f"/admin/auth/user/{nora.pk}/change/", form).status_code == 302
    nora.refresh_from_db()
    assert (nora.is_staff, nora.is_superuser, roles_of(nora)) == (False, False, set())


def test_an_operator_lays_no_hand_on_who_may_more_or_watches_him(operations: Client) -> None:
    for person in (cast.olga_operator(), cast.sam_security()):
        with_factor(person.user)
        own = f"/admin/auth/user/{person.user.pk}"
        assert operations.post(f"{own}/factor/", {"why": "Lost."}).status_code == 403
        assert operations.post(f"{own}/role/", {"why": "Mine."}).status_code == 403
        assert operations.post(f"{own}/change/", {"username": "mine"}).status_code == 403
        new = {"password1": "a phrase of my own", "password2": "a phrase of my own"}
        assert operations.post(f"{own}/password/", new).status_code == 403
        assert Authenticator.objects.filter(user=person.user).count() == 2
        assert person.user.check_password(cast.PASSWORD)


def test_an_operator_does_not_reset_his_own_second_factor(operations: Client) -> None:
    omar = User.objects.get(username="operations")
    with_factor(omar)
    assert (
        operations.post(f"/admin/auth/user/{omar.pk}/factor/", {"why": "Lost."}).status_code == 403
    )
    assert Authenticator.objects.filter(user=omar).count() == 2


def test_another_operator_resets_a_second_factor_with_a_reason(operations: Client) -> None:
    ines = cast.ines_integration().user
    with_factor(ines)
    page = operations.get(f"/admin/auth/user/{ines.pk}/change/").content.decode()
    assert "authenticator app" in page
    assert "kept elsewhere" not in page
    operations.post(f"/admin/auth/user/{ines.pk}/factor/", {"why": "Her telephone is broken."})
    assert Authenticator.objects.filter(user=ines).count() == 0


def test_an_account_that_is_made_or_changed_is_on_the_trail_without_its_password(
    operations: Client,
) -> None:
    secret = "a phrase that nobody guesses"
    made = {"username": "new", "usable_password": "true", "password1": secret, "password2": secret}
    assert operations.post("/admin/auth/user/add/", made).status_code == 302
    new = User.objects.get(username="new")
    again = {"usable_password": "true", "password1": f"{secret}!", "password2": f"{secret}!"}
    assert operations.post(f"/admin/auth/user/{new.pk}/password/", again).status_code == 302
    acts = list(AuditEvent.objects.filter(object_key=str(new.pk)).order_by("pk"))
    assert [event.act for event in acts] == ["user.made", "user.changed"]
    assert "password" in str(acts[1].details).lower()
    assert secret not in str([(event.details, event.why) for event in acts])


def test_no_page_shows_a_part_of_a_hash(operator: Client, security: Client) -> None:
    nora = cast.nora_nurse().user
    for browser in (operator, security):
        body = browser.get(f"/admin/auth/user/{nora.pk}/change/").content.decode()
        assert "argon2" not in body
        assert nora.password.rpartition("$")[2][:6] not in body


def test_no_account_is_deleted(operator: Client) -> None:
    nora = cast.nora_nurse().user
    assert operator.post(f"/admin/auth/user/{nora.pk}/delete/", {"post": "yes"}).status_code == 403
    assert User.objects.filter(pk=nora.pk).exists()


def test_roles_are_shown_and_not_edited_by_hand(operator: Client) -> None:
    assert operator.get("/admin/auth/group/").status_code == 200
    assert operator.get("/admin/auth/group/add/").status_code == 403


# --- On the command line ----------------------------------------------------------------


def test_the_command_gives_and_takes_a_role() -> None:
    nora = cast.nora_nurse().user
    cast.olga_operator()
    out = io.StringIO()
    call_command(
        "giverole",
        "nurse",
        "security-officer",
        by="operator",
        why="Named by the board.",
        stdout=out,
    )
    assert out.getvalue() == "nurse is now security officer.\n"
    assert roles_of(nora) == {Role.SECURITY_OFFICER}
    call_command(
        "giverole", "nurse", "security-officer", take=True, by="operator", why="Over.", stdout=out
    )
    assert roles_of(nora) == set()
    with pytest.raises(CommandError, match="There is no user nobody"):
        call_command("giverole", "nobody", "operator", why="Who?")


def test_nobody_gives_a_role_by_command_in_the_name_of_who_may_not_or_is_not() -> None:
    nora = cast.nora_nurse().user
    cast.omar_of_operations()
    before = trail()

    for by in ("ghost", "nurse", "operations"):
        with pytest.raises(CommandError) as refused:
            call_command("giverole", "nurse", "security-officer", by=by, why="I say so.")
        assert refused.value.returncode == 2
    assert roles_of(nora) == set()
    assert trail() == before


def test_the_command_resets_a_second_factor_of_the_last_superuser() -> None:
    olga = cast.olga_operator().user
    with_factor(olga)
    call_command(
        "resetfactor", "operator", by="the machine's owner", why="Lost.", stdout=io.StringIO()
    )
    assert trail() == [("second_factor.reset", "the machine's owner", "Lost.", {})]
    with pytest.raises(CommandError, match="no second factor to reset"):
        call_command("resetfactor", "operator", why="Again.")


def signed_in(browser: Client) -> bool:
    return bool(browser.get("/api/v1/session/").json()["signed_in"])


def test_who_is_shut_out_is_out_on_every_screen_and_nobody_else_is() -> None:
    nora, pia = cast.nora_nurse(), cast.pia_physician()
    elsewhere = Client()
    elsewhere.force_login(nora.user, backend="django.contrib.auth.backends.ModelBackend")
    assert signed_in(nora.browser)
    assert signed_in(elsewhere)

    out = io.StringIO()
    call_command("shutout", "nurse", "--by", "olga", "--why", "Misused.", stdout=out)

    assert out.getvalue() == ("nurse is shut out: the account opens nothing, 2 sessions ended.\n")
    assert (signed_in(nora.browser), signed_in(elsewhere)) == (False, False)
    assert signed_in(pia.browser)
    page = Client().post("/accounts/login/", {"login": "nurse", "password": cast.PASSWORD})
    assert (page.status_code, "_auth_user_id" in page.wsgi_request.session) == (200, False)
    assert trail() == [("account.shut_out", "olga", "Misused.", {"sessions": 2})]


def test_an_account_that_is_not_there_cannot_be_shut_out() -> None:
    with pytest.raises(CommandError, match="There is no user nobody"):
        call_command("shutout", "nobody", "--why", "Misused.")
    assert AuditEvent.objects.count() == 0


def test_every_session_is_ended_and_that_is_on_the_trail() -> None:
    nora, pia = cast.nora_nurse(), cast.pia_physician()
    assert end_all_sessions(by="olga", why="A key was stolen.") >= 2
    assert (signed_in(nora.browser), signed_in(pia.browser)) == (False, False)
    assert trail() == [("sessions.ended", "olga", "A key was stolen.", {})]


def test_sign_ins_of_an_account_are_told_with_their_address_and_so_are_refusals() -> None:
    cast.nora_nurse()
    browser = Client(REMOTE_ADDR="192.0.2.7")
    browser.post("/accounts/login/", {"login": "nurse", "password": cast.PASSWORD})
    out = io.StringIO()
    call_command("signins", "nurse", stdout=out)
    told = out.getvalue().splitlines()
    assert "  192.0.2.7  signed in" in told[0]
    assert told[-1].endswith("0 places from where it was refused")

    elsewhere = Client(REMOTE_ADDR="192.0.2.7")
    elsewhere.post("/accounts/login/", {"login": "carl", "password": "wrong"})
    out = io.StringIO()
    call_command("signins", "carl", stdout=out)
    refused, counted = out.getvalue().splitlines()
    assert refused.endswith("  192.0.2.7  refused, 1 times")
    assert counted == "0 sign-ins, 1 places from where it was refused"
