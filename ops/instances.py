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

from ops.aws.asking import asking
from ops.errors import CloudRefused, CloudUnreachable, InstanceUnknown

if TYPE_CHECKING:
    from mypy_boto3_rds import RDSClient

Described = Mapping[str, Any]

SECONDS_BETWEEN_LOOKS = 30.0
# A network that fails for some minutes must not cost an hour's restore.
_SILENT_LOOKS = 10

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
_RIGHTS = "docs/operating.md lists under Backups on RDS"
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
    try:
        with asking("rds", meanings=_MEANINGS, rights=_RIGHTS) as rds:
            yield rds
    except CloudRefused as error:
        if error.code in _UNKNOWN:
            raise InstanceUnknown(f"RDS knows nothing of that name ({error.code}).") from error
        raise


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
