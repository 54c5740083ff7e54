"""Instances of RDS and their snapshots as AWS tells of them, and what its refusals mean.

Knows boto3. Must not know what is in a database, nor how long anything is kept.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any

from ops.errors import CloudRefused, CloudUnreachable, InstanceUnknown

if TYPE_CHECKING:
    from botocore.exceptions import ClientError
    from mypy_boto3_rds import RDSClient

Described = Mapping[str, Any]

SECONDS_BETWEEN_LOOKS = 30.0
# A network that fails for some minutes must not cost an hour's restore.
_SILENT_LOOKS = 10

_TOLD_CHARACTERS = 300

_DENIED = frozenset(
    ("AccessDenied", "AccessDeniedException", "NotAuthorized", "UnauthorizedOperation")
)
_NOT_KNOWN = frozenset(
    (
        "AuthFailure",
        "ExpiredToken",
        "ExpiredTokenException",
        "InvalidAccessKeyId",
        "InvalidClientTokenId",
        "InvalidToken",
        "MissingAuthenticationToken",
        "RequestExpired",
        "SignatureDoesNotMatch",
        "UnrecognizedClientException",
    )
)
_PASSING = frozenset(
    (
        "InternalFailure",
        "RequestLimitExceeded",
        "ServiceUnavailable",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
    )
)
_UNKNOWN = frozenset(("DBInstanceNotFound", "DBSnapshotNotFound"))
_MEANINGS = {
    "SnapshotQuotaExceeded": "Its quota of snapshots is used up: delete old ones, or ask AWS for"
    " more, then try again.",
    "InstanceQuotaExceeded": "Its quota of instances is used up: ask AWS for more, then try again.",
    "StorageQuotaExceeded": "Its quota of storage is used up: ask AWS for more, then try again.",
    "InsufficientDBInstanceCapacity": "AWS has no machine of that class free there: try again"
    " later.",
    "DBInstanceAlreadyExists": "Somebody made an instance of that name in the meantime: name"
    " another.",
    "InvalidDBInstanceState": "The instance is busy with something else just now: look at its"
    " status, then try again.",
    "KMSKeyNotAccessible": "The key of the instance's storage (KMS) cannot be used: enable it, and"
    " allow its use.",
    "PointInTimeRestoreNotEnabled": "The instance keeps no automated backups: give it a retention"
    " period above 0.",
}
# The code of what will not become available; no word of AWS's.
HOPELESS = "will not become available"
# From these an instance or a snapshot does not come back by itself.
_HOPELESS = frozenset(
    (
        "deleted",
        "deleting",
        "failed",
        "inaccessible-encryption-credentials",
        "inaccessible-encryption-credentials-recoverable",
        "incompatible-create",
        "incompatible-credentials",
        "incompatible-network",
        "incompatible-option-group",
        "incompatible-parameters",
        "incompatible-restore",
        "insufficient-capacity",
        "restore-error",
        "storage-full",
    )
)


@contextmanager
def asked_of_rds() -> Iterator[RDSClient]:
    """Give a connection to RDS; what it refuses becomes a sentence.

    Raises InstanceUnknown, CloudRefused, CloudUnreachable.
    """
    import boto3
    from botocore.config import Config
    from botocore.exceptions import (
        BotoCoreError,
        ClientError,
        NoCredentialsError,
        NoRegionError,
        PartialCredentialsError,
    )

    patience = Config(
        connect_timeout=5,
        read_timeout=30,
        retries={"total_max_attempts": 3, "mode": "standard"},
    )
    try:
        yield boto3.client("rds", config=patience)
    except ClientError as error:
        raise _translated(error) from error
    except NoRegionError as error:
        raise CloudRefused("No region is set: set AWS_DEFAULT_REGION.") from error
    except (NoCredentialsError, PartialCredentialsError) as error:
        raise CloudRefused(
            "There are no credentials for AWS: give this machine a role, or set AWS_ACCESS_KEY_ID"
            " and AWS_SECRET_ACCESS_KEY."
        ) from error
    except BotoCoreError as error:
        raise CloudUnreachable(
            f"RDS does not answer ({type(error).__name__}): look after the network,"
            " AWS_DEFAULT_REGION and AWS_ENDPOINT_URL, then try again."
        ) from error


def _translated(error: ClientError) -> Exception:
    told = error.response.get("Error", {})
    code = str(told.get("Code", "")).removesuffix("Fault")
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    if code in _UNKNOWN:
        return InstanceUnknown(f"RDS knows nothing of that name ({code}).")
    if code in _PASSING or status >= 500:
        return CloudUnreachable(f"RDS cannot answer just now ({code}): try again in a minute.")
    return CloudRefused(_words(code, error.operation_name, str(told.get("Message", ""))), code)


def _words(code: str, operation: str, said: str) -> str:
    if code in _DENIED:
        return (
            f"AWS does not allow rds:{operation}: give the role that Vigil runs as the rights that"
            " docs/operating.md lists under Backups on RDS."
        )
    if code in _NOT_KNOWN:
        return (
            f"AWS does not accept the credentials ({code}): they are wrong or have run out. Set"
            " valid ones, and look whether this machine's clock is right."
        )
    if code in _MEANINGS:
        return f"AWS refused {operation}: {_MEANINGS[code]}"
    return f"AWS refused {operation} ({code}): {said[:_TOLD_CHARACTERS]}"


def is_identifier(text: str) -> bool:
    """Tell whether an instance could bear this name."""
    return len(text) <= 63 and bool(re.fullmatch(r"[a-z](-?[a-z0-9])*", text))


def instance(identifier: str) -> Described:
    """Describe an instance. Raises InstanceUnknown, naming it and the region."""
    with asked_of_rds() as rds:
        region = rds.meta.region_name
        try:
            return rds.describe_db_instances(DBInstanceIdentifier=identifier)["DBInstances"][0]
        except (rds.exceptions.DBInstanceNotFoundFault, IndexError):
            raise InstanceUnknown(
                f"RDS has no instance {identifier} in {region}: look after HOSPITAL_RDS_INSTANCE"
                " and AWS_DEFAULT_REGION."
            ) from None


def find_instance(identifier: str) -> Described | None:
    """Describe an instance, if there is one."""
    try:
        return instance(identifier)
    except InstanceUnknown:
        return None


def restorable(source: Described) -> tuple[datetime | None, datetime | None]:
    """Say from when until when an instance can be brought back to a moment, as far as told."""
    with asked_of_rds() as rds:
        answer = rds.describe_db_instance_automated_backups(
            DBInstanceIdentifier=source["DBInstanceIdentifier"]
        )
    windows = [one.get("RestoreWindow", {}) for one in answer["DBInstanceAutomatedBackups"]]
    earliest = min((one["EarliestTime"] for one in windows if "EarliestTime" in one), default=None)
    return earliest, source.get("LatestRestorableTime")


def snapshots_of(identifier: str) -> list[Described]:
    """Describe the snapshots of an instance that somebody made."""
    with asked_of_rds() as rds:
        pages = rds.get_paginator("describe_db_snapshots").paginate(
            DBInstanceIdentifier=identifier, SnapshotType="manual"
        )
        return [one for page in pages for one in page["DBSnapshots"]]


def snapshot(name: str) -> Described:
    """Describe a snapshot. Raises InstanceUnknown."""
    with asked_of_rds() as rds:
        return rds.describe_db_snapshots(DBSnapshotIdentifier=name)["DBSnapshots"][0]


def tag(described: Described, name: str) -> str:
    """Give a tag's value, empty where it has none."""
    found = (one["Value"] for one in described.get("TagList", []) if one["Key"] == name)
    return str(next(found, ""))


def wait_until_available(
    look: Callable[[], Described], status: str, *, longest: float, tell: Callable[[Described], None]
) -> Described:
    """Look again and again until something is available; `status` is the name of its status.

    Raises CloudRefused where it will not become so, CloudUnreachable where it is not so in time
    or where nobody can be asked for minutes, InstanceUnknown where it is gone.
    """
    silent, found = 0, None
    for _ in range(max(1, int(longest / SECONDS_BETWEEN_LOOKS))):
        try:
            found = look()
            silent = 0
        except CloudUnreachable:
            silent += 1
            if silent > _SILENT_LOOKS:
                raise
        if found is not None and not silent:
            if found[status] == "available":
                return found
            if found[status] in _HOPELESS:
                raise CloudRefused(
                    f"AWS says of it: {found[status]}. Its events at AWS tell why.", HOPELESS
                )
            tell(found)
        time.sleep(SECONDS_BETWEEN_LOOKS)
    raise CloudUnreachable(
        f"It was not available within {longest / 60:.0f} minutes: look at its status at AWS."
    )
