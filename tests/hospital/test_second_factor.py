"""Whoever may open the admin shows a second factor first: the password alone opens nothing."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value
from django.core.cache import cache
from django.test import Client, override_settings

from hospital.factorsecrets import keep_anew
from ops.models import AuditEvent
from tests.cast import PASSWORD, Person, nora_nurse, olga_operator

pytestmark = pytest.mark.django_db
LOGIN, CODE, AGAIN = "/accounts/login/", "/accounts/2fa/code/", "/accounts/2fa/again/"
APP, RECOVERY, PASSKEY = (
    "/accounts/2fa/app/",
    "/accounts/2fa/recovery/",
    "/accounts/2fa/passkeys/add/",
)
Commits = Callable[..., Any]


@pytest.fixture(autouse=True)
def as_in_production() -> Any:
    """A second factor is needed, and nobody has guessed before."""
    cache.clear()
    with override_settings(SECOND_FACTOR_REQUIRED=True):
        yield


def code_of(key: str, *, later: int = 0) -> str:
    """What an authenticator app shows, now or some half minutes later."""
    return str(format_hotp_value(hotp_value(key, int(time.time()) // 30 + later)))


@pytest.fixture(name="commits")
def _commits(django_capture_on_commit_callbacks: Commits) -> Commits:
    return django_capture_on_commit_callbacks


def signed_in(person: Person) -> Client:
    """A browser in which a person has given the password, and whatever follows is still to come."""
    browser = Client()
    browser.post(LOGIN, {"login": person.user.username, "password": PASSWORD})
    return browser


def enrol(browser: Client, commits: Commits) -> str:
    """Set up an authenticator app as its owner would; gives the app's key."""
    page = browser.get(APP, follow=True)
    if page.redirect_chain:  # the password once more
        assert page.redirect_chain[-1][0].startswith("/accounts/again/"), page.redirect_chain
        page = browser.post(
            page.redirect_chain[-1][0], {"password": PASSWORD, "next": APP}, follow=True
        )
    found = re.search(r'id="app-key">([A-Z2-7]+)<', page.content.decode())
    assert found, page.content.decode()
    with commits(execute=True):
        answer = browser.post(APP, {"code": code_of(found[1])})
    assert (answer.status_code, answer["Location"]) == (302, RECOVERY)
    return found[1]


def codes_shown(browser: Client) -> list[str]:
    return re.findall(r"<code>(\d{8})</code>", browser.get(RECOVERY).content.decode())


def test_staff_without_a_factor_are_led_to_enrolling_and_see_no_page_of_the_admin() -> None:
    browser = signed_in(olga_operator())
    for address in ("/admin/", "/admin/ops/auditevent/", "/", "/feeds", "/admin/logout/x"):
        answer = browser.get(address)
        assert (answer.status_code, answer["Location"]) == (302, APP), address


def test_a_session_with_the_password_alone_reads_no_patient_when_it_is_of_staff() -> None:
    browser = signed_in(olga_operator())
    for address in ("board/", "patients/", "feeds/", "departments/", "nothing/"):
        answer = browser.get(f"/api/v1/{address}")
        assert answer.status_code == 403, address
        assert answer.json()["errors"][0]["code"] == "second_factor_required"
    posted = browser.post("/api/v1/patients/search/", {"q": "b"}, content_type="application/json")
    assert posted.status_code == 403
    assert browser.get("/api/v1/session/").json()["signed_in"] is True


def test_a_ward_needs_no_second_factor() -> None:
    browser = signed_in(nora_nurse())
    assert browser.get("/api/v1/board/").status_code == 200


@override_settings(SECOND_FACTOR_REQUIRED=False)
def test_on_the_development_stage_a_password_is_enough() -> None:
    assert signed_in(olga_operator()).get("/admin/").status_code == 200


def test_enrolling_opens_the_admin_and_shows_recovery_codes_once(commits: Commits) -> None:
    browser = signed_in(olga_operator())
    enrol(browser, commits)
    assert browser.get("/admin/").status_code == 200
    assert len(codes_shown(browser)) == 10
    assert codes_shown(browser) == []
    acts = list(AuditEvent.objects.values_list("act", "who").order_by("pk"))
    assert ("second_factor.added", "operator") in acts


def test_signing_in_again_asks_for_the_code_before_anything_opens(commits: Commits) -> None:
    olga = olga_operator()
    key = enrol(signed_in(olga), commits)
    browser = Client()
    answer = browser.post(LOGIN, {"login": "operator", "password": PASSWORD})
    assert (answer.status_code, answer["Location"]) == (302, CODE)
    assert browser.get("/api/v1/session/").json()["signed_in"] is False
    answer = browser.post(CODE, {"code": code_of(key, later=1)})
    assert (answer.status_code, answer["Location"]) == (302, "/")
    assert browser.get("/admin/").status_code == 200
    assert browser.get("/api/v1/board/").status_code == 200


def test_a_session_of_before_the_enrolment_is_asked_for_the_factor(commits: Commits) -> None:
    olga = olga_operator()
    before = signed_in(olga)
    key = enrol(signed_in(olga), commits)
    answer = before.get("/admin/ops/auditevent/")
    assert answer["Location"] == f"{AGAIN}?next=%2Fadmin%2Fops%2Fauditevent%2F"
    assert before.get("/api/v1/board/").status_code == 403
    before.post(AGAIN, {"code": code_of(key, later=1), "next": "/admin/"})
    assert before.get("/admin/").status_code == 200


def test_a_session_without_the_factor_gets_no_other_one(commits: Commits) -> None:
    olga = olga_operator()
    before = signed_in(olga)
    enrol(signed_in(olga), commits)
    for address in (
        APP,
        PASSKEY,
        RECOVERY,
        "/accounts/2fa/",
        "/accounts/2fa/app/remove/",
        "/accounts/password/",
    ):
        assert before.get(address)["Location"].startswith(AGAIN), address
    answer = before.post("/accounts/again/", {"password": PASSWORD, "next": APP})
    assert answer["Location"].startswith(AGAIN)
    assert Authenticator.objects.filter(user=olga.user).count() == 2
    before.post("/accounts/2fa/app/remove/")
    assert Authenticator.objects.filter(user=olga.user).count() == 2


def test_a_recovery_code_opens_once(commits: Commits) -> None:
    olga = olga_operator()
    owner = signed_in(olga)
    enrol(owner, commits)
    code = codes_shown(owner)[0]
    browser = signed_in(olga)
    assert browser.post(CODE, {"code": code})["Location"] == "/"
    assert browser.get("/admin/").status_code == 200
    again = signed_in(olga)
    assert "Incorrect code." in again.post(CODE, {"code": code}).content.decode()
    assert again.get("/admin/").status_code == 302


def test_the_same_code_opens_only_once(commits: Commits) -> None:
    olga = olga_operator()
    key = enrol(signed_in(olga), commits)
    code = code_of(key, later=1)
    assert signed_in(olga).post(CODE, {"code": code}).status_code == 302
    assert signed_in(olga).post(CODE, {"code": code}).status_code == 200


def test_the_sixth_guess_of_a_code_is_not_judged_wherever_it_comes_from(commits: Commits) -> None:
    olga = olga_operator()
    key = enrol(signed_in(olga), commits)
    for number in range(5):
        browser = signed_in(olga)
        browser.defaults["REMOTE_ADDR"] = f"10.0.0.{number}"
        assert "Incorrect code." in browser.post(CODE, {"code": "000000"}).content.decode()
    answer = signed_in(olga).post(CODE, {"code": code_of(key, later=1)})
    assert "Too many failed login attempts" in answer.content.decode()
    refused = AuditEvent.objects.filter(act="second_factor.refused", who="operator")
    assert refused.count() == 5


def test_guesses_in_a_session_that_has_begun_count_too(commits: Commits) -> None:
    olga = olga_operator()
    before = signed_in(olga)
    key = enrol(signed_in(olga), commits)
    for _ in range(5):
        before.post(AGAIN, {"code": "000000"})
    before.post(AGAIN, {"code": code_of(key, later=1)})
    assert before.get("/admin/").status_code == 302


def test_wrong_passwords_are_still_locked_before_a_code_is_asked_for(commits: Commits) -> None:
    olga = olga_operator()
    enrol(signed_in(olga), commits)
    browser = Client()
    for _ in range(5):
        browser.post(LOGIN, {"login": "operator", "password": "wrong"})
    assert browser.post(LOGIN, {"login": "operator", "password": PASSWORD}).status_code == 429


def test_a_session_ends_with_the_factor_that_opened_it(commits: Commits) -> None:
    olga = olga_operator()
    browser = signed_in(olga)
    enrol(browser, commits)
    Authenticator.objects.filter(user=olga.user).delete()
    assert browser.get("/admin/")["Location"] == APP


def test_what_opens_an_account_lies_encrypted(commits: Commits) -> None:
    olga = olga_operator()
    key = enrol(signed_in(olga), commits)
    kept = Authenticator.objects.get(user=olga.user, type="totp").data["secret"]
    assert key not in kept
    assert kept.startswith("gAAAA")
    seed = Authenticator.objects.get(user=olga.user, type="recovery_codes").data["seed"]
    assert seed.startswith("gAAAA")


def test_a_rotated_signing_key_opens_the_same_accounts(commits: Commits, settings: Any) -> None:
    olga = olga_operator()
    key = enrol(signed_in(olga), commits)
    old, fresh = settings.SECRET_KEY, "another key, as long and as random as the first one was"
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = fresh, [old]
    assert signed_in(olga).post(CODE, {"code": code_of(key, later=1)}).status_code == 302
    assert keep_anew() == 2
    settings.SECRET_KEY_FALLBACKS = []
    cache.clear()
    assert signed_in(olga).post(CODE, {"code": code_of(key, later=-1)}).status_code == 302


def test_a_secret_that_no_key_reads_opens_nothing(commits: Commits, settings: Any) -> None:
    olga = olga_operator()
    key = enrol(signed_in(olga), commits)
    settings.SECRET_KEY = "another key, as long and as random as the first one was"
    answer = signed_in(olga).post(CODE, {"code": code_of(key, later=1)})
    assert answer.status_code == 200
    assert "Incorrect code." in answer.content.decode()


def test_no_page_of_the_second_factor_carries_anything_inline(commits: Commits) -> None:
    olga = olga_operator()
    browser = signed_in(olga)
    pages = [browser.get(APP, follow=True).content.decode()]
    enrol(browser, commits)
    pages += [
        browser.get(f"/accounts/2fa/{page}", follow=True).content.decode()
        for page in (
            "",
            "recovery/",
            "recovery/new/",
            "passkeys/",
            "passkeys/add/",
            "app/remove/",
            "again/",
        )
    ]
    pages.append(signed_in(olga).get(CODE).content.decode())
    for body in pages:
        assert not re.search(r"<style|\sstyle=|\son[a-z]+=", body), body
        for script in re.findall(r"<script[^>]*>", body):
            # Data for a script is no script: browsers run nothing of this type.
            assert "src=" in script or 'type="application/json"' in script


def test_a_nurse_may_have_a_second_factor_too_and_is_then_asked_for_it(commits: Commits) -> None:
    nora = nora_nurse()
    enrol(signed_in(nora), commits)
    answer = Client().post(LOGIN, {"login": "nurse", "password": PASSWORD})
    assert answer["Location"] == CODE
