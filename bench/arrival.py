"""Figure 9: how long it takes from an object in storage until the API shows what it says.

The real stage: watcher, worker, clock and web server as `manage.py run` starts them; a signed-in
client asks for the board's list as the board does. Every file is followed, none is sampled.
"""

from __future__ import annotations

import contextlib
import dataclasses
import http.client
import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.contrib.auth.models import User
from django.test import Client

from bench.exports import ADMISSIONS, LAB_TESTS, PATIENTS, write_known
from bench.figures import Figure, Measure, Sizes, at_most, require_same, shown
from bench.measuring import Say
from bench.place import ZONE, Scratch
from hospital.localdb.places import free_port
from hospital.stage import Stage
from hospital.supervisor import Supervisor
from ingestion.models import FeedFile, LabTest
from ingestion.services.books import books
from ingestion.services.receiving import ingest_all
from ingestion.storage import local_object

SOURCE = "lab"
WARD = "Measured"
# Few enough for one page of the list, and so many that each has its next file seconds later.
PATIENTS_WATCHED = 100
DEFAULT_STILL_SECONDS = 2.0
_ASK_EVERY_SECONDS = 0.1
_LONGEST_WAIT_SECONDS = 90.0


@dataclass
class Files:
    """What is delivered, when each file lay there, and when each was seen."""

    inbox: Path
    count: int
    a_second: int
    put_at: dict[int, float] = field(default_factory=dict)
    seen_at: dict[int, float] = field(default_factory=dict)

    def deliver(self) -> None:
        """Put one file after the other into the inbox: written aside, then renamed."""
        folder = self.inbox / SOURCE
        folder.mkdir(parents=True, exist_ok=True)
        started = time.monotonic()
        for number in range(self.count):
            time.sleep(max(0.0, started + number / self.a_second - time.monotonic()))
            now = datetime.now(UTC)
            aside = folder / f".{number}.part"
            aside.write_text(_content(number, now), encoding="utf-8")
            aside.rename(folder / f"tests-{now:%Y-%m-%dT%H-%M-%S.%fZ}-{number:06}.csv")
            self.put_at[number] = time.monotonic()

    def unseen_of(self, patient: int) -> list[int]:
        """Give the delivered files about a patient that nobody has seen yet."""
        return [
            number
            for number in range(patient, self.count, PATIENTS_WATCHED)
            if number in self.put_at and number not in self.seen_at
        ]

    def delays(self) -> list[float]:
        """Give the seconds from each file's place in storage to its being seen, ascending."""
        return sorted(at - self.put_at[number] for number, at in self.seen_at.items())


class Board:
    """A signed-in client that asks for the list of one ward, again and again."""

    def __init__(self, port: int, cookie: str) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        self._headers = {"Cookie": f"{settings.SESSION_COOKIE_NAME}={cookie}", "X-Background": "1"}
        self._tag = ""

    def ask(self) -> list[dict[str, Any]]:
        """Give the list's lines, or none where nothing has changed since the last answer."""
        headers = {"If-None-Match": self._tag} if self._tag else {}
        path = f"/api/v1/patients/?department={WARD}&page_size={PATIENTS_WATCHED}"
        answer, tag = self._get(path, headers)
        self._tag = tag
        lines: list[dict[str, Any]] = answer["results"] if answer else []
        return lines

    def tests_of(self, key: str) -> set[str]:
        """Give the names of a patient's newest tests."""
        answer, _ = self._get(f"/api/v1/patients/{key}/tests/", {})
        return {test["name"] for test in (answer or {})["results"]}

    def _get(self, path: str, headers: dict[str, str]) -> tuple[dict[str, Any] | None, str]:
        for is_last in (False, True):
            try:
                self._connection.request("GET", path, headers={**self._headers, **headers})
                answer = self._connection.getresponse()
                body = answer.read()
                break
            except (ConnectionError, http.client.HTTPException):
                self._connection.close()  # kept open too long: the server has closed it
                if is_last:
                    raise
        else:
            raise AssertionError("unreachable")
        if answer.status not in {200, 304}:
            raise RuntimeError(f"GET {path.partition('?')[0]} was answered by {answer.status}")
        told = json.loads(body) if answer.status == 200 else None
        return told, answer.headers.get("ETag") or ""


def object_to_api(place: Scratch, sizes: Sizes, say: Say) -> Figure:
    """Figure 9: files put into the inbox at a steady rate, each followed to the API."""
    measured = _followed(place, sizes, say, still=0.0, seconds=sizes.seconds_of_arrival)
    delays = measured.delays()
    measures = [
        Measure("object → API, p95", (_quantile(delays, 0.95),), "s", goal=at_most(2)),
        Measure("files lost", (float(measured.count - len(delays)),), "", goal=at_most(0)),
        Measure("object → API, p50", (_quantile(delays, 0.5),), "s"),
        Measure("object → API, longest", (delays[-1],), "s"),
    ]
    if sizes.seconds_at_default:
        usual = _followed(
            place, sizes, say, still=DEFAULT_STILL_SECONDS, seconds=sizes.seconds_at_default
        ).delays()
        name = f"p95 where files must stand still for {shown(DEFAULT_STILL_SECONDS)} s (default)"
        measures.append(Measure(name, (_quantile(usual, 0.95),), "s"))
    return Figure(
        9,
        "From an object in storage to the API",
        measures,
        f"{measured.count} files put, {len(delays)} ingested and seen, none refused, one test on"
        " record for each; the books balance",
        [
            (
                f"{sizes.files_a_second} files a second for {sizes.seconds_of_arrival} s,"
                f" once; a new test in each, of {PATIENTS_WATCHED} patients by turns, beside"
                f" {shown(sizes.people)} others in bed."
            ),
            (
                "Watcher, worker (2 processes), beat and gunicorn (2 workers) as manage.py"
                " run starts them, database and broker on the same cores as the client."
            ),
            (
                "HOSPITAL_INBOX_STILL_SECONDS is 0: files are renamed into place, as objects"
                " of a bucket appear whole. The default makes a folder's files wait 2 s on"
                " purpose."
            ),
            (
                f"Asked each {shown(_ASK_EVERY_SECONDS * 1000)} ms through the list's"
                " operation, with its tag; the wait for the next question is part of the"
                " delay."
            ),
        ],
    )


def _followed(place: Scratch, sizes: Sizes, say: Say, *, still: float, seconds: int) -> Files:
    place.fresh()
    _bring_watched_patients(place)
    before = (FeedFile.objects.count(), LabTest.objects.count())
    inbox = place.folder / f"inbox-{still:.0f}"
    files = Files(inbox, count=seconds * sizes.files_a_second, a_second=sizes.files_a_second)
    with _running(place, inbox, still=still) as port:
        board = Board(port, _sign_in())
        deliveries = threading.Thread(target=files.deliver, daemon=True)
        deliveries.start()
        _follow(files, board, say)
        deliveries.join()
    _require_all(files, before)
    return files


def _follow(files: Files, board: Board, say: Say) -> None:
    """Ask until every file was seen, or for long enough after the last one."""
    told_at = time.monotonic()
    while len(files.seen_at) < files.count:
        lines = board.ask()
        at = time.monotonic()
        for line in lines:
            _look_at(line, files, board, at)
        last = max(files.put_at.values(), default=at)
        if at - last > _LONGEST_WAIT_SECONDS:
            break
        if at - told_at > 15:
            told_at = at
            say(f"  {len(files.put_at)} of {files.count} files put, {len(files.seen_at)} seen")
        time.sleep(_ASK_EVERY_SECONDS)


def _look_at(line: dict[str, Any], files: Files, board: Board, at: float) -> None:
    """Note which files this line of the list shows. It names a patient's last test alone: where a
    later one stands there, the patient's page tells whether the earlier is on record too."""
    shown_test = line["last_test"]
    unseen = files.unseen_of(int(line["patient_id"].removeprefix("W")))
    if not unseen or shown_test is None or not shown_test["name"].startswith("N"):
        return
    shown_number = int(shown_test["name"].removeprefix("N"))
    earlier = [number for number in unseen if number < shown_number]
    names = board.tests_of(line["id"]) if earlier else set()
    now = time.monotonic()
    files.seen_at.update({number: now for number in earlier if _name(number) in names})
    if shown_number in unseen:
        files.seen_at[shown_number] = at


def _require_all(files: Files, before: tuple[int, int]) -> None:
    expected = [files.count] * 4
    rows = LabTest.objects.count() - before[1]
    ingested = FeedFile.objects.filter(status="ingested", rows=1).count()
    found = [
        len(files.seen_at),
        FeedFile.objects.count() - before[0],
        FeedFile.objects.filter(source=SOURCE, status="ingested", created=1).count(),
        rows,
    ]
    require_same("files seen, on record, ingested, tests", expected=expected, found=found)
    require_same("files ingested in all", expected=files.count, found=ingested)
    require_same("books balanced", expected=True, found=books()["balanced"])


def _bring_watched_patients(place: Scratch) -> None:
    ward = ADMISSIONS.columns.index("department")

    def admitted(series: str, n: int, who: str) -> list[str]:
        values = ADMISSIONS.row(series, n, who)
        return [*values[:ward], WARD, *values[ward + 1 :]]

    kinds = (PATIENTS, dataclasses.replace(ADMISSIONS, row=admitted))
    paths = [
        write_known(kind, place.files, PATIENTS_WATCHED, series="watched", whose=lambda n: f"W{n}")
        for kind in kinds
    ]
    ingest_all([local_object(path) for path in paths])


@contextlib.contextmanager
def _running(place: Scratch, inbox: Path, *, still: float) -> Iterator[int]:
    """Run all that a hospital consists of; gives the port of its web server."""
    stage = Stage(place.folder, inbox, is_demo=False, host="127.0.0.1", port=free_port())
    stage.prepare_folders()
    environment = stage.environment() | {
        "HOSPITAL_INBOX_DIR": str(inbox),
        "HOSPITAL_INBOX_STILL_SECONDS": str(still),
    }
    said: list[str] = []
    supervisor = Supervisor(
        stage.children(has_local=True), stage.data_dir, environment, said.append
    )
    try:
        supervisor.start()
        _wait_until_it_answers(stage.port)
        yield stage.port
    finally:
        supervisor.stop()
        supervisor.dismiss_guard()
    if any(child.deaths for child in supervisor.children) or said:
        raise RuntimeError("A process of the stage ended by itself: " + "\n".join(said))


def _wait_until_it_answers(port: int) -> None:
    end = time.monotonic() + 60
    while time.monotonic() < end:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        with (
            contextlib.suppress(OSError, http.client.HTTPException),
            contextlib.closing(connection),
        ):
            connection.request("GET", "/livez")
            if connection.getresponse().status == 200:
                return
        time.sleep(0.2)
    raise TimeoutError("The web server of the stage does not answer.")


def _sign_in() -> str:
    """Make a user with a session; gives the session's key, which its cookie holds."""
    user = User.objects.create_user("bench")
    browser = Client()
    browser.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return browser.cookies[settings.SESSION_COOKIE_NAME].value


def _content(number: int, now: datetime) -> str:
    local = now.astimezone(ZoneInfo(ZONE))
    values = [
        f"A-{number:08}", f"W{number % PATIENTS_WATCHED}", _name(number), f"{local:%Y-%m-%d}",
        f"{local:%H:%M:%S}", "Dr. 1", "Ordered",
    ]  # fmt: skip
    return f"{','.join(LAB_TESTS.columns)}\n{','.join(values)}\n"


def _name(number: int) -> str:
    return f"N{number:06}"


def _quantile(ascending: list[float], share: float) -> float:
    """Give the value that this share of all does not exceed."""
    return ascending[max(0, -int(-len(ascending) * share // 1) - 1)]
