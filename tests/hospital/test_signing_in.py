"""Signing in: by name and password, by nobody who keeps guessing, and for operators alone."""

from __future__ import annotations

import pytest
from django.test import Client, override_settings

from tests.cast import PASSWORD, nora_nurse, olga_operator

pytestmark = pytest.mark.django_db
LOGIN = "/accounts/login/"


def sign_in(browser: Client, name: str, password: str, **more: str) -> int:
    return browser.post(LOGIN, {"login": name, "password": password, **more}).status_code


def is_signed_in(browser: Client) -> bool:
    signed_in: bool = browser.get("/api/v1/session/").json()["signed_in"]
    return signed_in


def test_a_right_password_opens_the_board(stranger: Client) -> None:
    nora_nurse()
    answer = stranger.post(LOGIN, {"login": "nurse", "password": PASSWORD})
    assert (answer.status_code, answer["Location"]) == (302, "/")
    assert is_signed_in(stranger)


def test_signing_in_leads_back_to_the_wanted_page(stranger: Client) -> None:
    nora_nurse()
    page = stranger.get(f"{LOGIN}?next=/feeds").content.decode()
    assert '<input type="hidden" name="next" value="/feeds">' in page
    answer = stranger.post(LOGIN, {"login": "nurse", "password": PASSWORD, "next": "/feeds"})
    assert answer["Location"] == "/feeds"


def test_signing_in_never_leads_to_another_site(stranger: Client) -> None:
    nora_nurse()
    wanted = "https://elsewhere.example/"
    answer = stranger.post(LOGIN, {"login": "nurse", "password": PASSWORD, "next": wanted})
    assert answer["Location"] == "/"


def test_a_wrong_password_says_so_and_opens_nothing(stranger: Client) -> None:
    nora_nurse()
    answer = stranger.post(LOGIN, {"login": "nurse", "password": "wrong"})
    assert answer.status_code == 200
    assert "The username and/or password you specified are not correct." in answer.content.decode()
    assert not is_signed_in(stranger)


def test_the_fifth_wrong_password_locks_the_name_even_for_the_right_one(stranger: Client) -> None:
    nora_nurse()
    assert [sign_in(stranger, "nurse", "wrong") for _ in range(5)] == [200, 200, 200, 200, 429]
    answer = stranger.post(LOGIN, {"login": "nurse", "password": PASSWORD})
    assert answer.status_code == 429
    assert "Too many attempts" in answer.content.decode()
    assert not is_signed_in(stranger)


def test_a_lock_concerns_one_name_and_not_the_whole_ward(stranger: Client) -> None:
    nora_nurse()
    olga_operator()
    for _ in range(5):
        sign_in(stranger, "nurse", "wrong")
    assert sign_in(stranger, "operator", PASSWORD) == 302


def test_the_sign_in_page_says_who_will_see_what(stranger: Client) -> None:
    page = stranger.get(LOGIN).content.decode()
    assert "Until roles by department exist, everyone who signs in sees all departments." in page
    assert "Demonstration" not in page


@override_settings(DEMO=True)
def test_the_demo_says_on_each_page_that_its_people_are_invented(
    stranger: Client, operator: Client
) -> None:
    said = "Demonstration: every person here is invented."
    assert said in stranger.get(LOGIN).content.decode()
    assert said in operator.get("/admin/").content.decode()
    assert operator.get("/api/v1/session/").json()["demo"] is True


@pytest.mark.parametrize(
    "path",
    [
        "signup/",
        "password/reset/",
        "password/set/",
        "email/",
        "3rdparty/",
        "2fa/trust/",
        "2fa/recovery/download/",
        "2fa/passkeys/login/",
    ],
)
def test_pages_of_the_sign_in_package_that_nobody_needs_are_not_there(
    nurse: Client, path: str
) -> None:
    assert nurse.get(f"/accounts/{path}").status_code == 404


def test_signing_out_needs_a_press_of_the_button(nurse: Client) -> None:
    assert nurse.get("/accounts/logout/").status_code == 200
    assert is_signed_in(nurse)
    answer = nurse.post("/accounts/logout/")
    assert (answer.status_code, answer["Location"]) == (302, LOGIN)
    assert not is_signed_in(nurse)


def test_somebody_else_s_page_cannot_sign_a_nurse_out() -> None:
    person = nora_nurse()
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(person.user, backend="django.contrib.auth.backends.ModelBackend")
    assert strict.post("/accounts/logout/").status_code == 403
    assert is_signed_in(strict)


def test_the_token_of_the_session_signs_out() -> None:
    person = nora_nurse()
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(person.user, backend="django.contrib.auth.backends.ModelBackend")
    token = strict.get("/api/v1/session/").json()["csrf_token"]
    answer = strict.post("/accounts/logout/", {"csrfmiddlewaretoken": token})
    assert answer.status_code == 302
    assert not is_signed_in(strict)


def test_a_changed_password_is_the_one_that_counts(stranger: Client) -> None:
    person = nora_nurse()
    fresh = "an entirely different phrase"
    answer = person.browser.post(
        "/accounts/password/", {"oldpassword": PASSWORD, "password1": fresh, "password2": fresh}
    )
    assert answer.status_code == 302
    assert is_signed_in(person.browser)
    assert sign_in(stranger, "nurse", PASSWORD) == 200
    assert sign_in(stranger, "nurse", fresh) == 302


def test_a_short_password_is_refused(nurse: Client) -> None:
    answer = nurse.post(
        "/accounts/password/",
        {"oldpassword": PASSWORD, "password1": "short", "password2": "short"},
    )
    assert answer.status_code == 200
    assert "at least 12 characters" in answer.content.decode()


def test_the_admin_has_no_sign_in_page_of_its_own(stranger: Client) -> None:
    answer = stranger.get("/admin/ingestion/feedfile/")
    answer = stranger.get(answer["Location"])
    assert answer["Location"] == "/accounts/login/?next=/admin/ingestion/feedfile/"


def test_a_nurse_is_told_that_the_admin_is_not_hers_instead_of_going_round(nurse: Client) -> None:
    answer = nurse.get("/admin/", follow=True)
    assert answer.status_code == 403
    assert "This page is for operators." in answer.content.decode()


def test_signing_out_of_the_admin_signs_out(operator: Client) -> None:
    answer = operator.post("/admin/logout/")
    assert (answer.status_code, answer["Location"]) == (302, LOGIN)
    assert not is_signed_in(operator)


def test_the_sign_in_package_leaves_no_messages_for_pages_that_come_later(stranger: Client) -> None:
    nora_nurse()
    stranger.post(LOGIN, {"login": "nurse", "password": PASSWORD})
    assert "Successfully" not in stranger.get("/accounts/password/").content.decode()
