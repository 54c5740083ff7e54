"""The session: what a screen must know before anything else."""

from __future__ import annotations

from typing import Any

import pytest
from django.conf import settings as all_settings
from django.contrib.auth.models import User
from django.db import DatabaseError, connection
from django.test import Client

pytestmark = pytest.mark.django_db
SESSION = "/api/v1/session/"


def test_a_nurse_is_told_who_she_is(nurse: Client) -> None:
    body = nurse.get(SESSION).json()
    assert len(body.pop("csrf_token")) == 64
    assert body == {
        "signed_in": True,
        "user": {"username": "nurse", "display_name": "Nora Nurse", "is_operator": False},
        "demo": False,
        "time_zone": "Europe/Berlin",
        "idle_sign_out_seconds": 28800,
        "version": all_settings.VERSION,
    }


def test_an_operator_is_told_of_the_admin(operator: Client) -> None:
    assert operator.get(SESSION).json()["user"]["is_operator"] is True


def test_a_stranger_is_told_that_nobody_is_signed_in(stranger: Client) -> None:
    answer = stranger.get(SESSION)
    assert answer.status_code == 200
    assert (answer.json()["signed_in"], answer.json()["user"]) == (False, None)
    assert answer["Cache-Control"] == "private, no-store"


def test_a_user_without_a_name_is_called_by_the_sign_in_name(nurse: Client) -> None:
    User.objects.update(first_name="", last_name="")
    assert nurse.get(SESSION).json()["user"]["display_name"] == "nurse"


def test_a_user_who_was_made_inactive_is_out_at_once(nurse: Client) -> None:
    User.objects.update(is_active=False)
    assert nurse.get(SESSION).json()["signed_in"] is False
    assert nurse.get("/api/v1/board/").status_code == 403


def test_an_error_of_ours_is_told_in_the_envelope_and_without_its_words(nurse: Client) -> None:
    def failing(execute: Any, sql: str, *more: Any) -> Any:
        if "ingestion_rejectedrow" in sql:
            raise DatabaseError("Key (last_name)=(Brown) already exists")
        return execute(sql, *more)

    nurse.raise_request_exception = False
    with connection.execute_wrapper(failing):
        answer = nurse.get("/api/v1/board/")
    assert answer.status_code == 500
    assert answer.json()["type"] == "server_error"
    assert "Brown" not in answer.content.decode()


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete", "options"])
def test_what_is_only_read_takes_no_other_method(operator: Client, method: str) -> None:
    assert getattr(operator, method)("/api/v1/board/").status_code == 405
