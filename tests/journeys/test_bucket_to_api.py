"""The promise to the integration engineer: each object put into a bucket is ingested or refused.

Driven against an emulator of S3 and SQS that the test starts on a free port of this machine: put,
notice, queue, record, alert, API. The clock is the real one.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.test import Client, override_settings
from moto.server import ThreadedMotoServer

from ingestion.models import FeedFile
from ingestion.notices import Notice, s3_event
from ingestion.services.books import books
from ingestion.services.draining import drain
from ingestion.services.listening import Listener
from ingestion.services.reconciling import reconcile
from ingestion.storage import NoticeQueue, Places
from ingestion.storage.buckets import forget_connections
from tests.ingestion.clouds import Cloud, made_up_credentials
from tests.ingestion.terminal import PROJECT, environment

pytestmark = pytest.mark.django_db

PMS, LIS = "hospital-pms", "hospital-lab"
SOURCES = [("pms", PMS, ""), ("lab-north", LIS, "north/")]
PATIENTS = "patient_id,first_name,last_name,date_of_birth"
ADMISSIONS = "patient_id,hospitalization_case_number,admission_date,admission_time,department"
TESTS = "test_id,patient_id,test_name,order_date,order_time"


@dataclass
class Hospital:
    """Two buckets that tell one queue what is put into them, and Vigil listening to it."""

    cloud: Cloud
    queue: str
    listener: Listener

    def put(self, bucket: str, key: str, *lines: str) -> str:
        return self.cloud.put(bucket, key, "".join(f"{line}\n" for line in lines).encode())

    def listen(self) -> int:
        """Work the queue off, and ingest what it told of. Returns how many were put on record."""
        registered = 0
        while self.cloud.waiting(self.queue):
            before = self.cloud.waiting(self.queue)
            registered += self.listener.listen(wait_seconds=0)
            if self.cloud.waiting(self.queue) == before:
                break  # What is left is what nobody understands.
        drain()
        return registered

    def tell(self, key: str, version: str, bucket: str = PMS) -> None:
        """Send a notice as AWS would, once more or at last."""
        told = Notice(bucket, key, version, "", 1, datetime.now(UTC))
        self.cloud.send(self.queue, s3_event(told, name="ObjectCreated:Put"))


@pytest.fixture(scope="module")
def emulator() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def cloud(emulator: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    with made_up_credentials():
        monkeypatch.setenv("AWS_ENDPOINT_URL", emulator)
        forget_connections()
        cloud = Cloud()
        for bucket in (PMS, LIS):
            cloud.bucket(bucket, has_versions=True)
        yield cloud
        _empty(cloud)


def _empty(cloud: Cloud) -> None:
    for bucket in (PMS, LIS):
        listed = cloud.s3.list_object_versions(Bucket=bucket)
        for one in [*listed.get("Versions", ()), *listed.get("DeleteMarkers", ())]:
            cloud.s3.delete_object(Bucket=bucket, Key=one["Key"], VersionId=one["VersionId"])
        cloud.s3.delete_bucket(Bucket=bucket)
    for url in cloud.sqs.list_queues().get("QueueUrls", ()):
        cloud.sqs.delete_queue(QueueUrl=url)


@pytest.fixture
def hospital(cloud: Cloud) -> Iterator[Hospital]:
    queue = cloud.queue()
    for bucket in (PMS, LIS):
        cloud.notify(bucket, queue)
    with override_settings(BUCKETS=SOURCES, NOTICE_QUEUE_URL=queue):
        yield Hospital(cloud, queue, Listener(NoticeQueue(queue), Places.from_settings()))


def ago(hours: float) -> str:
    """A local date and time, as two fields."""
    at = datetime.now(UTC).astimezone(ZoneInfo("Europe/Berlin")) - timedelta(hours=hours)
    return f"{at:%Y-%m-%d},{at:%H:%M:%S}"


def asked(browser: Client, address: str) -> Any:
    answer = browser.get(f"/api/v1/{address}")
    assert answer.status_code == 200, answer.content
    return answer.json()


def due_patients(browser: Client) -> list[tuple[str, str]]:
    """Who is due, and how the alert stands that was raised for each."""
    listed = asked(browser, "patients/?state=due")["results"]
    pages = [asked(browser, f"patients/{one['id']}/") for one in listed]
    return [(page["last_name"], page["admissions"][0]["alert"]["status"]) for page in pages]


def on_record(*names: str) -> set[tuple[Any, ...]]:
    return set(FeedFile.objects.values_list(*names))


def test_a_file_put_into_a_bucket_is_an_alert_in_the_api(hospital: Hospital, nurse: Client) -> None:
    # Children first: the order in which files are put and told of plays no part.
    hospital.put(LIS, "north/tests a+b ü.csv", TESTS, f"T1,0043,Sodium,{ago(5)}")
    hospital.put(
        PMS,
        "admissions/Aufnahmen +ü (1).csv",
        ADMISSIONS,
        f"0042,C1,{ago(81)},Cardiology",
        f"0043,C2,{ago(100)},Oncology",
    )
    hospital.put(PMS, "patients/עברית & co.csv", PATIENTS, "0042,Emma,Brown,", "0043,Omar,Haddad,")

    assert hospital.listen() == 3
    assert due_patients(nurse) == [("Brown", "open")]
    assert on_record("key", "source", "found_by", "status", "rows") == {
        ("north/tests a+b ü.csv", "lab-north", "notice", "ingested", 1),
        ("admissions/Aufnahmen +ü (1).csv", "pms", "notice", "ingested", 2),
        ("patients/עברית & co.csv", "pms", "notice", "ingested", 2),
    }

    hospital.put(LIS, "north/tests a+b ü.csv", TESTS, f"T2,0042,Potassium,{ago(0)}")
    assert hospital.listen() == 1
    assert due_patients(nurse) == []
    assert books()["balanced"] is True


def test_notices_twice_late_in_another_order_or_of_what_is_gone_change_nothing(
    hospital: Hospital,
) -> None:
    hospital.cloud.send(
        hospital.queue, {"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": PMS}
    )
    first = hospital.put(PMS, "a b+ü.csv", PATIENTS, "1,Emma,Brown,")
    second = hospital.put(PMS, "a b+ü.csv", PATIENTS, "1,Emma,Green,")
    gone = hospital.put(PMS, "gone.csv", PATIENTS, "2,Otto,Fox,")
    hospital.cloud.s3.delete_object(Bucket=PMS, Key="gone.csv", VersionId=gone)
    hospital.cloud.s3.put_object(Bucket=PMS, Key="folder/", Body=b"")
    for version in (second, first, second):
        hospital.tell("a b+ü.csv", version)
    for _ in range(2):
        hospital.tell("gone.csv", gone)

    hospital.listen()
    hospital.tell("a b+ü.csv", first)
    assert hospital.listen() == 0
    assert hospital.cloud.waiting(hospital.queue) == 0
    assert on_record("key", "version", "status") >= {
        ("a b+ü.csv", first, "ingested"),
        ("a b+ü.csv", second, "ingested"),
        ("gone.csv", gone, "refused"),
    }
    assert {key for key, _ in on_record("key", "version")} == {"a b+ü.csv", "gone.csv"}
    assert books()["balanced"] is True


def test_a_lost_notice_is_found_by_the_sweep_and_a_late_one_changes_nothing(
    hospital: Hospital, operator: Client
) -> None:
    version = hospital.put(PMS, "lost +ü.csv", PATIENTS, "1,Emma,Brown,")
    hospital.cloud.sqs.purge_queue(QueueUrl=hospital.queue)

    later = datetime.now(UTC) + timedelta(minutes=2)
    told = reconcile(Places.from_settings(), now=later)
    assert told is not None
    assert [(one.source, one.listed, one.found) for one in told] == [
        ("pms", 1, 1),
        ("lab-north", 0, 0),
    ]
    drain()
    hospital.tell("lost +ü.csv", version)
    assert hospital.listen() == 0

    (listed,) = operator.get("/api/v1/feed-files/").json()["results"]
    assert (listed["key"], listed["status"], listed["found_by"]) == (
        "lost +ü.csv",
        "ingested",
        "sweep",
    )


def test_what_nobody_understands_goes_to_the_dead_letters_and_keeps_nothing_back(
    cloud: Cloud,
) -> None:
    dead = cloud.queue("dead-letters")
    queue = cloud.queue()
    arn = cloud.sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])
    policy = {"deadLetterTargetArn": arn["Attributes"]["QueueArn"], "maxReceiveCount": "2"}
    cloud.sqs.set_queue_attributes(QueueUrl=queue, Attributes={"RedrivePolicy": json.dumps(policy)})
    cloud.send(queue, "Brown, Emma")
    cloud.notify(PMS, queue)
    with override_settings(BUCKETS=SOURCES, NOTICE_QUEUE_URL=queue):
        listener = Listener(NoticeQueue(queue), Places.from_settings())
        cloud.put(PMS, "a.csv", f"{PATIENTS}\n1,Emma,Brown,\n".encode())
        registered = [listener.listen(wait_seconds=0) for _ in range(4)]
        drain()

    assert sum(registered) == 1
    assert (cloud.waiting(queue), cloud.waiting(dead)) == (0, 1)
    assert on_record("key", "status") == {("a.csv", "ingested")}


@pytest.mark.django_db(transaction=True)
def test_the_watch_listens_to_the_queue_until_it_is_told_to_stop(
    cloud: Cloud, emulator: str, tmp_path: Any
) -> None:
    queue = cloud.queue()
    cloud.notify(PMS, queue)
    process = subprocess.Popen(
        [sys.executable, "manage.py", "watch"],
        env=environment(
            HOSPITAL_INBOX_DIR=str(tmp_path),
            HOSPITAL_BUCKETS=f"pms={PMS}",
            HOSPITAL_NOTICE_QUEUE_URL=queue,
            AWS_ENDPOINT_URL=emulator,
            CELERY_BROKER_URL="memory://",
        ),
        cwd=PROJECT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    try:
        cloud.put(PMS, "a b+ü.csv", f"{PATIENTS}\n1,Emma,Brown,\n".encode())
        until = time.monotonic() + 60
        while not FeedFile.objects.exists() and time.monotonic() < until:
            time.sleep(0.1)
        time.sleep(0.5)  # for the message to be deleted
    finally:
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=30)

    assert on_record("key", "status", "found_by") == {("a b+ü.csv", "received", "notice")}
    assert cloud.waiting(queue) == 0
    assert process.returncode == 0
    assert b"Traceback" not in err
