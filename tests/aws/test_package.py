"""The package for AWS Lambda: what is in it, how large it is, and that it runs there."""

from __future__ import annotations

import json
import os
import queue
import shutil
import subprocess
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from hospital import localdb
from ops.aws.packages import LARGEST, describe, finish, is_wanted
from ops.aws.trees import Tree
from ops.errors import PackageWrong
from tests.aws.emulator import PROJECT, TOOL
from tests.aws.stage import ZAPPA, clone_of, head_of, require_tools
from tests.deploying.places import git

TEST_EVENT = {"Service": "Amazon S3", "Event": "s3:TestEvent"}
NOT_KNOWN = ("error", "EventNotKnown")
SECRET = "what lies beside the code"
LEFT = (
    ".env", "notes.txt", "var/secret-key", "hospital/.env", "elsewhere/patients.csv",
    "hospital/patients.csv", "ops/dump.sql", "api/leftover.py", "ingestion/rows/left.csv",
)  # fmt: skip


@pytest.fixture(scope="module")
def code(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone of the code, in which a developer left this and that."""
    require_tools()
    clone = clone_of(PROJECT, tmp_path_factory.mktemp("package") / "code")
    for left in LEFT:
        path = clone / left
        path.parent.mkdir(exist_ok=True)
        path.write_text(SECRET)
    return clone


@pytest.fixture(scope="module")
def package(code: Path) -> Path:
    """The package as Zappa makes it when it is typed."""
    return packed(code, "first.zip")


def packed(code: Path, name: str) -> Path:
    """Pack, as an operator types it."""
    done = zappa_packs(code, "dev", name)
    assert done.returncode == 0, done.stdout
    return code / name


def zappa_packs(code: Path, stage: str, name: str) -> subprocess.CompletedProcess[str]:
    """Let Zappa pack for a stage."""
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(code),
        "AWS_DEFAULT_REGION": "eu-central-1",
    }
    return subprocess.run(
        [str(ZAPPA), "package", stage, "--output", name], cwd=code,
        env=environment | {"VIRTUAL_ENV": str(ZAPPA.parent.parent)}, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
    )  # fmt: skip


def test_only_what_runs_is_packed_whatever_lies_beside_it(package: Path) -> None:
    with zipfile.ZipFile(package) as whole:
        names = whole.namelist()
        held = [name for name in names if SECRET.encode() in whole.read(name)]
    assert held == []
    assert set(LEFT).isdisjoint(names)
    tops = {name.split("/")[0] for name in names}
    assert tops.isdisjoint(
        {"tests", "docs", "bench", "simulator", "var", "elsewhere", "notes.txt", ".git", "scripts"}
    )
    assert tops.isdisjoint({"handler.py", "zappa_settings.py", "package_info.json", "zappa"})
    assert {"hospital", "api", "alerts", "ingestion", "ops", "django", "static-root"} <= tops
    assert "frontend/dist/index.html" in names
    assert "static-root/staticfiles.json" in names


def test_it_stays_below_200_mb_unpacked(package: Path) -> None:
    assert describe(package).unpacked < LARGEST


def test_what_is_not_as_committed_is_told_and_stays_on_dev(code: Path, package: Path) -> None:
    """The hash alone would say that somebody could fetch again what runs."""
    before = package.read_bytes()

    with pytest.raises(PackageWrong, match=r"changes that are in no commit \(api/leftover.py"):
        finish(package, project=code)

    assert package.read_bytes() == before
    assert (describe(package).commit, describe(package).changed) == (head_of(code), "yes")


def test_the_same_commit_is_always_packed_the_same(code: Path, package: Path) -> None:
    assert packed(code, "second.zip").read_bytes() == package.read_bytes()


def test_a_file_that_is_no_package_of_ours_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "other.zip", "w") as other:
        other.writestr("handler.py", "print()")
    with pytest.raises(PackageWrong, match="no package of Vigil's"):
        describe(tmp_path / "other.zip")


@pytest.mark.parametrize(
    ("name", "is_packed"),
    [
        ("django/conf/locale/de/formats.py", True),
        ("hospital/settings.py", True),
        ("hospital/__pycache__/settings.cpython-313.pyc", False),
        ("tests/cast.py", False),
        ("zappa_settings.py", False),
        ("frontend/dist/index.html", True),
        ("frontend/src/main.tsx", False),
    ],
)
def test_what_is_wanted_is_decided_by_name(name: str, is_packed: bool) -> None:
    assert is_wanted(name, Tree.look(PROJECT)) is is_packed


@pytest.mark.parametrize("stage", ["staging", "production"])
def test_zappa_as_typed_packs_for_staging_and_production_what_is_committed(
    code: Path, stage: str
) -> None:
    done = zappa_packs(code, stage, "refused.zip")

    assert done.returncode != 0
    assert "commit or put them away. Only dev takes what nobody can fetch again." in done.stdout


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A small project, committed; what Zappa made of it lies in it as vigil.zip."""
    folder = tmp_path / "tree"
    for name in (
        "manage.py", "hospital/functions/api.py", "hospital/static/hospital/style.css",
        "frontend/dist/index.html",
    ):  # fmt: skip
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("")
    git(folder, "init", "--quiet", "--initial-branch=main")
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "Begin")
    return folder


def zipped(tree: Path) -> Path:
    """Zip a project as Zappa does: with whatever lies there."""
    files = [each for each in tree.rglob("*") if each.is_file() and ".git" not in each.parts]
    with zipfile.ZipFile(tree / "vigil.zip", "w") as made:
        for each in files:
            made.write(each, str(each.relative_to(tree)))
    return tree / "vigil.zip"


def test_what_is_committed_is_packed_for_production_and_says_no_more(tree: Path) -> None:
    made = finish(zipped(tree), project=tree)

    assert (made.commit, made.changed) == (git(tree, "rev-parse", "HEAD"), "")


def test_a_tracked_file_that_was_changed_is_packed_for_dev_alone(tree: Path) -> None:
    (tree / "manage.py").write_text("# changed")
    path = zipped(tree)

    with pytest.raises(PackageWrong, match=r"in no commit \(manage.py\): commit or put them away"):
        finish(path, project=tree)

    assert finish(path, project=tree, takes_changes=True).changed == "yes"


def test_rds_roots_that_nobody_committed_are_asked_for(tree: Path) -> None:
    (tree / "hospital/certificates").mkdir()
    (tree / "hospital/certificates/rds.pem").write_text("roots")

    with pytest.raises(PackageWrong, match=r"git add hospital/certificates/rds\.pem"):
        finish(zipped(tree), project=tree, takes_changes=True)


def test_no_static_file_is_served_that_nobody_committed(tree: Path) -> None:
    (tree / "hospital/static/hospital/patients.csv").write_text(SECRET)

    with pytest.raises(PackageWrong, match=r"hospital/patients\.csv is in no commit"):
        finish(zipped(tree), project=tree, takes_changes=True)


def test_where_there_is_no_git_the_commit_is_told_and_that_nobody_looked(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.rmtree(tree / ".git")
    with pytest.raises(PackageWrong, match="set HOSPITAL_COMMIT"):
        finish(zipped(tree), project=tree)
    monkeypatch.setenv("HOSPITAL_COMMIT", "0123abc")

    made = finish(zipped(tree), project=tree)

    assert (made.commit, made.changed) == ("0123abc", "not known")
    assert "not held against git" in str(made)


def test_it_runs_as_lambda_runs_it(package: Path, tmp_path: Path) -> None:
    """By AWS's own runtime client, under Python 3.13, with the boto3 that Lambda brings."""
    task = tmp_path / "task"
    with zipfile.ZipFile(package) as whole:
        whole.extractall(task)
    request: dict[str, Any] = {
        "version": "2.0", "rawPath": "/livez", "rawQueryString": "", "isBase64Encoded": False,
        "headers": {"host": "127.0.0.1"},
        "requestContext": {"http": {"method": "GET", "path": "/livez", "sourceIp": "127.0.0.1",
                                    "protocol": "HTTP/1.1"}},
    }  # fmt: skip
    with _a_database(tmp_path) as more:
        asked = [request, {"manage": "flush"}]
        people = _lambda(task, "hospital.functions.api.handler", asked, more)
        files = _lambda(task, "hospital.functions.ingestion.handler", [TEST_EVENT], more)
        clock = _lambda(task, "hospital.functions.alerts.handler", [{"Records": []}], more)
    assert people == [("response", {"statusCode": 200, "body": "alive\n"}), NOT_KNOWN]
    assert files == [("response", {"batchItemFailures": []})]
    assert clock == [NOT_KNOWN]


@contextmanager
def _a_database(folder: Path) -> Iterator[dict[str, str]]:
    services = localdb.ensure(folder / "database", durable=False)
    try:
        yield services.environment() | {"HOSPITAL_DATA_DIR": str(folder / "data")}
    finally:
        localdb.stop(folder / "database")


def _lambda(
    task: Path, handler: str, events: list[dict[str, Any]], more: dict[str, str]
) -> list[tuple[str, Any]]:
    """Hand events to a function by the runtime API of Lambda; gives what came of each."""
    waiting: queue.Queue[tuple[str, bytes]] = queue.Queue()
    came: queue.Queue[tuple[str, bytes]] = queue.Queue()
    for number, event in enumerate(events):
        waiting.put((str(number), json.dumps(event).encode()))

    class Runtime(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            number, event = waiting.get()
            self.send_response(200)
            for name, value in (
                ("Lambda-Runtime-Aws-Request-Id", number),
                ("Lambda-Runtime-Deadline-Ms", "9999999999999"),
                ("Lambda-Runtime-Invoked-Function-Arn", "arn:aws:lambda:eu-central-1:0:function:f"),
                ("Content-Type", "application/json"),
                ("Content-Length", str(len(event))),
            ):
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(event)

        def do_POST(self) -> None:
            if self.headers.get("Transfer-Encoding"):
                content = b""
                while size := int(self.rfile.readline(), 16):
                    content += self.rfile.read(size)
                    self.rfile.readline()
                self.rfile.readline()
            else:
                content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            came.put((self.path.rpartition("/")[2], content))
            self.send_response(202)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Runtime)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    environment = {
        "PATH": os.environ["PATH"],
        "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{server.server_address[1]}",
        "LAMBDA_TASK_ROOT": str(task), "_HANDLER": handler, "AWS_REGION": "eu-central-1",
        "AWS_LAMBDA_FUNCTION_VERSION": "1", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512",
        "AWS_LAMBDA_LOG_GROUP_NAME": "g", "AWS_LAMBDA_LOG_STREAM_NAME": "s",
        "PYTHONPATH": str(task),
        "HOSPITAL_STATIC_ROOT": str(task / "static-root"), "PYTHONDONTWRITEBYTECODE": "1",
    }  # fmt: skip
    process = subprocess.Popen(
        [str(TOOL), "-m", "awslambdaric", handler], cwd=task, env=environment | more,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    try:
        return [_told(*came.get(timeout=120)) for _ in events]
    finally:
        process.kill()
        process.wait()
        server.shutdown()
        server.server_close()
        shutil.rmtree(task / "__pycache__", ignore_errors=True)


def _told(kind: str, content: bytes) -> tuple[str, Any]:
    told = json.loads(content)
    if kind == "error":
        return kind, told["errorType"]
    if "statusCode" in told:
        told = {"statusCode": told["statusCode"], "body": told["body"]}
    return kind, told
