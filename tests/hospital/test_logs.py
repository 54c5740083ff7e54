"""Logs: JSON lines that a machine reads, and not a word about a patient."""

from __future__ import annotations

import importlib
import io
import json
import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from celery import Celery
from django.conf import settings
from django.db import DatabaseError, connection
from django.test import Client

from hospital import webserver
from ingestion.models import Department
from tests.cast import PASSWORD, nora_nurse
from tests.deliveries import admit


@contextmanager
def written() -> Iterator[list[dict[str, Any]]]:
    """What the configured handler writes meanwhile, line by line; every line must be JSON."""
    (handler,) = (h for h in logging.getLogger().handlers if h.formatter and h.filters)
    assert isinstance(handler, logging.StreamHandler)
    text = io.StringIO()
    lines: list[dict[str, Any]] = []
    before = handler.setStream(text)
    try:
        yield lines
    finally:
        handler.setStream(before)
        lines.extend(json.loads(line) for line in text.getvalue().splitlines())


def only(lines: list[dict[str, Any]]) -> dict[str, Any]:
    """The one line that was written."""
    assert len(lines) == 1
    return lines[0]


@pytest.fixture(autouse=True)
def as_configured() -> None:
    importlib.import_module(settings.LOGGING_CONFIG.rpartition(".")[0]).configure(settings.LOGGING)


@pytest.mark.django_db
def test_a_request_is_one_line_with_its_id_and_without_its_query(nurse: Client) -> None:
    with written() as lines:
        nurse.get("/api/v1/patients/?search=Brown&department=Cardiology")
    line = only(lines)
    assert line["request"] == "GET /api/v1/patients/"
    assert (line["event"], line["code"]) == ("request_finished", 200)
    assert re.fullmatch(r"[0-9a-f-]{36}", line["request_id"])
    assert "Brown" not in json.dumps(lines)
    assert "Cardiology" not in json.dumps(lines)


@pytest.mark.django_db
@pytest.mark.parametrize(
    "address", ["/api/v1/patients/?search=Brown&ward=1", "/static/none?search=Brown"]
)
def test_a_refused_request_does_not_bring_its_query_in_by_the_back_door(
    nurse: Client, address: str
) -> None:
    with written() as lines:
        assert nurse.get(address).status_code in {400, 404}
    assert len(lines) == 2
    assert "Brown" not in json.dumps(lines)


@pytest.mark.django_db
def test_a_searched_name_is_not_written(nurse: Client) -> None:
    with written() as lines:
        search = {"search": "Brown", "cursor": "x"}
        nurse.post("/api/v1/patients/search/", search, content_type="application/json")
        nurse.post("/api/v1/patients/search/", {"search": "Brown"}, content_type="application/json")
    assert len(lines) == 3
    assert "Brown" not in json.dumps(lines)


@pytest.mark.django_db
def test_neither_a_password_nor_a_mistyped_name_is_written(stranger: Client) -> None:
    nora_nurse()
    with written() as lines:
        for name, password in (("nurse", PASSWORD), ("hunter2", "nurse"), *[("nurse", "no")] * 5):
            stranger.post("/accounts/login/", {"login": name, "password": password})
    text = json.dumps(lines)
    assert lines
    assert PASSWORD not in text
    assert "hunter2" not in text


@pytest.mark.django_db
def test_a_failing_request_says_where_it_failed_and_nothing_of_the_row(nurse: Client) -> None:
    def failing(execute: Any, sql: str, *more: Any) -> Any:
        if "ingestion_rejectedrow" in sql:
            raise DatabaseError("Key (last_name)=(Brown) already exists.")
        return execute(sql, *more)

    nurse.raise_request_exception = False
    with written() as lines, connection.execute_wrapper(failing):
        assert nurse.get("/api/v1/board/?department=Brown").status_code == 500
    # Both Django and our own line of the request tell it, under one request id.
    errors = [line for line in lines if "exception" in line]
    assert [line["exception"][0]["type"] for line in errors] == ["DatabaseError"] * 2
    assert len({line["request_id"] for line in errors}) == 1
    assert all("test_logs.py" in line["exception"][0]["at"][-1] for line in errors)
    assert "Brown" not in json.dumps(lines)


@pytest.mark.django_db(transaction=True)
def test_a_database_error_s_row_is_not_written_and_its_cause_is_named() -> None:
    Department.objects.create(name="Brown, Emma")
    with written() as lines:
        try:
            Department.objects.create(name="Brown, Emma")
        except DatabaseError:
            logging.getLogger("ingestion").exception("could not be stored", extra={"count": 1})
    line = only(lines)
    assert (line["event"], line["count"], line["level"]) == ("could not be stored", 1, "error")
    types = [one["type"] for one in line["exception"]]
    assert types == ["IntegrityError", "UniqueViolation"]
    assert "Brown" not in json.dumps(line)


def test_whatever_is_no_plain_value_is_left_out() -> None:
    with written() as lines:
        row = {"last_name": "Brown"}
        logging.getLogger("some.library").warning("strange", extra={"row": row, "rows": [row]})
    line = only(lines)
    assert line["event"] == "strange"
    assert "Brown" not in json.dumps(line)


def test_a_failed_task_is_named_without_the_words_of_its_error() -> None:
    app = Celery("test", broker="memory://", set_as_current=False)

    @app.task(name="tests.store")
    def store() -> None:
        raise ValueError("Key (last_name)=(Brown) already exists.")

    with written() as lines:
        store.apply()
    (line,) = [one for one in lines if one["level"] == "error"]
    assert line["event"] == "task tests.store raised unexpected"
    assert line["exception"][0]["type"] == "ValueError"
    assert "Brown" not in json.dumps(lines)


@pytest.mark.django_db
def test_ingesting_writes_nothing_of_a_row() -> None:
    with written() as lines:
        admit("4711-0815", "Brown, Emma", hours=5, department="Cardiology")
    text = json.dumps(lines)
    assert "4711-0815" not in text
    assert "Brown" not in text


def test_the_web_server_s_own_log_would_hold_neither_query_nor_referrer() -> None:
    fields = set(re.findall(r"%\((\w+)\)s", webserver.access_log_format))
    assert fields == {"h", "m", "U", "s", "b", "M"}
