"""A stage on AWS in this process: buckets, functions, parameters, and what answers at its address.

AWS is moto's server; at the address a small server stands in for CloudFront and the HTTP API: it
serves the bucket's files, and answers as the code does that the function runs.
"""

from __future__ import annotations

import base64
import io
import json
import logging
import stat
import subprocess
import sys
import threading
import urllib.request
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import boto3
import pytest
from django.test import override_settings
from moto.server import ThreadedMotoServer

from ops.aws.handover import QUEUES, STAGE_NAMES, Handover, function_names
from ops.aws.zappa import Zappa
from ops.queries.running import running_commit
from ops.services.procedure import Came
from ops.services.ways import Asked
from tests.ingestion.clouds import REGION, made_up_credentials

RELEASES, FRONTEND = "vigil-releases", "vigil-frontend"
ENTRY = {
    "runtime": "python3.13",
    "lambda_handler": "hospital.functions.handler",
    "memory_size": 512,
    "timeout_seconds": 30,
    "role_name": "vigil",
    "lambda_concurrency": 2,
}
BOARD = """<!doctype html><script type="module" src="/static/app/assets/index-{0}.js"></script>
<link rel="icon" href="/static/app/vigil.svg" />"""


@dataclass
class Place:
    """The stage dev, its operator's machine, and what is asked of them."""

    folder: Path
    stage: str = "dev"
    address: str = ""
    told: list[Came] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    is_broken: set[str] = field(default_factory=set)
    packages: dict[str, str] = field(default_factory=dict)

    @property
    def tree(self) -> Path:
        """The operator's work tree, in which zappa and the built board lie, too."""
        return self.folder / "tree"

    @property
    def board(self) -> Path:
        return self.tree / "board"

    @property
    def s3(self) -> Any:
        return boto3.client("s3")

    @property
    def functions(self) -> Any:
        return boto3.client("lambda")

    @property
    def handed(self) -> Handover:
        return Handover.read(self.stage)

    def write(self, code: str, board: str = "", *, commits: bool = True) -> None:
        """Write the code and the board that are deployed next, and commit them."""
        board = board or code
        (self.tree / "code").write_text(code)
        assets = self.board / "assets"
        assets.mkdir(parents=True, exist_ok=True)
        for old in assets.iterdir():
            old.unlink()
        (assets / f"index-{board}.js").write_text(f"board({board!r})")
        (self.board / "vigil.svg").write_text(f"<svg>{board}</svg>")
        (self.board / "index.html").write_text(BOARD.format(board))
        if commits:
            git(self.tree, "add", "--all")
            git(self.tree, "commit", "--quiet", "--message", f"Let it be {code}")
        running_commit.cache_clear()

    @property
    def release(self) -> str:
        """The name of the release that lies in the work tree."""
        return f"0.1.0+{git(self.tree, 'rev-parse', 'HEAD')[:7]}"

    def start_otherwise(self, handler: str) -> None:
        """From the next release on, let functions be started by another handler."""
        entries = json.loads((self.tree / "zappa_settings.json").read_text())
        for entry in entries.values():
            entry["lambda_handler"] = handler
        (self.tree / "zappa_settings.json").write_text(json.dumps(entries))

    def clock(self, function: str, expression: str) -> None:
        """From now on, let the settings say that the clock calls a function."""
        entries = json.loads((self.tree / "zappa_settings.json").read_text())
        entry = entries[function.removeprefix("vigil-")]
        entry["events"] = [{"function": "hospital.functions.tick", "expression": expression}]
        (self.tree / "zappa_settings.json").write_text(json.dumps(entries))

    def handlers(self) -> set[str]:
        """Give by what the three functions are started."""
        return {
            self.functions.get_function_configuration(FunctionName=name)["Handler"]
            for name in function_names(self.stage).values()
        }

    def zappa_does(self, what: str) -> None:
        """Let Zappa do something wrong, or all right again."""
        (self.folder / "bin" / "zappa-does").write_text(what)

    def ask(self, **more: Any) -> Asked:
        """Ask for a deployment."""
        zappa = Zappa(self.folder / "bin" / "zappa", self.tree)
        asked = {"stage": self.stage, "by": "olga", "zappa": zappa, "work": self.folder / "work"}
        return Asked(**{**asked, **more})

    def tell(self, came: Came) -> None:
        """Hear what came of a step."""
        self.told.append(came)

    def outcome(self, step: str) -> tuple[str, str]:
        """Give what came of a step the last time it was taken."""
        found = [(came.outcome.value, came.words) for came in self.told if came.name == step]
        return found[-1]

    def code(self, what: str = "api") -> str:
        """Give the code that a function runs."""
        name = function_names(self.stage)[what]
        runs = self.functions.get_function_configuration(FunctionName=name)["CodeSha256"]
        sha256 = base64.b64decode(runs).hex()
        if sha256 not in self.packages:
            kept = self.s3.get_object(Bucket=RELEASES, Key=f"packages/{sha256}.zip")["Body"].read()
            with zipfile.ZipFile(io.BytesIO(kept)) as package:
                self.packages[sha256] = package.read("code.txt").decode()
        return self.packages[sha256]

    def codes(self) -> set[str]:
        """Give what the three functions run."""
        return {self.code(what) for what in function_names(self.stage)}

    def keys(self, bucket: str) -> set[str]:
        """List a bucket."""
        return {each["Key"] for each in self.s3.list_objects_v2(Bucket=bucket).get("Contents", [])}

    def served(self, path: str) -> bytes:
        """Give what the bucket behind CloudFront serves."""
        content: bytes = self.s3.get_object(Bucket=FRONTEND, Key=f"static/{path}")["Body"].read()
        return content


@contextmanager
def a_place(folder: Path, stage: str = "dev") -> Iterator[Place]:
    """Give a stage that has everything but its functions."""
    place = Place(folder, stage)
    place.tree.mkdir()
    git(place.tree, "init", "--quiet", "--initial-branch=main")
    entries = {name.removeprefix("vigil-"): ENTRY for name in function_names(stage).values()}
    (place.tree / "zappa_settings.json").write_text(json.dumps(entries))
    place.write("one")
    _write_zappa(folder / "bin")
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    with pytest.MonkeyPatch.context() as patch, made_up_credentials():
        host, port = server.get_host_and_port()
        patch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
        # What moto keeps is kept by the process, not by the server.
        _tell_moto(f"http://{host}:{port}", "reset", {})
        # Whoever is called answers with what he was told: a function that starts.
        _tell_moto(f"http://{host}:{port}", "config", {"lambda": {"use_docker": False}})
        for left in place.functions.list_functions()["Functions"]:
            place.functions.delete_function(FunctionName=left["FunctionName"])
        try:
            with _answering(place), _own_tree(place):
                _hand_over(place)
                yield place
        finally:
            _tell_moto(f"http://{host}:{port}", "config", {"lambda": {"use_docker": True}})
            boto3.DEFAULT_SESSION = None
            server.stop()


def _tell_moto(address: str, what: str, words: dict[str, Any]) -> None:
    sent = urllib.request.Request(
        f"{address}/moto-api/{what}",
        data=json.dumps(words).encode(),
        headers={"Content-Type": "application/json"},
    )
    urllib.request.urlopen(sent).close()


def _write_zappa(folder: Path) -> None:
    source = Path(__file__).with_name("zappa_program.py").read_text()
    folder.mkdir()
    program = folder / "zappa"
    program.write_text(f"#!{sys.executable}\n{source}")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)


@contextmanager
def _own_tree(place: Place) -> Iterator[None]:
    finders = ["django.contrib.staticfiles.finders.FileSystemFinder"]
    with override_settings(
        STAGE=STAGE_NAMES[place.stage],
        BASE_DIR=place.tree,
        FRONTEND_DIST=place.board,
        STATICFILES_DIRS=[("app", place.board)],
        STATICFILES_FINDERS=finders,
    ):
        running_commit.cache_clear()
        yield
    running_commit.cache_clear()


def _hand_over(place: Place) -> None:
    boto3.client("iam").create_role(RoleName="vigil", AssumeRolePolicyDocument="{}")
    for name in QUEUES:
        for ending in ("", "-dead"):
            boto3.client("sqs").create_queue(QueueName=f"vigil-{place.stage}-{name}{ending}")
    queues = f"arn:aws:sqs:{REGION}:123456789012:vigil-{place.stage}"
    for bucket in (RELEASES, FRONTEND):
        where: Any = {"LocationConstraint": REGION}
        place.s3.create_bucket(Bucket=bucket, CreateBucketConfiguration=where)
    distribution = boto3.client("cloudfront").create_distribution(
        DistributionConfig={
            "CallerReference": "one",
            "Comment": "",
            "Enabled": True,
            "Origins": {
                "Quantity": 1,
                "Items": [
                    {
                        "Id": "s3",
                        "DomainName": "frontend.s3.amazonaws.com",
                        "S3OriginConfig": {"OriginAccessIdentity": ""},
                    }
                ],
            },
            "DefaultCacheBehavior": {
                "TargetOriginId": "s3",
                "ViewerProtocolPolicy": "https-only",
                "MinTTL": 0,
                "ForwardedValues": {"QueryString": False, "Cookies": {"Forward": "none"}},
            },
        }
    )["Distribution"]["Id"]
    topic = f"arn:aws:sns:{REGION}:123456789012:vigil-{place.stage}-alarms"
    boto3.client("cloudwatch").put_metric_alarm(
        AlarmName=f"vigil-{place.stage}-api-errors",
        AlarmActions=[topic],
        MetricName="Errors",
        Namespace="AWS/Lambda",
        ComparisonOperator="GreaterThanThreshold",
        EvaluationPeriods=1,
        Period=60,
        Threshold=5,
        Statistic="Sum",
    )
    told = {
        "monitoring/alarm-topic": topic,
        "application/release-bucket": RELEASES,
        "application/frontend-bucket": FRONTEND,
        "application/distribution": distribution,
        "application/address": place.address,
        "application/notice-queue-arn": f"{queues}-notices",
        "application/task-queue-arns": f"celery={queues}-tasks,keeping={queues}-keeping,"
        f"long={queues}-long",
    }
    parameters = boto3.client("ssm")
    for name, value in told.items():
        parameters.put_parameter(Name=f"/vigil/{place.stage}/{name}", Value=value, Type="String")


@contextmanager
def _answering(place: Place) -> Iterator[None]:
    class Answering(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            place.asked.append(self.path)
            status, content = _answer(place, self.path)
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answering)
    place.address = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()


def _answer(place: Place, path: str) -> tuple[int, bytes]:
    if path.startswith("/static/"):
        try:
            return 200, place.served(path.removeprefix("/static/"))
        except place.s3.exceptions.NoSuchKey:
            return 404, b""
    if place.code() in place.is_broken:
        return 500, b""
    words = {
        "/livez": b"alive\n",
        "/readyz": b"ready\n",
        "/accounts/login/": b'<input name="password">',
        "/status": b"well",
    }
    return (200, words[path]) if path in words else (404, b"")


def git(tree: Path, *words: str) -> str:
    """Ask git in a work tree."""
    who = ("-c", "user.name=Olga", "-c", "user.email=olga@example.org")
    return subprocess.check_output(["git", *who, *words], cwd=tree, text=True).strip()
