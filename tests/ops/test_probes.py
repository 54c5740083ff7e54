"""The components that any place has, asked while they are really broken."""

from __future__ import annotations

import os
import shutil
import socket
import ssl
import subprocess
import sys
import threading
from collections import namedtuple
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from celery import current_app
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from django.db import connection

from ops import probes
from ops.choices import Health

PROJECT = Path(__file__).resolve().parent.parent.parent


@pytest.fixture
def closed_port() -> Iterator[int]:
    """A port on which nobody listens, held so that nobody else takes it."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


@pytest.mark.django_db
def test_the_database_answers_and_has_every_migration() -> None:
    told = probes.database()
    assert told.health == Health.WELL
    assert set(told.figures) == {"database_answer_milliseconds", "database_size_bytes"}


@pytest.mark.django_db
def test_a_database_without_a_migration_is_down_and_says_what_to_run() -> None:
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM django_migrations WHERE app = 'alerts'")
    told = probes.database()
    assert told.health == Health.DOWN
    assert told.words.endswith("run manage.py migrate.")


ASKED_WITHOUT = """
import django
django.setup()
from django.test import Client
from ops.services.sampling import ask_all
found = ask_all()
print(found["database"].health, found["disk"].health != "unknown", found["feeds"].health)
page = Client(headers={"cookie": "vigil_session=abcdefghijklmnop"}).get("/status")
body = page.content.decode()
print(page.status_code, "The database does not answer" in body, body.count("Not known"))
"""


def test_without_a_database_the_rest_is_asked_and_the_status_page_says_so(
    closed_port: int, tmp_path: Path
) -> None:
    environment = {
        **os.environ,
        "DATABASE_URL": f"postgres://nobody:x@127.0.0.1:{closed_port}/none",
        "HOSPITAL_DATA_DIR": str(tmp_path),
        "DJANGO_SETTINGS_MODULE": "hospital.settings",
    }
    # In a process of its own, which never had a database; the pages' static files as they lie.
    done = subprocess.run(
        [sys.executable, "-c", _PLAIN_STATIC + ASKED_WITHOUT],
        env=environment, cwd=PROJECT, capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    first, second = done.stdout.split("\n")[:2]
    assert first == "down True unknown"
    status, says_so, unknown = second.split()
    assert (status, says_so) == ("200", "True")
    assert int(unknown) == len([one for one in _public() if one != "database"])


_PLAIN_STATIC = """
from django.conf import settings
settings.STORAGES["staticfiles"] = {
    "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
}
settings.ALLOWED_HOSTS = ["testserver"]
"""


def _public() -> list[str]:
    from ops.registry import probes as registered

    return [one.name for one in registered() if one.is_public]


def test_a_broker_on_which_nobody_listens_is_down(settings: Any, closed_port: int) -> None:
    settings.CELERY_BROKER_URL = f"redis://:x@127.0.0.1:{closed_port}/0"
    told = probes.queue()
    assert told.health == Health.DOWN
    assert told.words.startswith("The broker does not answer (OperationalError)")


def test_a_broker_that_takes_the_call_and_says_nothing_is_down_soon(settings: Any) -> None:
    with socket.socket() as mute:
        mute.bind(("127.0.0.1", 0))
        mute.listen()
        settings.CELERY_BROKER_URL = f"redis://:x@127.0.0.1:{mute.getsockname()[1]}/0"
        began = datetime.now(UTC)
        told = probes.queue()
    assert told.health == Health.DOWN
    assert datetime.now(UTC) - began < timedelta(seconds=15)


def test_an_empty_queue_is_well(settings: Any) -> None:
    settings.CELERY_BROKER_URL = "memory://"
    told = probes.queue()
    assert (told.health, told.figures) == (
        Health.WELL,
        {"queue_length": 0.0, "keeper_queue_length": 0.0, "long_queue_length": 0.0},
    )


def test_long_tasks_that_nobody_takes_are_told(settings: Any) -> None:
    settings.CELERY_BROKER_URL = "memory://"
    with current_app.connection_for_write("memory://") as broker:
        queue = broker.SimpleQueue("long")
        for _ in range(37):
            queue.put("a task")
        told = probes.queue()
        queue.clear()
        queue.close()
    assert (told.health, told.figures["long_queue_length"]) == (Health.DEGRADED, 37.0)
    assert "whoever makes backups and drills does not run" in told.words


def test_no_roll_is_called_where_the_queue_cannot_carry_it(settings: Any) -> None:
    settings.CELERY_BROKER_URL = "sqs://"
    assert probes.workers().health == Health.UNKNOWN


Usage = namedtuple("Usage", "total used free")


@pytest.mark.parametrize(
    ("free", "health"),
    [(100, Health.WELL), (99, Health.DEGRADED), (20, Health.DEGRADED), (19, Health.DOWN)],
)
def test_a_disk_is_judged_by_the_share_that_is_free(
    free: int, health: Health, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(1000, 1000 - free, free))
    told = probes.disk()
    assert (told.health, told.figures["disk_free_percent"]) == (health, free / 10)


def a_certificate(folder: Path, *, days: float, name: str = "one") -> Path:
    """A certificate with its key in one PEM file, which ends in so many days and an hour."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "vigil.example")])
    ends = datetime.now(UTC) + timedelta(days=days, hours=1)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(ends - timedelta(days=400))
        .not_valid_after(ends)
        .sign(key, hashes.SHA256())
    )
    path = folder / f"{name}.pem"
    path.write_bytes(
        made.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return path


@pytest.mark.parametrize(
    ("days", "health", "words"),
    [
        (31, Health.WELL, "board: 31 days left."),
        (30, Health.DEGRADED, "board: 30 days left."),
        (8, Health.DEGRADED, "board: 8 days left."),
        (7, Health.DOWN, "board: 7 days left."),
        (-3, Health.DOWN, "board: expired 3 days ago."),
    ],
)
def test_a_certificate_warns_at_thirty_and_at_seven_days(
    settings: Any, tmp_path: Path, days: int, health: Health, words: str
) -> None:
    settings.WATCHED_CERTIFICATES = [("board", str(a_certificate(tmp_path, days=days)))]
    settings.WATCHED_KEYS = []
    told = probes.expiry()
    assert (told.health, told.words) == (health, words)
    assert told.figures == {"expiry_days_left:board": float(days)}


def test_of_several_certificates_in_a_file_the_first_to_expire_counts(
    settings: Any, tmp_path: Path
) -> None:
    chain = tmp_path / "chain.pem"
    parts = [a_certificate(tmp_path, days=days, name=str(days)) for days in (300, 20)]
    chain.write_bytes(b"".join(part.read_bytes() for part in parts))
    settings.WATCHED_CERTIFICATES = [("board", str(chain))]
    assert probes.expiry().words == "board: 20 days left."


def test_what_cannot_be_read_is_unknown_and_hides_nothing_worse(
    settings: Any, tmp_path: Path, closed_port: int
) -> None:
    (tmp_path / "torn.pem").write_text("no certificate")
    settings.WATCHED_CERTIFICATES = [
        ("gone", str(tmp_path / "gone.pem")),
        ("torn", str(tmp_path / "torn.pem")),
        ("host", f"127.0.0.1:{closed_port}"),
    ]
    told = probes.expiry()
    assert (told.health, told.figures) == (Health.UNKNOWN, {})
    assert "gone: not known (FileNotFoundError)." in told.words
    assert "torn: not known (ValueError)." in told.words
    assert "host: not known (ConnectionRefusedError)." in told.words

    settings.WATCHED_CERTIFICATES.append(("last", str(a_certificate(tmp_path, days=3))))
    assert probes.expiry().health == Health.DOWN


def test_the_certificate_that_a_server_shows_is_asked_though_nobody_signed_it(
    settings: Any, tmp_path: Path
) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(a_certificate(tmp_path, days=12))
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()

        def serve() -> None:
            caller, _ = server.accept()
            with context.wrap_socket(caller, server_side=True):
                pass

        thread = threading.Thread(target=serve)
        thread.start()
        settings.WATCHED_CERTIFICATES = [("proxy", f"127.0.0.1:{server.getsockname()[1]}")]
        told = probes.expiry()
        thread.join()
    assert (told.health, told.words) == (Health.DEGRADED, "proxy: 12 days left.")


def test_the_day_by_which_a_key_is_to_be_changed_warns_too(settings: Any) -> None:
    settings.WATCHED_CERTIFICATES = []
    settings.WATCHED_KEYS = [("signing", date.today() + timedelta(days=5))]
    assert probes.expiry().health == Health.DOWN


def test_where_nothing_is_watched_nothing_is_known_and_the_settings_are_named(
    settings: Any,
) -> None:
    settings.WATCHED_CERTIFICATES, settings.WATCHED_KEYS = [], []
    told = probes.expiry()
    assert told.health == Health.UNKNOWN
    assert "HOSPITAL_WATCHED_CERTIFICATES" in told.words
