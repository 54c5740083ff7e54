"""Every address has somebody who may open it and somebody who may not, and this table says who.

An address that is new and not in the table fails the first test: nobody forgets the question.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from ingestion.models import Patient

pytestmark = pytest.mark.django_db

EVERYONE = "everyone"
SIGNED_IN = "who is signed in"
OPERATORS = "operators"
# Bears a token, and is no person: whoever it is gets a 404 without it (tests/ops/test_metrics.py).
THE_SCRAPER = "the scraper"

# Each address pattern outside the admin, and who gets its answer.
ACCESS = {
    "api/v1/session/": EVERYONE,
    "api/v1/board/": SIGNED_IN,
    "api/v1/patients/": SIGNED_IN,
    "api/v1/patients/search/": SIGNED_IN,
    "api/v1/patients/<uuid:id>/": SIGNED_IN,
    "api/v1/patients/<uuid:id>/tests/": SIGNED_IN,
    "api/v1/patients/<uuid:id>/history/": SIGNED_IN,
    "api/v1/departments/": SIGNED_IN,
    "api/v1/feeds/": SIGNED_IN,
    "api/v1/feed-files/": SIGNED_IN,
    "api/v1/": SIGNED_IN,
    "accounts/login/": EVERYONE,
    "accounts/logout/": SIGNED_IN,
    "accounts/password/": SIGNED_IN,
    "accounts/again/": SIGNED_IN,
    # Only between the password and what it opens: strangers go back to the password.
    "accounts/2fa/code/": SIGNED_IN,
    "accounts/2fa/": SIGNED_IN,
    "accounts/2fa/again/": SIGNED_IN,
    "accounts/2fa/app/": SIGNED_IN,
    "accounts/2fa/app/remove/": SIGNED_IN,
    "accounts/2fa/recovery/": SIGNED_IN,
    "accounts/2fa/recovery/new/": SIGNED_IN,
    "accounts/2fa/passkeys/": SIGNED_IN,
    "accounts/2fa/passkeys/add/": SIGNED_IN,
    "accounts/2fa/passkeys/again/": SIGNED_IN,
    "accounts/2fa/passkeys/<int:pk>/remove/": SIGNED_IN,
    "livez": EVERYONE,
    "readyz": EVERYONE,
    "status": EVERYONE,
    "metrics": THE_SCRAPER,
    "favicon.ico": EVERYONE,
    "^(?!(?:api|admin|accounts|static)(?:/|$)).*$": SIGNED_IN,
}
# One address in the place of each pattern that stands for many.
EXAMPLES = {
    "api/v1/": "api/v1/nothing/",
    "^(?!(?:api|admin|accounts|static)(?:/|$)).*$": "feeds",
}
POSTED = {"api/v1/patients/search/"}


def patterns(resolver: URLResolver, prefix: str = "") -> Iterator[str]:
    for one in resolver.url_patterns:
        if isinstance(one, URLPattern):
            yield prefix + str(one.pattern)
        else:
            yield from patterns(one, prefix + str(one.pattern))


def outside_the_admin() -> set[str]:
    return {one for one in patterns(get_resolver()) if not one.startswith("admin/")}


def address(pattern: str) -> str:
    key = str(Patient.objects.get_or_create(patient_id="1", defaults=_ORIGIN)[0].pk)
    return "/" + EXAMPLES.get(pattern, pattern).replace("<uuid:id>", key).replace("<int:pk>", "1")


_ORIGIN = {"said_in_id": 0, "said_line": 2, "created_in_id": 0, "created_line": 2}


def status(browser: Client, pattern: str) -> int:
    browser.raise_request_exception = False
    if pattern in POSTED:
        return browser.post(address(pattern), {}, content_type="application/json").status_code
    return browser.get(address(pattern)).status_code


def test_every_address_is_in_the_table_and_the_table_names_no_other() -> None:
    assert outside_the_admin() == set(ACCESS)


@pytest.mark.parametrize("pattern", ACCESS)
def test_a_stranger_gets_in_exactly_where_the_table_says(stranger: Client, pattern: str) -> None:
    answered = status(stranger, pattern)
    if ACCESS[pattern] == EVERYONE:
        assert answered in {200, 302}
        assert pattern == "favicon.ico" or answered == 200
    elif ACCESS[pattern] == THE_SCRAPER:
        assert answered == 404
    else:
        assert answered == (403 if pattern.startswith("api/") else 302)


@pytest.mark.parametrize("pattern", ACCESS)
def test_each_of_the_cast_gets_in_wherever_the_table_says(
    nurse: Client, physician: Client, lab_staff: Client, operator: Client, pattern: str
) -> None:
    for browser in (nurse, physician, lab_staff, operator):
        if ACCESS[pattern] == THE_SCRAPER:
            assert status(browser, pattern) == 404
        else:
            assert status(browser, pattern) not in {401, 403}, pattern


def test_every_page_of_the_admin_sends_strangers_to_sign_in(stranger: Client) -> None:
    wildcards = {"<path:object_id>": "1", "<path:content_type_id>": "1", "<id>": "1"}
    for pattern in patterns(get_resolver()):
        if not pattern.startswith("admin/") or "^" in pattern:
            continue
        for name, value in wildcards.items():
            pattern = pattern.replace(name, value)
        answer = stranger.get(f"/{pattern}")
        assert answer.status_code == 302, pattern
        assert "/login/?next=" in answer["Location"] or pattern == "admin/logout/", pattern
