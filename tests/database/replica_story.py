"""What happens at a place with a replica, told as one JSON object: see test_replica.py.

A process of its own, since Django reads once which databases there are.
"""

# pylint: disable=wrong-import-position
from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import django

django.setup()

from django.conf import settings  # noqa: E402
from django.contrib.auth.models import User  # noqa: E402
from django.db import Error, connection, connections, transaction  # noqa: E402
from django.test import Client, override_settings  # noqa: E402
from django.test.utils import setup_test_environment  # noqa: E402

from ingestion.models import FeedFile, Patient  # noqa: E402
from ops import replica  # noqa: E402
from ops.models import AuditEvent  # noqa: E402
from ops.probes import reader  # noqa: E402
from tests.database.replica import stop_replica, tell, wait_until  # noqa: E402
from tests.deliveries import admit  # noqa: E402

TRAIL = "/admin/ops/auditevent/"
BACKEND = "django.contrib.auth.backends.ModelBackend"
told: dict[str, Any] = {}


def say(statement: str) -> None:
    data = Path(os.environ["HOSPITAL_DATA_DIR"])
    tell(data, int(settings.DATABASES["reader"]["PORT"]), statement)


@contextmanager
def counted() -> Iterator[list[str]]:
    """Gather what the replica is asked of rows, its own state aside."""
    asked: list[str] = []

    def note(execute: Callable[..., Any], statement: str, *rest: Any) -> Any:
        if "pg_is_in_recovery" not in statement:
            asked.append(statement)
        return execute(statement, *rest)

    with connections["reader"].execute_wrapper(note):
        yield asked


def person(name: str) -> Client:
    user = User.objects.create(username=name, is_staff=True, is_superuser=True)
    browser = Client()
    browser.force_login(user, backend=BACKEND)
    browser.get("/api/v1/session/")
    return browser


def asked_at_replica(browser: Client, address: str, **headers: str) -> tuple[bool, Any]:
    """Ask, and tell whether the replica answered."""
    with counted() as asked:
        answer = browser.get(address, headers=headers)
    assert answer.status_code in {200, 304}, (address, answer.status_code)
    return bool(asked), answer


def asked_once_caught_up(browser: Client, address: str) -> bool:
    """Ask while the replica has everything, the look of the question before too."""
    catch_up()
    return asked_at_replica(browser, address)[0]


def catch_up() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_current_wal_insert_lsn()::text")
        (place,) = cursor.fetchone()
    wait_until(lambda: replica.ask_state(place).has_own_writes)


def main() -> None:
    admit("0042", "Brown, Emma", hours=81, department="Cardiology")
    anna, bert = person("anna"), person("bert")
    key = Patient.objects.get().pk
    history, files = f"/api/v1/patients/{key}/history/", "/api/v1/feed-files/"
    page = f"/api/v1/patients/{key}/"
    catch_up()

    told["state"] = [str(reader().health), replica.is_of_the_writer(replica.ask_state())]
    told["lists"] = {
        name: asked_once_caught_up(bert, address)
        for name, address in {
            "files": files,
            "trail": TRAIL,
            "tests": "/admin/ingestion/labtest/",
            "board": "/api/v1/board/",
            "patients": "/api/v1/patients/",
            "discharged": "/api/v1/patients/?status=discharged",
            "feeds": "/api/v1/feeds/",
            "departments": "/api/v1/departments/",
            "lab tests": f"{page}tests/",
            "earlier": f"{files}?known_at=2026-01-01T00:00:00Z",
            "worked off": "/admin/ingestion/rejectedrow/",
        }.items()
    }
    catch_up()
    at_replica, answer = asked_at_replica(bert, history)
    told["history"] = [at_replica, answer.json()["as_of"] < _now(), len(answer.json()["results"])]
    catch_up()

    say("SELECT pg_wal_replay_pause()")
    anna.get(page)  # a look: her write
    at_replica, answer = asked_at_replica(anna, TRAIL)
    told["after her own write"] = [at_replica, "patient.opened" in _rows(answer, "anna")]
    at_replica, answer = asked_at_replica(bert, TRAIL)
    told["somebody else"] = [at_replica, "patient.opened" in _rows(answer, "anna")]
    changed = FeedFile.objects.count()
    admit("0043", "Cohen, Uri", hours=20)
    assert FeedFile.objects.count() == changed + 2
    told["files while paused"] = [
        len(asked_at_replica(browser, files)[1].json()["results"]) - changed
        for browser in (anna, bert)
    ]
    tag = asked_at_replica(bert, "/api/v1/patients/")[1]["ETag"]
    at_replica, answer = asked_at_replica(bert, "/api/v1/patients/", **{"If-None-Match": tag})
    told["conditional"] = [at_replica, answer.status_code]

    say("SELECT pg_wal_replay_resume()")
    catch_up()
    at_replica, answer = asked_at_replica(anna, TRAIL)
    told["once it has caught up"] = [at_replica, "patient.opened" in _rows(answer, "anna")]

    with override_settings(DATABASE_READER_MAX_LAG_SECONDS=-1):
        told["too far behind"] = asked_at_replica(bert, files)[0]
    with counted() as asked:
        told["no request"] = replica.slightly_old(lambda: FeedFile.objects.count() == changed + 2)
    told["no request"] = [bool(asked), told["no request"]]
    with counted() as asked, replica.asked_by(replica.Asker()), transaction.atomic():
        replica.slightly_old(FeedFile.objects.count)
    told["in a transaction"] = bool(asked)
    with counted() as asked, replica.asked_by(replica.Asker(has_written=True)):
        replica.slightly_old(FeedFile.objects.count)
    told["in a request that wrote"] = bool(asked)
    told["writing there"] = _refused_to_write()
    told["fails half-way"] = _asked_twice()

    _lead_to(connection.settings_dict["PORT"])
    told["no replica"] = [asked_at_replica(bert, files)[0], str(reader().health)]
    _lead_to(settings.DATABASES["reader"]["PORT"])

    stop_replica(Path(os.environ["HOSPITAL_DATA_DIR"]))
    replica._left_alone_until = 0.0  # pylint: disable=protected-access
    started = time.monotonic()
    answers = [asked_at_replica(bert, files)[1].status_code for _ in range(3)]
    told["gone"] = [answers, time.monotonic() - started < 5, str(reader().health)]
    json.dump(told, sys.stdout)


def _rows(answer: Any, who: str) -> list[str]:
    return [one.act for one in answer.context["cl"].result_list if one.who == who]


def _now() -> str:
    from django.utils import timezone

    return timezone.now().isoformat()


def _refused_to_write() -> str:
    try:
        AuditEvent.objects.using("reader").create(at=_now(), who="x", act="y")
    except Error as error:
        return str(error.__cause__).splitlines()[0]
    return "written"


def _asked_twice() -> list[str]:
    """A question that the replica cannot finish is asked of the writer."""
    seen: list[str] = []

    def question() -> str:
        seen.append(replica.alias_for_reading())
        with connections[seen[-1]].cursor() as cursor:
            cursor.execute("SELECT 1 / %s", [0 if seen[-1] == "reader" else 1])
        return seen[-1]

    with replica.asked_by(replica.Asker()):
        seen.append(replica.slightly_old(question))
    replica._left_alone_until = 0.0  # pylint: disable=protected-access
    return seen


def _lead_to(port: Any) -> None:
    connections["reader"].close()
    connections["reader"].settings_dict["PORT"] = port


if __name__ == "__main__":
    setup_test_environment()
    plain = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    with override_settings(STORAGES={**settings.STORAGES, "staticfiles": plain}):
        main()
