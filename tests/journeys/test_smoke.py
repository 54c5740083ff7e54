"""The smoke test's promise: a synthetic file in, an alert out, and no ward ever sees any of it.

A web server of the test's own answers at a free port, and a worker's part is played by a thread
that takes in what lies in the inbox. The clock is the real one.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.files.storage import FileSystemStorage
from django.db import connections
from django.test import Client, override_settings

from alerts.choices import AlertStatus, Resolution
from alerts.models import Alert
from hospital.journey import journey
from ingestion.choices import FileStatus, FoundBy
from ingestion.models import Admission, FeedFile, Patient, WaitingRow
from ingestion.services.books import books
from ingestion.services.draining import drain
from ingestion.services.reconciling import reconcile
from ingestion.services.registering import register
from ingestion.services.smoke_files import SmokePatient, put_in_bed
from ingestion.storage import Inbox, Places
from ops.models import AuditEvent
from ops.roles import SMOKE_ACCOUNT
from ops.services.muting import mute
from ops.smoke import SmokeFailed, SmokeNotRun
from tests import cast
from tests.ingestion.clouds import a_cloud
from tests.ingestion.terminal import run
from tests.journeys.hospital import LiveHospital
from tests.ops.seals import empty_the_trail

pytestmark = [pytest.mark.django_db(transaction=True)]

_STAGE_OF_A_TEST = {
    "ALLOWED_HOSTS": ["localhost", "testserver"],
    "HOSPITAL_TIME_ZONE": "Europe/Berlin",
}


@pytest.fixture(autouse=True)
def an_empty_trail_afterwards(transactional_db: None) -> Iterator[None]:
    """The guards would not let the tests' own cleaning empty these tables."""
    yield
    empty_the_trail()


@pytest.fixture
def inbox(tmp_path: Path) -> Iterator[Path]:
    from django.conf import settings

    inside = {
        "BACKEND": "django.core.files.storage.FileSystemStorage",
        "OPTIONS": {"location": str(tmp_path)},
    }
    with override_settings(STORAGES={**settings.STORAGES, "inbox": inside}, **_STAGE_OF_A_TEST):
        yield tmp_path


class Worker:
    """Takes in whatever lies in the inbox, again and again, as the watch and the workers do."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._work)

    def __enter__(self) -> Worker:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _work(self) -> None:
        try:
            while not self._ended.wait(0.1):
                take_in(self._folder)
        finally:
            connections.close_all()


def take_in(folder: Path) -> None:
    inbox = Inbox(FileSystemStorage(location=str(folder)))
    for source in inbox.sources():
        for name in sorted(one for one in inbox.names(source) if one.endswith(".csv")):
            register(inbox.object(f"{source}/{name}"), found_by=FoundBy.LOOKOUT)
    drain(Places(inbox))


@pytest.mark.usefixtures("inbox")
def test_a_synthetic_patient_becomes_an_alert_and_is_discharged(
    live_server: Any, inbox: Path
) -> None:
    with Worker(inbox):
        words = journey(live_server.url, patience=30)

    assert words.startswith("A synthetic patient came and went: signed in after ")
    assert [step in words for step in ("alert after", "resolved after")] == [True, True]
    patient = Patient.objects.get()
    assert patient.patient_id.startswith("vigil-smoke-20")
    alert = Alert.objects.get()
    assert (alert.status, alert.resolution) == (AlertStatus.RESOLVED, Resolution.DISCHARGED)
    assert alert.unknown_since is None
    assert Admission.objects.get().released_at is not None
    files = list(FeedFile.objects.values_list("source", "status"))
    assert files == [("vigil-smoke", FileStatus.INGESTED)] * 3
    assert (WaitingRow.objects.count(), books()["balanced"]) == (0, True)


def test_it_stays_on_the_trail_marked_as_synthetic(live_server: Any, inbox: Path) -> None:
    with Worker(inbox):
        journey(live_server.url, patience=30)

    run_of_it = AuditEvent.objects.get(act="smoke.journey")
    assert (run_of_it.who, run_of_it.details["synthetic"]) == (SMOKE_ACCOUNT, True)
    assert run_of_it.details["outcome"] == "passed"
    assert set(run_of_it.details["seconds"]) == {"signed in", "alert", "resolved"}
    looks = AuditEvent.objects.filter(act__startswith="patient")
    assert looks.count() == 2
    assert {one.details.get("synthetic") for one in looks} == {True}


def test_who_was_left_in_bed_by_a_run_that_died_is_discharged_by_the_next(
    live_server: Any, inbox: Path
) -> None:
    now = datetime.now(UTC)
    left = SmokePatient.of_run(
        f"{now - timedelta(hours=1):%Y%m%dt%H%M%Sz}-dead", admitted_at=now - timedelta(hours=60)
    )
    at_work = SmokePatient.of_run(
        f"{now:%Y%m%dt%H%M%Sz}-another", admitted_at=now - timedelta(hours=60)
    )
    for one in (left, at_work):
        put_in_bed(one, tested_at=now - timedelta(hours=59), at=now - timedelta(minutes=5))
    take_in(inbox)

    with Worker(inbox):
        words = journey(live_server.url, patience=30)

    assert words.endswith("; discharged who was left in bed by earlier runs: 1.")
    still = Admission.objects.filter(released_at__isnull=True)
    assert [one.patient_number for one in still] == [at_work.number]


def test_two_runs_at_once_do_not_meet(live_server: Any, inbox: Path) -> None:
    def run_one(_: int) -> str:
        try:
            return journey(live_server.url, patience=30)
        finally:
            connections.close_all()

    with Worker(inbox), ThreadPoolExecutor(2) as pool:
        said = list(pool.map(run_one, range(2)))

    assert ["left in bed" in words for words in said] == [False, False]
    assert Patient.objects.count() == 2
    assert Admission.objects.filter(released_at__isnull=True).count() == 0


def test_where_nobody_takes_files_in_it_fails_and_leaves_nobody_in_bed(
    live_server: Any, inbox: Path
) -> None:
    with pytest.raises(SmokeFailed, match="the patient was admitted and there is no alert"):
        journey(live_server.url, patience=1)

    take_in(inbox)
    assert Admission.objects.filter(released_at__isnull=True).count() == 0
    assert AuditEvent.objects.get(act="smoke.journey").details["outcome"] == "failed"


@pytest.mark.usefixtures("inbox")
def test_a_muted_place_is_not_asked(live_server: Any, inbox: Path) -> None:
    mute(by="olga", why="A copy for trying things out.")
    with pytest.raises(SmokeNotRun, match="This place is muted"):
        journey(live_server.url)
    assert list(inbox.iterdir()) == []
    assert not User.objects.filter(username=SMOKE_ACCOUNT).exists()


def test_buckets_without_a_reserved_source_are_not_written_to(inbox: Path) -> None:
    with (
        override_settings(BUCKETS=[("pms", "hospital-pms", "")]),
        pytest.raises(SmokeNotRun, match="declare vigil-smoke=bucket/vigil-smoke"),
    ):
        journey("http://127.0.0.1:1")
    assert list(inbox.iterdir()) == []


def test_the_command_says_not_run_with_a_status_of_its_own(inbox: Path) -> None:
    mute(by="olga", why="A copy for trying things out.")
    ran = run("smoke", "journey", "--address", "http://127.0.0.1:1")
    assert (ran.code, ran.err) == (77, "Not run: journey.")
    assert "This place is muted" in ran.out


def test_an_account_of_that_name_with_rights_is_not_used(inbox: Path) -> None:
    User.objects.create(username=SMOKE_ACCOUNT, is_staff=True, is_superuser=True)
    with pytest.raises(SmokeNotRun, match="has rights that no smoke test needs"):
        journey("http://127.0.0.1:1")
    assert User.objects.get().password == ""


def test_a_nurse_is_asked_in_vain_while_it_runs(live_server: Any, inbox: Path) -> None:
    """What she sees is compared byte by byte with what she saw before."""
    nurse = cast.nora_nurse().browser
    before = seen(nurse)
    now = datetime.now(UTC)
    patient = SmokePatient.of_run("in-bed", admitted_at=now - timedelta(hours=60))
    put_in_bed(patient, tested_at=now - timedelta(hours=59), at=now)
    take_in(inbox)
    assert Alert.objects.get().status == AlertStatus.OPEN
    assert seen(nurse) == before


def seen(browser: Client) -> list[Any]:
    asked = ("board/", "patients/", "departments/", "feeds/", "feed-files/")
    told = [browser.get(f"/api/v1/{path}").json() for path in asked]
    for one in told:
        one.pop("as_of", None)
    return told


def test_in_buckets_the_file_goes_to_the_prefix_of_the_reserved_source() -> None:
    sources = (("pms", "hospital-feeds", "pms/"), ("vigil-smoke", "hospital-feeds", "s/"))
    now = datetime.now(UTC)
    patient = SmokePatient.of_run("r", admitted_at=now - timedelta(hours=60))
    with a_cloud(*sources) as cloud, override_settings(**_STAGE_OF_A_TEST):
        cloud.bucket("hospital-feeds", has_versions=True)
        put_in_bed(patient, tested_at=now - timedelta(hours=59), at=now)
        listed = cloud.s3.list_objects_v2(Bucket="hospital-feeds")["Contents"]
        places = Places.from_settings()
        reconcile(places, now=now + timedelta(hours=1))
        drain(places)
    stamp, later = (f"{at:%Y-%m-%dT%H-%M-%S.%fZ}" for at in (now, now + timedelta(milliseconds=1)))
    assert {one["Key"] for one in listed} == {f"s/pms-r-{stamp}.csv", f"s/lis-r-{later}.csv"}
    assert Alert.objects.get().status == AlertStatus.OPEN


def test_a_hospital_that_runs_passes_by_the_command_as_it_is_typed(tmp_path: Path) -> None:
    hospital = LiveHospital(tmp_path / "data")
    hospital.folder.mkdir()
    try:
        hospital.start()
        (one,) = json.loads(
            hospital.manage("smoke", "journey", "--json", "--address", hospital.address[:-1])
        )
    finally:
        hospital.stop()
    assert (one["name"], one["outcome"]) == ("journey", "passed")
    assert one["words"].startswith("A synthetic patient came and went: signed in after")
