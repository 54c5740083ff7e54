"""The pages around the app: served to whoever is signed in, under a strict policy."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from django.db import OperationalError, connection
from django.test import Client

pytestmark = pytest.mark.django_db
INDEX = '<!doctype html><meta name="csp-nonce" content="__CSP_NONCE__"><div id="root"></div>'


@pytest.fixture
def built(settings: Any, tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text(INDEX)
    settings.FRONTEND_DIST = tmp_path


@pytest.mark.parametrize(
    "path",
    ["/", "/feeds", "/patients/5b3c2c1e-8d39-4c3b-9a51-1f2f3a4b5c6d", "/anything/else", "/apis"],
)
def test_every_address_of_the_app_serves_it(nurse: Client, built: None, path: str) -> None:
    answer = nurse.get(path)
    assert answer.status_code == 200
    assert '<div id="root"></div>' in answer.content.decode()
    assert "no-store" in answer["Cache-Control"]


def test_each_answer_has_a_nonce_of_its_own_in_page_and_policy(nurse: Client, built: None) -> None:
    nonces = set()
    for _ in range(2):
        answer = nurse.get("/")
        (nonce,) = re.findall(r'content="([^"_]+)"', answer.content.decode())
        assert f"style-src 'self' 'nonce-{nonce}'" in answer["Content-Security-Policy"]
        nonces.add(nonce)
    assert len(nonces) == 2


def test_the_policy_allows_nothing_inline_and_nothing_from_elsewhere(
    nurse: Client, built: None
) -> None:
    policy = nurse.get("/")["Content-Security-Policy"]
    assert "unsafe" not in policy
    assert "http" not in policy
    for part in ("default-src 'none'", "script-src 'self'", "frame-ancestors 'none'"):
        assert part in policy


def test_a_stranger_is_sent_to_sign_in_and_comes_back_to_the_same_place(
    stranger: Client, built: None
) -> None:
    answer = stranger.get("/feeds?department=Cardiology")
    assert answer.status_code == 302
    assert answer["Location"] == "/accounts/login/?next=/feeds%3Fdepartment%3DCardiology"


@pytest.mark.parametrize("path", ["/api/v2/", "/static/nothing.js", "/accounts/nothing/"])
def test_what_is_not_of_the_app_is_not_answered_by_it(
    nurse: Client, built: None, path: str
) -> None:
    assert nurse.get(path).status_code == 404


def test_without_a_build_the_page_names_the_command(
    nurse: Client, settings: Any, tmp_path: Path
) -> None:
    settings.FRONTEND_DIST = tmp_path / "dist"
    answer = nurse.get("/")
    assert answer.status_code == 503
    assert "<pre>make setup</pre>" in answer.content.decode()


@pytest.mark.parametrize("path", ["/accounts/login/", "/accounts/logout/", "/accounts/password/"])
def test_our_own_pages_hold_no_style_and_no_script_within(nurse: Client, path: str) -> None:
    page = Client().get(path, follow=True) if "login" in path else nurse.get(path)
    assert page.status_code == 200
    assert not re.search(r"<style|<script|\sstyle=|\son\w+=", page.content.decode())


def test_the_process_is_alive_without_asking_the_database(
    nurse: Client, django_assert_num_queries: Any
) -> None:
    with django_assert_num_queries(0):
        answer = Client().get("/livez")
    assert (answer.status_code, answer.content) == (200, b"alive\n")


def test_it_is_ready_when_the_database_has_every_migration(stranger: Client) -> None:
    answer = stranger.get("/readyz")
    assert (answer.status_code, answer.content) == (200, b"ready\n")


def test_it_is_not_ready_while_a_migration_is_missing(stranger: Client) -> None:
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM django_migrations WHERE app = 'alerts'")
    answer = stranger.get("/readyz")
    assert (answer.status_code, answer.content) == (503, b"not ready\n")


def test_it_is_not_ready_without_a_database_and_tells_strangers_no_more(stranger: Client) -> None:
    def gone(*_query: Any) -> Any:
        raise OperationalError("could not connect to 10.0.0.7 as vigil_app")

    with connection.execute_wrapper(gone):
        answer = stranger.get("/readyz")
    assert (answer.status_code, answer.content) == (503, b"not ready\n")
