"""Passwords and keys are rotated while the hospital runs: nothing is lost, nobody is signed out."""

from __future__ import annotations

import http.cookiejar
import json
import re
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psycopg2
import pytest

from hospital import localdb
from hospital.localdb.places import Place, free_port
from hospital.localdb.postgres import Postgres
from tests.stage.test_run import PROJECT, Run, books, end, environment, eventually, start


@pytest.fixture(name="run", scope="module")
def _run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    run = start(tmp_path_factory.mktemp("rotating") / "data", PORT=str(free_port()))
    try:
        run.wait_for("Ctrl-C stops it")
        assert eventually(lambda: books(run.data)["patients"] >= 60)
        yield run
    finally:
        end(run)


def manage(run: Run, *arguments: str) -> str:
    return subprocess.check_output(
        [sys.executable, str(PROJECT / "manage.py"), *arguments],
        env=environment(run.data), text=True, stderr=subprocess.STDOUT,
    )  # fmt: skip


def cut_every_connection(run: Run) -> int:
    """Make every process connect anew, as after a restart of the database; gives how many."""
    with closing(Postgres(Place.at(run.data)).connect("vigil")) as admin:
        admin.autocommit = True
        cursor = admin.cursor()
        cursor.execute(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
            " WHERE usename IN ('vigil_app', 'vigil_owner') AND pid <> pg_backend_pid()"
        )
        return int(cursor.fetchone()[0])  # type: ignore[index]


def address(run: Run) -> str:
    return run.said.rpartition("Vigil runs at ")[2].split()[0]


def is_ready(run: Run) -> bool:
    try:
        with urllib.request.urlopen(f"{address(run)}readyz", timeout=10) as answer:
            return bool(answer.status == 200)
    except urllib.error.URLError:
        return False


def opens(url: str) -> bool:
    try:
        psycopg2.connect(url).close()
    except psycopg2.OperationalError:
        return False
    return True


@pytest.mark.parametrize("role", ["application", "owner"])
def test_a_password_changes_under_a_running_hospital_and_nothing_is_lost(
    run: Run, role: str
) -> None:
    reserved = localdb.reserve(run.data)
    old = reserved.database_url if role == "application" else reserved.owner_url
    before = books(run.data)

    said = manage(run, "rotatepassword", role, "--by", "olga", "--why", "Each quarter.")
    assert "Nothing needs a restart" in said
    assert not opens(old)
    assert cut_every_connection(run) > 0

    assert eventually(lambda: is_ready(run), seconds=20)
    ingested = before["files"]["ingested"]
    assert eventually(lambda: books(run.data)["files"]["ingested"] > ingested + 2)
    after = books(run.data)
    assert after["balanced"] is True
    assert after["files"].get("refused", 0) == before["files"].get("refused", 0)
    assert " ended (" not in run.said


def test_migrations_find_the_owner_s_new_password(run: Run) -> None:
    manage(run, "rotatepassword", "owner", "--by", "olga")
    assert "No migrations to apply" in manage(run, "migrate")


def test_the_living_database_gives_each_role_the_least(run: Run) -> None:
    assert "nobody may do more" in manage(run, "dbroles", "--check")


def test_the_rotations_are_on_record_by_name_and_no_password_is_anywhere(run: Run) -> None:
    manage(run, "rotatepassword", "reports", "--by", "olga", "--why", "Somebody left.")
    question = (
        "import json\n"
        "from ops.models import AuditEvent, SecretVersion\n"
        "newest = SecretVersion.objects.filter(name='database.reports').latest('version')\n"
        "event = AuditEvent.objects.filter(act='secret.rotated').latest('pk')\n"
        "print(json.dumps([newest.version, newest.made_by, event.object_key, event.why,"
        " event.details]))"
    )
    told = manage(run, "shell", "-v", "0", "-c", question)
    assert json.loads(told) == [1, "olga", "database.reports", "Somebody left.", {"version": 1}]

    passwords = [path.read_text() for path in (run.data / "secrets").iterdir()]
    logs = [*(run.data / "logs").glob("*.log"), run.data / "postgres" / "server.log"]
    written = "".join(path.read_text(errors="replace") for path in logs) + told
    assert not [password for password in passwords if password in written]


class Browser:
    """A browser with its cookies."""

    def __init__(self, run: Run) -> None:
        self.run = run
        jar = http.cookiejar.CookieJar()
        self.opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(jar))

    def get(self, path: str) -> str:
        with self.opener.open(f"{address(self.run)}{path}", timeout=10) as answer:
            text: str = answer.read().decode()
            return text

    def sign_in(self, name: str) -> None:
        token = re.search(r'csrfmiddlewaretoken" value="(\w+)"', self.get("accounts/login/"))
        assert token
        password = (self.run.data / "secrets" / f"sign-in-{name}").read_text()
        form = {"login": name, "password": password, "csrfmiddlewaretoken": token[1]}
        form["next"] = "/api/v1/session/"
        body = urllib.parse.urlencode(form).encode()
        self.opener.open(f"{address(self.run)}accounts/login/", body, timeout=10).close()

    def is_signed_in(self) -> bool:
        return bool(json.loads(self.get("api/v1/session/"))["signed_in"])


def test_a_new_signing_key_signs_nobody_out(tmp_path: Path) -> None:
    port = str(free_port())
    run = start(tmp_path / "data", PORT=port)
    try:
        run.wait_for("Ctrl-C stops it")
        browser = Browser(run)
        browser.sign_in("nurse")
        assert browser.is_signed_in()
        before = (run.data / "secret-key").read_text()

        assert "stop Vigil and start it again" in manage(run, "rotatekey", "signing")
        assert (run.data / "secret-key").read_text() != before
        end(run)
        run = browser.run = start(tmp_path / "data", PORT=port)
        run.wait_for("Ctrl-C stops it")
        assert browser.is_signed_in()
    finally:
        end(run)
