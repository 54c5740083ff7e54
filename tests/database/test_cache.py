"""Processes that share no memory count together in the database, as functions on Lambda must."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from django.conf import settings
from django.core.cache import cache
from django.core.exceptions import ImproperlyConfigured
from django.db import connection
from django.test import override_settings

from hospital.settings import _cache as cache_at
from ops.checksums import figures_of
from ops.models import CacheEntry
from tests.ingestion.terminal import python

IN_DATABASE = {"default": cache_at("database")}
GUESS = """
import json
from allauth.core import ratelimit
from django.test import RequestFactory
from django.test.utils import override_settings
from hospital.settings import _cache

with override_settings(CACHES={"default": _cache("database")}):
    asked = RequestFactory().post("/accounts/2fa/code/")
    print(json.dumps([
        bool(ratelimit.consume(asked, action="second_factor", key="user-7")) for _ in range(3)
    ]))
"""


@pytest.fixture
def in_database() -> Iterator[None]:
    with override_settings(CACHES=IN_DATABASE):
        yield


@pytest.mark.django_db(transaction=True)
def test_two_processes_share_the_count_of_guesses_at_a_second_factor() -> None:
    assert settings.ACCOUNT_RATE_LIMITS["second_factor"] == "5/5m/key"
    allowed = []
    for _ in range(2):
        out, err = python(GUESS).communicate(timeout=60)
        assert out, err.decode()
        allowed.append(json.loads(out))
    assert allowed == [[True, True, True], [True, True, False]]


@pytest.mark.django_db
@pytest.mark.usefixtures("in_database")
def test_what_is_remembered_is_known_until_it_expires() -> None:
    cache.set("a", [1.5, 2.5], timeout=60)
    cache.set("gone", True, timeout=-1)
    assert (cache.get("a"), cache.get("gone"), cache.add("a", 3)) == ([1.5, 2.5], None, False)
    assert CacheEntry.objects.count() == 1
    cache.delete("a")
    assert CacheEntry.objects.count() == 0


@pytest.mark.django_db
@pytest.mark.usefixtures("in_database")
def test_more_than_three_hundred_who_guess_are_not_forgotten() -> None:
    for number in range(301):
        cache.set(f"guess-{number}", True, timeout=60)
    assert CacheEntry.objects.count() == 301


@pytest.mark.django_db
def test_its_table_is_in_no_log_and_counts_for_no_backup() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT relpersistence FROM pg_class WHERE relname = 'ops_cacheentry'")
        assert cursor.fetchall() == [("u",)]
    assert "ops_cacheentry" not in figures_of(connection.connection)["tables"]


@pytest.mark.parametrize("place", ["redis://:x@127.0.0.1:6379/1", "rediss://x:1/1", "unix://a"])
def test_valkey_is_known_by_its_address(place: str) -> None:
    assert cache_at(place) == {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": place,
    }


@pytest.mark.parametrize("place", ["Database", "locmem", "http://127.0.0.1", "db"])
def test_what_is_no_cache_stops_the_start(place: str) -> None:
    with pytest.raises(ImproperlyConfigured, match="CACHE_URL is neither an address"):
        cache_at(place)


@pytest.mark.parametrize("given", ["", None])
@pytest.mark.parametrize(
    ("stage", "backend"),
    [("development", "LocMemCache"), ("staging", "DatabaseCache"), ("production", "DatabaseCache")],
)
@pytest.mark.django_db
def test_off_the_development_stage_no_process_remembers_for_itself(
    stage: str, backend: str, given: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    place: dict[str, Any] = {
        "HOSPITAL_STAGE": stage,
        "HOSPITAL_SECRET_KEY": "k" * 60,
        "HOSPITAL_BACKUP_DIR": "backups",
        "HOSPITAL_SEAL_DIR": "seals",
    }
    for name, value in place.items():
        monkeypatch.setenv(name, value)
    if given is not None:
        monkeypatch.setenv("CACHE_URL", given)
    out, err = python("from django.core.cache import caches\nprint(caches.settings)").communicate(
        timeout=60
    )
    assert backend in out.decode(), err.decode()
