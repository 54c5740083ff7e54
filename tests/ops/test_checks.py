"""Every check that a command decides refuses when what it looks for is there: planted faults."""

from __future__ import annotations

import importlib.metadata
import json
import shutil
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test import override_settings

from ops import checklists
from ops.choices import Moment
from ops.evidence import NOT_RUN, Evidence, gather
from ops.models import Backup, Restore
from ops.registry import Finding, Health, Probe, add_probe
from ops.registry import _probes as registered
from tests.deliveries import NOON, deliver, patient
from tests.ingestion.terminal import PROJECT, environment, run

ROOMS = ("hospital", "api", "alerts", "ingestion", "ops", "scripts", "requirements")


def decided(moment: str, key: str) -> Evidence:
    """Run the command that decides an item."""
    item = checklists.item_of(moment, key)
    assert item is not None
    assert item.command is not None
    return gather(item.command)


# --- A copy of the project with a fault in it ---------------------------------------------


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project's code in another folder, where faults can be planted."""
    folder = tmp_path_factory.mktemp("copy")
    for room in ROOMS:
        shutil.copytree(PROJECT / room, folder / room, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(PROJECT / "manage.py", folder)
    return folder


@pytest.fixture
def on_this_database(
    transactional_db: None, monkeypatch: pytest.MonkeyPatch, copy: Path
) -> Iterator[Path]:
    """Commands run in the copy, on the database of this test."""
    for name, value in environment(PYTHONPATH=str(copy)).items():
        monkeypatch.setenv(name, value)
    with override_settings(BASE_DIR=copy):
        yield copy


@pytest.fixture
def a_field_without_migration(copy: Path) -> Iterator[None]:
    """A model has a column that no migration makes."""
    model = copy / "ops" / "models" / "deployments.py"
    kept = model.read_text()
    model.write_text(
        kept.replace(
            '    outcome = models.TextField(blank=True, default="")',
            '    outcome = models.TextField(blank=True, default="")\n'
            '    forgotten = models.TextField(blank=True, default="")',
        )
    )
    yield
    model.write_text(kept)


@pytest.fixture
def a_migration_that_drops_a_column(copy: Path) -> Iterator[None]:
    """A migration takes away what the version beside it still reads, and is not applied."""
    latest = sorted(path.stem for path in (copy / "ops" / "migrations").glob("0*.py"))[-1]
    planted = copy / "ops" / "migrations" / "0999_drop.py"
    planted.write_text(
        "from django.db import migrations\n"
        "class Migration(migrations.Migration):\n"
        f"    dependencies = [('ops', '{latest}')]\n"
        "    operations = [migrations.RunSQL("
        "'ALTER TABLE ops_deployment DROP COLUMN outcome', migrations.RunSQL.noop)]\n"
    )
    yield
    planted.unlink()


def test_a_model_without_its_migration_is_refused(
    on_this_database: Path, a_field_without_migration: None
) -> None:
    found = decided("before", "migrations")
    assert found.exit_status == 1
    assert "Add field forgotten to deployment" in found.output


def test_migrations_that_fit_the_models_pass(on_this_database: Path) -> None:
    assert decided("before", "migrations").exit_status == 0
    assert decided("during", "migrate").exit_status == 0


def test_a_migration_that_is_not_applied_is_refused(
    on_this_database: Path, a_migration_that_drops_a_column: None
) -> None:
    found = decided("during", "migrate")
    assert found.exit_status == 1
    assert "0999_drop" in found.output


def test_a_migration_that_would_break_the_version_beside_it_is_refused(
    on_this_database: Path, a_migration_that_drops_a_column: None
) -> None:
    found = decided("before", "migrations-linted")
    assert found.exit_status == 1
    assert "DROP COLUMN" in found.output.upper().replace("DROPPING", "DROP")


def test_another_version_than_the_locked_one_is_refused(on_this_database: Path) -> None:
    lock = on_this_database / "requirements" / "run.txt"
    kept = lock.read_text()
    there = importlib.metadata.version("django")
    lock.write_text(kept.replace(f"django=={there}", "django==5.2.1"))
    try:
        found = decided("before", "dependencies")
    finally:
        lock.write_text(kept)
    assert found.exit_status == 1
    assert f"django: locked ==5.2.1, installed {there}" in found.output


def test_a_configuration_without_tls_is_refused_and_a_hospitals_passes(
    on_this_database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = decided("during", "configuration")
    assert found.exit_status == 1
    assert "SESSION_COOKIE_SECURE" in found.output

    for name, value in {
        "HOSPITAL_STAGE": "production",
        # pragma: allowlist nextline secret
        "HOSPITAL_SECRET_KEY": "abcdefghijklmnopqrstuvwxyz-0123456789-ABCDEFGHIJKLMNOPQRSTUVWXYZ",
        "HOSPITAL_BACKUP_DIR": str(on_this_database),
        "HOSPITAL_SEAL_DIR": str(on_this_database),
    }.items():
        monkeypatch.setenv(name, value)
    assert decided("during", "configuration").output.startswith("System check identified no issues")


def test_books_that_do_not_balance_are_refused(on_this_database: Path) -> None:
    deliver(patient("P1"))
    assert decided("before", "books").exit_status == 0
    with connection.cursor() as cursor:
        for table in ("ingestion_feedfile", "ingestion_reading"):
            cursor.execute(f"UPDATE {table} SET created = created - 1, updated = updated + 1")

    found = decided("after", "books")

    assert found.exit_status == 1
    assert "The books do not balance" in found.output


# --- Asking from outside ------------------------------------------------------------------


@dataclass
class Pretender:
    """A web server that says what it is told to; what it is not told of is not found."""

    answers: dict[str, tuple[int, bytes]] = field(default_factory=dict)
    wait: float = 0
    address: str = ""


SIGN_IN = b'<link href="/static/vigil/vigil.css"><input name="password">'
WELL = {
    "/livez": (200, b"alive\n"),
    "/readyz": (200, b"ready\n"),
    "/accounts/login/": (200, SIGN_IN),
    "/static/vigil/vigil.css": (200, b"a {}"),
    "/static/app/assets/index.js": (200, b"built"),
    "/status": (200, b"fine"),
}
EVERY_CHECK = ("alive", "ready", "sign-in", "frontend", "pace", "status-page")


@pytest.fixture
def pretender() -> Iterator[Pretender]:
    told = Pretender(dict(WELL))

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            threading.Event().wait(told.wait)
            status, body = told.answers.get(self.path, (404, b""))
            self.send_response(status)
            if status == 302:
                self.send_header("Location", "/livez")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    told.address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield told
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(autouse=True)
def built(tmp_path: Path) -> Iterator[Path]:
    """A board that was built."""
    folder = tmp_path / "dist"
    (folder / "assets").mkdir(parents=True)
    (folder / "index.html").write_text('<script src="/static/app/assets/index.js"></script>')
    (folder / "assets" / "index.js").write_bytes(b"built")
    with override_settings(FRONTEND_DIST=folder):
        yield folder


@pytest.mark.parametrize("name", EVERY_CHECK)
def test_a_place_that_is_well_passes(pretender: Pretender, name: str) -> None:
    assert run("smoke", name, "--address", pretender.address).code == 0


@pytest.mark.parametrize(
    ("name", "path", "answer", "words"),
    [
        ("alive", "/livez", (500, b""), "/livez answers 500."),
        ("alive", "/livez", (200, b"hello"), "something else than 'alive'"),
        ("ready", "/readyz", (503, b"not ready\n"), "/readyz answers 503."),
        ("ready", "/readyz", (302, b""), "/readyz answers 302."),
        ("sign-in", "/accounts/login/", (200, b"<p>"), "no field for a password"),
        ("sign-in", "/static/vigil/vigil.css", (404, b""), "vigil.css answers 404."),
        ("frontend", "/static/app/assets/index.js", (404, b""), "index.js answers 404."),
        ("frontend", "/static/app/assets/index.js", (200, b"old"), "not the file that was built"),
        ("status-page", "/status", (302, b""), "/status answers 302."),
        ("pace", "/readyz", (503, b""), "/readyz answers 503."),
    ],
)
def test_a_place_that_is_not_well_is_refused(
    pretender: Pretender, name: str, path: str, answer: tuple[int, bytes], words: str
) -> None:
    pretender.answers[path] = answer
    ran = run("smoke", name, "--address", pretender.address)
    assert ran.code == 1
    assert words in ran.out
    assert ran.err == f"Failed: {name}."


def test_a_place_that_is_slow_is_refused(pretender: Pretender) -> None:
    pretender.wait = 0.6
    ran = run("smoke", "pace", "--address", pretender.address)
    assert (ran.code, "at most 0.5 s" in ran.out) == (1, True)


def test_a_board_that_was_not_built_is_refused(pretender: Pretender, built: Path) -> None:
    (built / "index.html").unlink()
    ran = run("smoke", "frontend", "--address", pretender.address)
    assert (ran.code, "The board is not built here" in ran.out) == (1, True)


def test_a_place_that_nobody_answers_for_is_refused() -> None:
    ran = run("smoke", "alive", "--address", "http://127.0.0.1:1")
    assert (ran.code, "/livez cannot be reached" in ran.out) == (1, True)


def test_without_an_address_nothing_was_run() -> None:
    with override_settings(ADDRESS=""):
        ran = run("smoke")
    assert (ran.code, ran.out) == (NOT_RUN, "")
    assert "HOSPITAL_ADDRESS" in ran.err


@pytest.mark.parametrize(
    "arguments", [("nonsense",), ("alive", "--address", "file:///etc"), ("alive", "--address", "x")]
)
def test_smoke_refuses_what_makes_no_sense(arguments: tuple[str, ...]) -> None:
    assert run("smoke", *arguments).code == 2


def test_smoke_answers_in_json_as_a_deployment_keeps_it(pretender: Pretender) -> None:
    ran = run("smoke", "alive", "--address", pretender.address, "--json")
    (one,) = json.loads(ran.out)
    assert (one["name"], one["outcome"], one["words"]) == (
        "alive",
        "passed",
        "/livez says 'alive'.",
    )


# --- Components, packages, answers ---------------------------------------------------------


@pytest.fixture
def probes() -> Iterator[None]:
    """No component is known but those of the test."""
    kept = dict(registered)
    registered.clear()
    yield
    registered.clear()
    registered.update(kept)


@pytest.mark.parametrize("health", list(Health))
def test_a_component_passes_only_if_it_is_well(probes: None, health: Health) -> None:
    add_probe(Probe("feeds", "Feeds", lambda: Finding(health, "as it stands")))
    ran = run("probe", "feeds")
    assert ran.code == (0 if health == Health.WELL else 1)
    assert f"{health.value:<8} feeds: as it stands" in ran.out


def test_a_component_that_is_not_known_was_not_asked(probes: None) -> None:
    ran = run("probe", "feeds")
    assert (ran.code, ran.out) == (NOT_RUN, "")
    assert "nothing here answers to feeds" in ran.err


def test_a_probe_that_breaks_is_no_pass(probes: None) -> None:
    def breaks() -> Finding:
        raise ZeroDivisionError

    add_probe(Probe("feeds", "Feeds", breaks))
    assert run("probe", "feeds").code == 3


@pytest.mark.parametrize(
    ("lock", "code", "words"),
    [
        ("django=={django}\n", 0, "All 1 locked packages"),
        ("django==1.0 \\\n    --hash=sha256:0\n", 1, "django: locked ==1.0, installed"),
        ("no-such-package==1.0\n", 1, "locked ==1.0, not installed"),
        ('no-such-package==1.0 ; python_version < "3"\ndjango=={django}\n', 0, "All 1 locked"),
        ("# nothing\n", 2, "The lock names no package"),
        ("what is this\n", 2, "The lock cannot be read"),
    ],
)
def test_what_is_installed_is_held_against_the_lock(
    tmp_path: Path, lock: str, code: int, words: str
) -> None:
    path = tmp_path / "run.txt"
    path.write_text(lock.replace("{django}", importlib.metadata.version("django")))
    ran = run("dependencies", "--lock", path)
    assert ran.code == code
    assert words in ran.out + ran.err


def test_our_own_lock_is_what_is_installed() -> None:
    assert run("dependencies").code == 0


def test_a_lock_that_is_not_there_is_no_pass(tmp_path: Path) -> None:
    assert run("dependencies", "--lock", tmp_path / "none.txt").code == 2


def a_backup(hours: float, *, kind: str = "daily", status: str = "made") -> None:
    at = NOON - timedelta(hours=hours)
    Backup.objects.create(
        name=f"{kind}-{hours}", kind=kind, status=status, by="vigil", started_at=at,
        finished_at=at, size=1, sha256="0" * 64,
    )  # fmt: skip


def a_drill(hours: float, *, status: str = "proven", kind: str = "drill") -> None:
    at = NOON - timedelta(hours=hours)
    Restore.objects.create(
        kind=kind, status=status, source="daily", target="drill", by="vigil", started_at=at,
        finished_at=at,
    )  # fmt: skip


def test_a_recent_backup_and_a_proven_drill_are_a_way_back(at_noon: object) -> None:
    a_backup(9)
    a_drill(8)
    assert run("wayback").code == 0


@pytest.mark.parametrize(
    ("there", "missing"),
    [
        ([], "a recent backup, a drill that was proven, as the newest one"),
        ([lambda: a_backup(31), lambda: a_drill(8)], "a recent backup"),
        ([lambda: a_backup(9, status="failed"), lambda: a_drill(8)], "a recent backup"),
        ([lambda: a_backup(9, kind="configuration"), lambda: a_drill(8)], "a recent backup"),
        ([lambda: a_backup(9), lambda: a_drill(31)], "a recent drill"),
        (
            [lambda: a_backup(9), lambda: a_drill(20), lambda: a_drill(8, status="failed")],
            "a drill that was proven, as the newest one",
        ),
        (
            [lambda: a_backup(9), lambda: a_drill(8, kind="restore")],
            "a drill that was proven, as the newest one",
        ),
    ],
    ids=["nothing", "old", "failed", "configuration", "old drill", "failed drill", "no drill"],
)
def test_without_a_way_back_it_is_refused(
    at_noon: object, there: list[Callable[[], None]], missing: str
) -> None:
    for make in there:
        make()
    ran = run("wayback")
    assert ran.code == 1
    assert ran.err.startswith(f"Missing: {missing}.")


def a_log(path: Path, *answers: tuple[int, datetime]) -> Path:
    lines = ["[2025-03-20 12:00:00 +0000] [1] [INFO] Booting worker", "{torn"]
    for code, at in answers:
        event = "request_failed" if code == 0 else "request_finished"
        told: dict[str, object] = {"event": event, "timestamp": at.isoformat()}
        lines.append(json.dumps(told | ({"code": code} if code else {})))
    path.write_text("\n".join(lines))
    return path


@pytest.mark.parametrize(
    ("bad", "code", "words"),
    [
        ([], 0, "0 of 200 answers failed in 15 minutes: at most 1 %."),
        ([500, 503], 0, "2 of 202 answers failed"),
        ([500, 0, 502], 1, "3 of 203 answers failed in 15 minutes: more than 1 %."),
        ([404, 403, 429], 0, "0 of 203 answers failed"),
    ],
)
def test_failing_answers_are_refused_beyond_their_share(
    at_noon: object, tmp_path: Path, bad: list[int], code: int, words: str
) -> None:
    log = a_log(tmp_path / "web.log", *[(200, NOON)] * 200, *[(each, NOON) for each in bad])
    ran = run("errorrate", "--log", log)
    assert ran.code == code
    assert words in ran.out + ran.err


def test_of_too_few_answers_and_of_old_ones_nothing_is_said(
    at_noon: object, tmp_path: Path
) -> None:
    old = NOON - timedelta(hours=1)
    log = a_log(tmp_path / "web.log", *[(200, old)] * 200, (200, NOON), *[(500, NOON)] * 18)
    ran = run("errorrate", "--log", log)
    assert (ran.code, "fewer than 20 say nothing" in ran.err) == (NOT_RUN, True)


@pytest.mark.parametrize(("bad", "code"), [(2, NOT_RUN), (3, 1)])
def test_few_answers_that_all_fail_are_refused(
    at_noon: object, tmp_path: Path, bad: int, code: int
) -> None:
    log = a_log(tmp_path / "web.log", *[(500, NOON)] * bad)
    assert run("errorrate", "--log", log).code == code


def test_without_a_log_nothing_was_run(tmp_path: Path) -> None:
    assert run("errorrate", "--log", tmp_path / "none.log").code == NOT_RUN


@pytest.mark.parametrize("wrong", [("--minutes", "0"), ("--most", "-1"), ("--most", "100")])
def test_errorrate_refuses_what_makes_no_sense(wrong: tuple[str, str]) -> None:
    assert run("errorrate", *wrong).code == 2


def test_advisories_that_nobody_could_ask_for_are_not_green() -> None:
    found = decided("before", "advisories")
    assert not found.is_good


def test_every_item_has_its_words_and_every_command_its_program() -> None:
    for moment in Moment:
        there = checklists.items(moment)
        assert len({item.key for item in there}) == len(there)
        for item in there:
            assert item.title, item.key
            assert item.why.endswith("."), item.key
            if item.command and item.command.words[0].endswith(".py"):
                assert (PROJECT / item.command.words[0]).is_file()


def test_the_checklists_ask_what_the_plan_asks() -> None:
    asked = {moment.value: [item.key for item in checklists.items(moment)] for moment in Moment}
    assert asked == {
        "before": [
            "review", "integration-tests", "dependencies", "advisories", "migrations",
            "migrations-linted", "docs", "books", "backups",
        ],
        "during": ["migrate", "backend", "frontend", "configuration", "monitoring"],
        "after": [
            "smoke", "error-rate", "performance", "feeds", "alerts", "books", "status-page",
        ],
    }  # fmt: skip
