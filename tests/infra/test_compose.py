"""compose.yaml and the Dockerfile, as far as they can be read: what they name is there, nothing is
open to the network, no password stands in them, no image can change under its name.
"""

from __future__ import annotations

import os
import re
import shutil
import stat
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

PROJECT = Path(__file__).resolve().parent.parent.parent
COMPOSE = (PROJECT / "compose.yaml").read_text()
DOCKERFILE = (PROJECT / "Dockerfile").read_text()
SERVICES: dict[str, dict[str, Any]] = yaml.safe_load(COMPOSE)["services"]
OURS = ("prepare", "web", "worker", "keeper", "clock", "watcher")


def test_nothing_listens_on_another_address_than_this_machines_own() -> None:
    ports = [port for service in SERVICES.values() for port in service.get("ports", [])]

    assert [port for port in ports if not port.startswith("127.0.0.1:")] == []
    assert {name for name, service in SERVICES.items() if "ports" in service} == {"web", "aws"}
    assert [name for name, service in SERVICES.items() if "network_mode" in service] == []


def test_each_image_is_built_here_or_named_by_digest() -> None:
    images = {service["image"] for service in SERVICES.values()}
    foreign = {image for image in images if not image.endswith(":development")}

    assert len(foreign) == 2
    assert [image for image in foreign if not re.search(r":\d+@sha256:[0-9a-f]{64}$", image)] == []
    (base,) = re.findall(r"^ARG BASE=(.+)$", DOCKERFILE, flags=re.MULTILINE)
    assert re.search(r"@sha256:[0-9a-f]{64}$", base)
    # What was built here is never fetched from a stranger who took its name.
    built = [service for service in SERVICES.values() if service["image"].endswith(":development")]
    assert {service["pull_policy"] for service in built} == {"never"}


def test_no_password_stands_in_it_and_without_one_it_does_not_start() -> None:
    passwords = re.findall(r"\$\{(VIGIL_\w+)([^}]*)\}", COMPOSE)
    script = (PROJECT / "scripts" / "compose-secrets").read_text()
    (names,) = re.findall(r"^for name in (.+); do$", script, flags=re.MULTILINE)

    assert {name for name, _ in passwords} == {f"VIGIL_{name}_PASSWORD" for name in names.split()}
    assert {rest for _, rest in passwords} == {":?run scripts/compose-secrets"}
    assert re.findall(r"postgres://\w+:(?!\$\{VIGIL_)", COMPOSE) == []


def test_each_setting_is_one_that_the_application_knows() -> None:
    known = set(re.findall(r"^\| `([A-Z_]+)` \|", _operating(), flags=re.MULTILINE))
    named = {key for name in OURS for key in SERVICES[name]["environment"]}

    assert {key for key in named if not key.startswith("AWS_")} - known == set()
    for needed in ("DATABASE_URL", "CELERY_BROKER_URL", "CACHE_URL", "HOSPITAL_TIME_ZONE"):
        assert [name for name in OURS if needed not in SERVICES[name]["environment"]] == []


def _operating() -> str:
    return (PROJECT / "docs" / "operating.md").read_text()


def test_only_who_makes_tables_or_restores_knows_the_owner_and_only_one_the_superuser() -> None:
    def who(key: str) -> set[str]:
        return {name for name in OURS if key in SERVICES[name]["environment"]}

    assert who("DATABASE_OWNER_URL") == {"prepare", "keeper"}
    assert who("DATABASE_ADMIN_URL") == {"prepare"}


def test_the_application_runs_with_no_right_and_writes_nowhere_but_its_volume() -> None:
    for name in (*OURS, "aws"):
        service = SERVICES[name]
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert service["tmpfs"] == ["/tmp"]
        assert "privileged" not in service


def test_each_service_that_answers_is_asked_whether_it_does() -> None:
    unasked = {
        name for name, service in SERVICES.items() if "test" not in service.get("healthcheck", {})
    }
    assert unasked == {"prepare", "watcher"}


def test_what_the_image_is_made_of_is_let_in_and_no_more() -> None:
    let_in = {
        line[1:].partition("/")[0]
        for line in (PROJECT / ".dockerignore").read_text().splitlines()
        if line.startswith("!")
    }
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", DOCKERFILE, flags=re.MULTILINE)
    named = {path.partition("/")[0] for line in copied for path in line.split()}

    assert named == let_in
    assert [name for name in named if not (PROJECT / name).exists()] == []


def test_no_image_runs_as_root() -> None:
    stages = re.split(r"^FROM ", DOCKERFILE, flags=re.MULTILINE)[1:]
    users = {
        re.findall(r" AS (\S+)", stage)[0]: re.findall(r"^USER (\S+)$", stage, flags=re.MULTILINE)
        for stage in stages
    }
    assert users["vigil"] == ["10001:10001"]
    assert users["aws"] == ["10002:10002"]


def test_the_client_is_as_new_as_the_server() -> None:
    (client,) = re.findall(r"postgresql-client-(\d+)", DOCKERFILE)
    (server,) = re.findall(r"postgres:(\d+)@", COMPOSE)
    assert int(client) >= int(server)


@pytest.fixture(name="project")
def _project(tmp_path: Path) -> Path:
    (tmp_path / "scripts").mkdir()
    shutil.copy(PROJECT / "scripts" / "compose-secrets", tmp_path / "scripts")
    return tmp_path


def make_secrets(project: Path) -> str:
    done = subprocess.run(
        ["/bin/sh", "scripts/compose-secrets"], cwd=project, capture_output=True, text=True,
        env={"PATH": os.environ["PATH"]}, check=True,
    )  # fmt: skip
    return done.stdout


def test_passwords_are_made_once_and_for_their_owner_alone(project: Path) -> None:
    (project / ".env").write_text("PORT=9000\n")
    make_secrets(project)
    first = (project / ".env").read_text()
    said = make_secrets(project)

    lines = first.splitlines()
    assert lines[0] == "PORT=9000"
    assert [len(line.partition("=")[2]) for line in lines[1:]] == [48, 48, 48, 48]
    assert len({line.partition("=")[2] for line in lines[1:]}) == 4
    assert stat.S_IMODE((project / ".env").stat().st_mode) == 0o600
    assert (project / ".env").read_text() == first
    assert "Nothing was changed" in said
