"""The stage dev on an emulated AWS, made as an operator makes it, with a PostgreSQL beside it.

What stands in for Terraform are its parameters and secrets: the emulator's RDS takes no connection.
The stacks of CDK and CloudFormation are created from the project's own templates.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import re
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

import pytest

from hospital import localdb
from tests.aws.emulator import PROJECT, TOOL, Emulator, emulated
from tests.aws.front_door import Behind, front_door

STAGE = "dev"
PYTHON = PROJECT / ".venv" / "bin" / "python"
ZAPPA = PROJECT / ".cache" / "tools" / "package" / "bin" / "zappa"
# Set where nothing but these tests was asked for.
ASKED_FOR = "VIGIL_NEEDS_TOOLS"
LOOKED_AT_NOTHING = 77
_Found = TypeVar("_Found")


def require_tools() -> None:
    """Skip where a tool is missing; where the journey is all that was asked for, that is no success
    (`make aws-test`): it ends with 77, as a check that looked at nothing."""
    needed = (TOOL, ZAPPA, PROJECT / ".cache" / "tools" / "infra" / "bin")
    missing = [str(each.relative_to(PROJECT)) for each in needed if not each.exists()]
    if not missing:
        return
    words = f"not run: {', '.join(missing)} is missing: make setup, with a Python 3.13"
    if os.environ.get(ASKED_FOR):
        pytest.exit(words, returncode=LOOKED_AT_NOTHING)
    pytest.skip(words)


@dataclass(frozen=True)
class Said:
    """What a command printed, and how it ended."""

    words: str
    status: int
    seconds: float


@dataclass
class DevStage:
    """One stage: the emulator that it runs on, its database, and the folder of the project's code
    that is deployed."""

    emulator: Emulator
    folder: Path
    code: Path = PROJECT
    address: str = ""
    # What was deployed first: its hashes, and its release's name.
    first: dict[str, str] = field(default_factory=dict)
    release: str = ""
    transcript: list[str] = field(default_factory=list)

    def client(self, service: str) -> Any:
        """A client of boto3."""
        return self.emulator.client(service)

    @property
    def environment(self) -> dict[str, str]:
        """What an operator's shell holds."""
        kept = ("PATH", "HOME", "LANG", "TMPDIR")
        return (
            {name: os.environ[name] for name in kept if name in os.environ}
            | self.emulator.environment
            | {
                "VIRTUAL_ENV": str(ZAPPA.parent.parent),
                "HOSPITAL_DATA_DIR": str(self.folder / "operator"),
                "PYTHONDONTWRITEBYTECODE": "1",
            }
        )

    def run(self, *words: str | Path, more: Mapping[str, str] | None = None) -> Said:
        """Run a program as the operator does, in the folder of the code; keep what it said."""
        started = time.monotonic()
        done = subprocess.run(
            [str(word) for word in words], cwd=self.code,
            env=self.environment | dict(more or {}), stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
        )  # fmt: skip
        said = Said(done.stdout, done.returncode, time.monotonic() - started)
        shown = " ".join(Path(str(word)).name if "/" in str(word) else str(word) for word in words)
        self.transcript.append(f"$ {shown}\n{said.words}(status {said.status})\n")
        return said

    def manage(self, *words: str, more: Mapping[str, str] | None = None) -> Said:
        """Run manage.py on this stage's database."""
        told = {"HOSPITAL_AWS_STAGE": STAGE, **(more or {})}
        return self.run(PYTHON, "manage.py", *words, more=told)

    def zappa(self, *words: str) -> Said:
        """Run Zappa as it is typed."""
        return self.run(ZAPPA, *words)

    def parameter(self, name: str) -> str:
        """Give what was handed over."""
        found = self.client("ssm").get_parameter(Name=f"/vigil/{STAGE}/{name}")
        return str(found["Parameter"]["Value"])

    def put_file(self, system: str, name: str, content: bytes) -> None:
        """Put a file into a system's bucket, as the hospital's systems do."""
        self.client("s3").put_object(Bucket=self.bucket(system), Key=name, Body=content)

    def bucket(self, system: str) -> str:
        """Name the bucket of a system."""
        declared = self.parameter("application/buckets").split(",")
        return dict(each.split("=", 1) for each in declared)[system]

    def depth(self, queue: str) -> int:
        """Count the messages of a queue, those that are being worked on with them."""
        client = self.client("sqs")
        url = client.get_queue_url(QueueName=f"vigil-{STAGE}-{queue}")["QueueUrl"]
        names = ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible")
        told = client.get_queue_attributes(QueueUrl=url, AttributeNames=list(names))["Attributes"]
        return sum(int(told[name]) for name in names)

    def hashes(self) -> dict[str, str]:
        """Give the hash of the code of each function."""
        functions = self.client("lambda")
        return {
            name: functions.get_function_configuration(FunctionName=name)["CodeSha256"]
            for name in (f"vigil-{STAGE}", f"vigil-{STAGE}-ingestion", f"vigil-{STAGE}-alerts")
        }

    def browser(self) -> Browser:
        """Somebody who asks at the front door."""
        return Browser(self.address)

    def behind(self) -> Behind:
        """What lies behind the front door by now."""
        api = self.parameter("application/api")
        secret = self.parameter("application/origin-secret")
        key = self.client("secretsmanager").get_secret_value(SecretId=secret)["SecretString"]
        host = f"{api}.execute-api.localhost:{self.emulator.port}"
        return Behind(self.emulator.port, host, str(key), self._static)

    def _static(self, key: str) -> bytes | None:
        objects = self.client("s3")
        try:
            kept = objects.get_object(Bucket=self.parameter("application/frontend-bucket"), Key=key)
        except objects.exceptions.NoSuchKey:
            return None
        return bytes(kept["Body"].read())


class Browser:
    """Asks the stage over HTTP; keeps cookies."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._cookies: dict[str, str] = {}

    def get(self, path: str) -> tuple[int, str]:
        """Ask for a page."""
        return self._ask(path, None)

    def sign_in(self, name: str, password: str) -> int:
        """Sign in by the form, as people do; returns the status of the answer."""
        _, page = self.get("/accounts/login/")
        token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page)
        assert token, page[:300]
        form = {"csrfmiddlewaretoken": token[1], "login": name, "password": password}
        return self._ask("/accounts/login/", urllib.parse.urlencode(form).encode())[0]

    def json(self, path: str) -> Any:
        """Ask the API; the answer has to be well."""
        status, text = self.get(path)
        assert status == 200, (status, text[:500])
        return json.loads(text)

    def _ask(self, path: str, body: bytes | None) -> tuple[int, str]:
        cookies = "; ".join(f"{name}={value}" for name, value in self._cookies.items())
        headers = {"Cookie": cookies} if cookies else {}
        if body is not None:
            headers |= {"Content-Type": "application/x-www-form-urlencoded"}
        request = urllib.request.Request(f"{self._address}{path}", body, headers)
        opener = urllib.request.build_opener(_NoRedirect)
        try:
            with opener.open(request, timeout=90) as answer:
                self._keep(answer.headers)
                return int(answer.status), answer.read().decode()
        except urllib.error.HTTPError as answer:
            self._keep(answer.headers)
            return int(answer.code), answer.read().decode(errors="replace")

    def _keep(self, headers: Any) -> None:
        for line in headers.get_all("Set-Cookie") or ():
            name, _, value = line.split(";", 1)[0].partition("=")
            self._cookies[name.strip()] = value


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        """Follow nothing: a test asserts where it was sent."""


@contextlib.contextmanager
def dev_stage(folder: Path, *, code: Path = PROJECT) -> Iterator[DevStage]:
    """Make the stage with all its layers but the functions; all ends with the block."""
    folder.mkdir(parents=True, exist_ok=True)
    database = folder / "database"
    services = localdb.ensure(database, durable=False)
    try:
        with emulated(folder / "emulator") as emulator:
            stage = DevStage(emulator, folder, code)
            stand_in_for_terraform(stage, services.database_url, services.owner_url)
            made = stage.run(
                PYTHON, "scripts/stacks.py", "apply", "--stage", STAGE,
                "--endpoint", emulator.address,
            )  # fmt: skip
            assert made.status == 0, made.words
            with front_door(functools.cache(stage.behind)) as stage.address:
                _tell(stage, "application/address", stage.address)
                # Loopback has no TLS.
                _tell(stage, "application/settings/HOSPITAL_TLS", "0")
                yield stage
    finally:
        localdb.stop(database)


def stand_in_for_terraform(stage: DevStage, application: str, owner: str) -> None:
    """Put what Terraform hands over: network in name, the database in fact."""
    as_application, as_owner = urlsplit(application), urlsplit(owner)
    told = {
        "network/vpc": "vpc-1",
        "network/private-subnets": "subnet-1,subnet-2",
        "network/zones": "eu-central-1a,eu-central-1b",
        "network/function-security-group": "sg-1",
        "network/worker-security-group": "sg-2",
        "database/host": str(as_application.hostname),
        "database/reader-host": "none",
        "database/port": str(as_application.port),
        "database/name": as_application.path.lstrip("/"),
        "database/instance": "none",
        "database/passwords": f"vigil/{STAGE}/database/",
        "database/master-secret": "none",
        "application/settings/HOSPITAL_DATABASE_TLS": "disable",
        "application/settings/HOSPITAL_RETRY_SECONDS": "1",
        # A call that is cut off by an update keeps its messages for half an hour: its files are
        # found by the sweep, here each minute.
        "application/settings/HOSPITAL_RECONCILE_SECONDS": "60",
    }
    key = stage.client("kms").create_key(Description="data")["KeyMetadata"]["Arn"]
    for name, value in {**told, "keys/data": key}.items():
        _tell(stage, name, value)
    secrets = stage.client("secretsmanager")
    for role, url in (("application", as_application), ("owner", as_owner)):
        secrets.create_secret(
            Name=f"vigil/{STAGE}/database/{role}",
            SecretString=json.dumps({"password": url.password}),
        )


def _tell(stage: DevStage, name: str, value: str) -> None:
    stage.client("ssm").put_parameter(
        Name=f"/vigil/{STAGE}/{name}", Value=value, Type="String", Overwrite=True
    )


def soon(ask: Callable[[], _Found], what: str, *, seconds: float = 90) -> _Found:
    """Ask until the answer is something, and give it; after the time, fail and say for what."""
    ends = time.monotonic() + seconds
    while True:
        found = ask()
        if found:
            return found
        assert time.monotonic() < ends, f"Not within {seconds:.0f} s: {what}."
        time.sleep(1)


def clone_of(project: Path, to: Path) -> Path:
    """A clone of the code as it is committed, with the tools and the built board at hand."""
    _git("clone", "-q", "--shared", str(project), str(to), where=project)
    (to / ".cache").mkdir(exist_ok=True)
    for name in (".venv", ".cache/tools", "frontend/dist"):
        (to / name).symlink_to(project / name)
    return to


def commit_to(code: Path, name: str, change: str | tuple[str, str], subject: str) -> None:
    """Commit a change to the clone: a whole new file, or one text in the place of another."""
    path = code / name
    if isinstance(change, tuple):
        text = path.read_text(encoding="utf-8")
        assert change[0] in text, name
        change = text.replace(*change)
    path.write_text(change, encoding="utf-8")
    _git("add", name, where=code)
    _git("-c", "user.name=Olga", "-c", "user.email=olga@vigil.example", "commit", "-q", "-m",
         subject, where=code)  # fmt: skip


def head_of(code: Path) -> str:
    """Name the commit that lies there."""
    return _git("rev-parse", "HEAD", where=code).strip()


def _git(*words: str, where: Path) -> str:
    done = subprocess.run(["git", *words], cwd=where, check=True, stdout=subprocess.PIPE, text=True)
    return done.stdout
