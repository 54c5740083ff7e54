"""A hospital in which something goes wrong: a whole place of its own, its systems, its people.

Everybody in it is invented. Its exports are written into its inbox as its systems would.
"""

from __future__ import annotations

import http.cookiejar
import json
import re
import shlex
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from hospital import localdb
from hospital.localdb.places import free_port
from tests.runbooks.pages import Ended
from tests.stage.test_disaster import ask
from tests.stage.test_run import PROJECT, Run, end, environment, eventually, start

PASSWORD = "correct horse battery staple"
ZONE = "Europe/Berlin"
_OPEN_ALERTS = (
    "SELECT p.patient_id, l.id FROM alerts_alert l JOIN ingestion_admission a"
    " ON a.id = l.admission_id JOIN ingestion_patient p ON p.id = a.patient_id"
    " WHERE l.status = 'open' AND l.unknown_since IS NULL"
)
# What a backup says while another is made: the pages say to wait and to type it again.
_ANOTHER = re.compile("wait for its end|try again in a minute")
_LAYOUTS = {
    "patients": "patient_id first_name last_name date_of_birth",
    "admissions": "patient_id hospitalization_case_number admission_date admission_time department",
    "lab_tests": "test_id patient_id test_name order_date order_time",
}


@dataclass
class Hospital:
    """One place with DEMO=0, whether it runs or not; its data folder may be another machine's."""

    data: Path
    port: int = field(default_factory=free_port)
    settings: dict[str, str] = field(default_factory=dict)
    code: Path = PROJECT
    run: Run | None = None

    @property
    def inbox(self) -> Path:
        """Where its systems write."""
        return Path(self.settings.get("HOSPITAL_INBOX_DIR") or self.data / "inbox")

    @property
    def backups(self) -> Path:
        """Where its backups are kept."""
        return Path(self.settings.get("HOSPITAL_BACKUP_DIR") or self.data / "backups")

    @property
    def own(self) -> dict[str, str]:
        """What its service and its operators' terminal have set."""
        return {
            "DEMO": "0",
            "PORT": str(self.port),
            "HOSPITAL_TIME_ZONE": ZONE,
            "HOSPITAL_INBOX_STILL_SECONDS": "0.2",
            "HOSPITAL_ADDRESS": f"http://127.0.0.1:{self.port}",
            "PYTHONPATH": str(self.code),
        } | self.settings

    @property
    def environment(self) -> dict[str, str]:
        """The whole environment of its commands."""
        return environment(self.data, **self.own)

    def start(self) -> None:
        """Start it as `make run` does, and wait until it answers."""
        self.run = start(self.data, code=self.code, **self.own)
        self.run.wait_for("Ctrl-C stops it")

    def stop(self) -> None:
        """Stop it as Ctrl-C does."""
        if self.run is not None:
            end(self.run)
            self.run = None

    def restart(self) -> None:
        """Stop and start."""
        self.stop()
        self.start()

    def end(self) -> None:
        """Leave nothing of it running."""
        self.stop()
        localdb.stop(self.data)

    def type(self, command: str) -> Ended:
        """Type a command in the operator's terminal; again where another backup was just made."""
        ended = self._typed(command)
        for _ in range(20):
            if not _ANOTHER.search(ended.said):
                break
            time.sleep(3)
            ended = self._typed(command)
        return ended

    def _typed(self, command: str) -> Ended:
        typed = command.replace(".venv/bin/python", sys.executable)
        done = subprocess.run(
            ["bash", "-o", "pipefail", "-c", typed],
            cwd=self.code,
            env=self.environment,
            check=False,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            timeout=180,
        )
        return Ended(done.returncode, done.stdout)

    def manage(self, *arguments: str, **more: str) -> str:
        """Run a command that is no step: for planting, and for looking."""
        given = " ".join(f"{name}={shlex.quote(value)}" for name, value in more.items())
        ended = self.type(f"{given} .venv/bin/python manage.py {shlex.join(arguments)}")
        assert ended.status == 0, ended.said
        return ended.said

    def back_up(self) -> str:
        """Make a dump by hand; returns its name."""
        said = self.manage("backup", "--why", "An upgrade, or a night.")
        found: list[str] = re.findall(r"^(point-\w+):", said, flags=re.MULTILINE)
        return found[-1]

    def which_log(self, cluster: str) -> str:
        """Say whose log is meant, where the storage has those of several clusters."""
        kept = {
            json.loads(path.read_text())["system"]
            for path in (self.backups / "base").glob("*/manifest.json")
        }
        return f" --cluster {cluster}" if len(kept) > 1 else ""

    def cluster(self) -> str:
        """Give the number of the cluster that runs."""
        ((number,),) = self.ask("SELECT system_identifier::text FROM pg_control_system()")
        return str(number)

    def make_user(self, name: str) -> None:
        """Make a superuser with the tests' password."""
        self.manage(
            "createsuperuser", "--noinput", "--username", name, "--email", "",
            DJANGO_SUPERUSER_PASSWORD=PASSWORD,
        )  # fmt: skip

    def overdue(self) -> dict[str, str]:
        """Tell who is beyond the threshold, and how that stands."""
        told = json.loads(self.manage("overdue", "--json").splitlines()[-1])["patients"]
        return {one["patient_id"]: one["state"] for one in told}

    def alerts(self) -> dict[str, int]:
        """Tell for whom an alert is open and not in doubt, with its key."""
        return dict(self.ask(_OPEN_ALERTS))

    def ask(self, statement: str) -> set[tuple[Any, ...]]:
        """Ask its database: quicker than a command, for looking again and again."""
        return ask(self.data, statement)

    def books(self) -> dict[str, Any]:
        """Count what is on record."""
        told: dict[str, Any] = json.loads(self.manage("books", "--json").splitlines()[-1])
        return told

    def deliver(
        self,
        source: str,
        layout: str,
        rows: list[list[str]],
        *,
        ago: timedelta = timedelta(0),
        header: str = "",
        encoding: str = "utf-8",
    ) -> str:
        """Let a system write one file, as of a moment ago. Returns its name in the inbox."""
        at = datetime.now(UTC) - ago
        lines = [(header or _LAYOUTS[layout]).split(), *rows]
        name = f"{layout}-{at:%Y%m%dT%H%M%S.%fZ}.csv"
        folder = self.inbox / source
        folder.mkdir(parents=True, exist_ok=True)
        part = folder / f"{name}.part"
        part.write_text("".join(",".join(line) + "\n" for line in lines), encoding=encoding)
        part.rename(folder / name)
        return f"{source}/{name}"

    def admit(self, *numbers: str, hours: float) -> None:
        """Let the PMS tell of patients who came so many hours ago."""
        self.deliver("pms", "patients", [[n, "Ida", f"Invented{n}", "1950-01-31"] for n in numbers])
        rows = [[n, f"C{n}", *local(hours), "Medicine"] for n in numbers]
        self.deliver("pms", "admissions", rows)

    def order(self, source: str, *numbers: str, hours: float, **more: Any) -> str:
        """Let a laboratory tell of one test each, ordered so many hours ago."""
        written = more.pop("written", local)
        rows = [[f"{source}-{n}-{hours}", n, "Sodium", *written(hours)] for n in numbers]
        return self.deliver(source, "lab_tests", rows, **more)

    def ingested(self, key: str) -> bool:
        """Tell whether a file comes to be on record as read within a minute."""
        read = f"SELECT 1 FROM ingestion_feedfile WHERE status <> 'received' AND key = '{key}'"
        return eventually(lambda: self.ask(read) == {(1,)})


def local(hours: float) -> tuple[str, str]:
    """Write day and clock of so many hours ago as the hospital's systems do."""
    at = datetime.now(ZoneInfo(ZONE)) - timedelta(hours=hours)
    return f"{at:%Y-%m-%d}", f"{at:%H:%M:%S}"


def feed_number(place: Hospital, source: str) -> str:
    """Find a laboratory's feed of tests, as an operator finds it in the list."""
    key = f"SELECT id FROM ingestion_feed WHERE source = '{source}' AND layout = 'lis.lab_tests'"
    ((number,),) = place.ask(key)
    return str(number)


def feed_form(**values: str) -> dict[str, str]:
    """Fill in a feed's form as it stands, but for these values."""
    blank = dict.fromkeys(("interval_minutes", "encoding", "retired_at_0", "retired_at_1"), "")
    return blank | values


class Browser:
    """A browser with its cookies."""

    def __init__(self, place: Hospital) -> None:
        self.place = place
        jar = http.cookiejar.CookieJar()
        self._opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(jar))

    def get(self, path: str) -> str:
        """Open a page, whatever it answers."""
        return self._ask(path, None)

    def send(self, path: str, form: Mapping[str, str]) -> str:
        """Send the form of a page, and give the page that follows."""
        token = re.search(r'csrfmiddlewaretoken" value="(\w+)"', self.get(path))
        assert token, path
        sent = urllib.parse.urlencode({**form, "csrfmiddlewaretoken": token[1]})
        return self._ask(path, sent.encode())

    def sign_in(self, name: str) -> bool:
        """Sign in, and tell whether that was let."""
        form = {"login": name, "password": PASSWORD, "next": "/api/v1/session/"}
        self.send("/accounts/login/", form)
        return self.is_signed_in()

    def is_signed_in(self) -> bool:
        """Tell whether a session lives."""
        return bool(json.loads(self.get("/api/v1/session/"))["signed_in"])

    def _ask(self, path: str, body: bytes | None) -> str:
        address = f"http://127.0.0.1:{self.place.port}{path}"
        try:
            with self._opener.open(address, body, timeout=10) as answer:
                return str(answer.read().decode())
        except urllib.error.HTTPError as error:
            return error.read().decode()
