"""What a stage on AWS tells its processes, put into the environment before the settings are read.

Knows which parameter and which secret becomes which setting. Nothing secret lies in a package: it
is asked for at the start of each process. What the environment holds already stands, so that an
operator may name another way to the database. Must not import Django.
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from urllib.parse import urlencode

from ops.aws.asking import asking
from ops.aws.handover import (
    STAGE_NAMES,
    Handover,
    function_names,
    require_stage,
)
from ops.errors import HandoverIncomplete

# Of which stage this process is; the functions and the container are told by it, and it alone.
VARIABLE = "HOSPITAL_AWS_STAGE"
# AWS signs RDS's certificates with roots of its own; who deploys puts them there, once a region.
ROOTS = Path(__file__).resolve().parent / "certificates" / "rds.pem"
APPLICATION, OWNER = "vigil_app", "vigil_owner"
# Commands that are given a stage's name. Refused here, nothing was begun: they exit with 2.
WITH_STAGE = ("deploy", "rollback", "beforedeploy", "afterdeploy")


def load(stage: str, *, answers_people: bool = False) -> None:
    """Read the stage's configuration into the environment. Raises HandoverIncomplete, CloudRefused.

    The settings' checks come later, and name what is missing. Only who `answers_people` learns the
    key that CloudFront sends along.
    """
    handed_over = Handover.read(require_stage(stage))
    found = _settings(handed_over)
    found |= _secrets(handed_over)
    if answers_people:
        found["HOSPITAL_ORIGIN_KEY"] = _secret(handed_over, "application/origin-secret")
    for name, value in found.items():
        os.environ.setdefault(name, value)


def load_if_told(arguments: list[str]) -> None:
    """Load what manage.py's command line names a stage for, or the environment does."""
    command, rest = arguments[1] if len(arguments) > 1 else "", arguments[2:]
    told = os.environ.get(VARIABLE, "")
    if command in WITH_STAGE and not {"-h", "--help"} & set(rest):
        # Which word belongs to which option only the command knows: the name tells itself.
        named = next((each for each in rest if each in STAGE_NAMES), "")
        if not named:
            raise HandoverIncomplete(
                f"No stage was named: say which, manage.py {command} STAGE. There are"
                f" {', '.join(STAGE_NAMES)}."
            )
        if told and told != named:
            raise HandoverIncomplete(
                f"{VARIABLE} is {told!r} and the command says {named!r}: unset one of them."
            )
        told = named
    if told:
        load(told)


def _settings(handed: Handover) -> dict[str, str]:
    settings = dict(handed.settings)
    tls = settings.pop("HOSPITAL_DATABASE_TLS", os.environ.get("HOSPITAL_DATABASE_TLS", ""))
    name = settings.pop("HOSPITAL_DATABASE_APPLICATION", APPLICATION)
    owner = settings.pop("HOSPITAL_DATABASE_OWNER", OWNER)
    found = settings | {
        VARIABLE: handed.stage,
        "HOSPITAL_STAGE": STAGE_NAMES[handed.stage],
        "AWS_DEFAULT_REGION": handed.region,
        "DATABASE_URL": _database(handed, "database/host", name, tls),
        "DATABASE_OWNER_URL": _database(handed, "database/host", owner, tls),
        "DATABASE_PASSWORDS": f"secretsmanager:{handed['database/passwords']}",
        "HOSPITAL_RDS_INSTANCE": handed.get("database/instance"),
        "HOSPITAL_BUCKETS": handed["application/buckets"],
        "HOSPITAL_NOTICE_QUEUE_URL": handed["application/notice-queue"],
        "HOSPITAL_BACKUP_BUCKET": handed["application/backup-bucket"],
        "HOSPITAL_SEAL_BUCKET": handed["application/seal-bucket"],
        "HOSPITAL_ADDRESS": handed.address,
        # The API's function puts the front door's host in the place of the gateway's.
        "HOSPITAL_ALLOWED_HOSTS": re.sub(r"^https?://|:\d+$", "", handed.address),
        "HOSPITAL_TRUSTED_ORIGINS": handed.address,
        "HOSPITAL_TASK_QUEUES": handed["application/task-queues"],
        "CELERY_BROKER_URL": "sqs://",
        "CACHE_URL": "database",
        "HOSPITAL_METRICS": "emf",
    }
    # A tunnel leads to one address alone, and TLS would not take it for the other.
    if handed.get("database/reader-host") and not _tunnel():
        found["DATABASE_READER_URL"] = _database(handed, "database/reader-host", name, tls)
    return {key: value for key, value in found.items() if value}


def _database(handed: Handover, host: str, user: str, tls: str) -> str:
    """Write the address of the database, without its password, with TLS that knows whom it meets.

    `HOSPITAL_DATABASE_HOSTADDR` is where a tunnel to it begins: TLS still asks for its own name.
    """
    options = {"sslmode": tls or "verify-full"}
    if options["sslmode"].startswith("verify"):
        options["sslrootcert"] = os.environ.get("HOSPITAL_DATABASE_ROOTS") or str(ROOTS)
        if not Path(options["sslrootcert"]).is_file():
            raise HandoverIncomplete(
                f"{ROOTS.relative_to(ROOTS.parents[2])} is not there: without RDS's root"
                " certificates nobody can tell whether it is the database. Fetch them from AWS"
                " (docs/deploying.md)."
            )
    if hostaddr := _tunnel():
        options["hostaddr"] = hostaddr
    port = os.environ.get("HOSPITAL_DATABASE_PORT") or handed["database/port"]
    return f"postgres://{user}@{handed[host]}:{port}/{handed['database/name']}?{urlencode(options)}"


def _tunnel() -> str:
    """Give the address at which a tunnel to the database begins, if there is one."""
    return os.environ.get("HOSPITAL_DATABASE_HOSTADDR", "")


def _secrets(handed: Handover) -> dict[str, str]:
    """Read the application's own secrets: JSON, each field the name of a setting."""
    text = _secret(handed, "application/secret")
    try:
        found = {str(name): str(value) for name, value in json.loads(text).items()}
    except (ValueError, AttributeError):
        raise HandoverIncomplete(
            f"The secret {handed['application/secret']} is no JSON object of settings."
        ) from None
    if strange := sorted(name for name in found if not name.startswith("HOSPITAL_")):
        # So that whoever may write it cannot set whatever a process reads from its environment.
        raise HandoverIncomplete(
            f"The secret {handed['application/secret']} names {', '.join(strange)}: only settings"
            " of the hospital (HOSPITAL_…) belong there."
        )
    return found


def _secret(handed: Handover, name: str) -> str:
    with asking("secretsmanager", region=handed.region) as client:
        return str(client.get_secret_value(SecretId=handed[name])["SecretString"])


def stage_of_function(name: str) -> str:
    """Name the stage that a function belongs to, by its name. Raises HandoverIncomplete."""
    for stage in STAGE_NAMES:
        if name in function_names(stage).values():
            return stage
    raise HandoverIncomplete(f"No stage has a function {name!r}.")
