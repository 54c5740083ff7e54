"""RDS as far as it exists in this process, and a real PostgreSQL behind the addresses it gives.

The emulator makes instances of which nothing is behind the address. Here a door stands there: what
knocks at it reaches the test's own server, and there, instead of the hospital's database, the copy
that a test made of it: what RDS would have brought back.
"""

from __future__ import annotations

import json
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.exceptions import ReadTimeoutError
from django.db import connection
from moto.core import enable_iam_authentication
from moto.core.botocore_stubber import BotocoreStubber
from moto.rds.models import DBInstance, DBInstanceAutomatedBackup, rds_backends
from psycopg2 import sql

from ops.databases import Database
from ops.models import AuditEvent
from ops.server import MAINTENANCE
from tests.ingestion.clouds import REGION
from tests.ops.places import target

if TYPE_CHECKING:
    from mypy_boto3_rds import RDSClient

OWN = "hospital-db"
EARLIEST = datetime(2025, 3, 13, 3, 0, tzinfo=UTC)
LATEST = datetime(2025, 3, 20, 11, 56, tzinfo=UTC)
KEY = "arn:aws:kms:eu-central-1:123456789012:key/made-up"
ACCOUNT = "123456789012"
ROLE = "arn:aws:iam::123456789012:role/monitoring"
_ENCRYPTION_ASKED_FOR = (80877103, 80877104)


class Door:
    """An address at which the hospital's database is the copy that a test made."""

    def __init__(self) -> None:
        own = connection.settings_dict
        self._home = (str(own["HOST"]), int(own["PORT"]))
        self._own = f"database\0{own['NAME']}\0".encode()
        self._copy = f"database\0{target()}\0".encode()
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        threading.Thread(target=self._answer, daemon=True).start()

    def close(self) -> None:
        """Let nobody in any more."""
        # What waits in accept does not wake up for a close alone.
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def _answer(self) -> None:
        with suppress(OSError):
            while True:
                guest, _ = self._socket.accept()
                threading.Thread(target=self._lead, args=(guest,), daemon=True).start()

    def _lead(self, guest: socket.socket) -> None:
        with guest, suppress(OSError), socket.create_connection(self._home) as host:
            host.sendall(self._greeting(guest))
            back = threading.Thread(target=_pass_on, args=(host, guest), daemon=True)
            back.start()
            _pass_on(guest, host)
            back.join()

    def _greeting(self, guest: socket.socket) -> bytes:
        """Give what a client says first, with another database in it."""
        while True:
            (length,) = struct.unpack("!I", _exactly(guest, 4))
            said = _exactly(guest, length - 4)
            if struct.unpack("!I", said[:4])[0] not in _ENCRYPTION_ASKED_FOR:
                break
            guest.sendall(b"N")
        said = said.replace(self._own, self._copy)
        return struct.pack("!I", len(said) + 4) + said


def _exactly(guest: socket.socket, size: int) -> bytes:
    said = b""
    while len(said) < size:
        more = guest.recv(size - len(said))
        if not more:
            raise ConnectionError
        said += more
    return said


def _pass_on(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while said := source.recv(1 << 16):
            sink.sendall(said)
    with suppress(OSError):
        sink.shutdown(socket.SHUT_WR)


class Instances:
    """What a test does to instances as AWS, or somebody else at AWS's console, would."""

    def __init__(self, door: Door) -> None:
        self.rds: RDSClient = boto3.client("rds")
        self.door = door
        self.group = ""

    def make_own(self) -> None:
        """Make the hospital's instance, with nothing left as AWS would have it by itself."""
        ec2 = boto3.client("ec2")
        subnets = [one["SubnetId"] for one in ec2.describe_subnets()["Subnets"]]
        self.rds.create_db_subnet_group(
            DBSubnetGroupName="inner", DBSubnetGroupDescription="-", SubnetIds=subnets
        )
        self.rds.create_db_parameter_group(
            DBParameterGroupName="tuned", DBParameterGroupFamily="postgres17", Description="-"
        )
        self.group = ec2.create_security_group(GroupName="db", Description="-")["GroupId"]
        self.rds.create_db_instance(
            DBInstanceIdentifier=OWN,
            DBInstanceClass="db.m7g.large",
            Engine="postgres",
            EngineVersion="17.5",
            AllocatedStorage=500,
            MaxAllocatedStorage=1000,
            StorageType="gp3",
            Iops=13000,
            StorageThroughput=600,
            DBSubnetGroupName="inner",
            VpcSecurityGroupIds=[self.group],
            DBParameterGroupName="tuned",
            MultiAZ=True,
            PubliclyAccessible=False,
            DeletionProtection=True,
            EnableIAMDatabaseAuthentication=True,
            EnableCloudwatchLogsExports=["postgresql"],
            StorageEncrypted=True,
            KmsKeyId=KEY,
            BackupRetentionPeriod=14,
            CopyTagsToSnapshot=True,
            MonitoringInterval=60,
            MonitoringRoleArn=ROLE,
            MasterUsername="root_of_all",
            MasterUserPassword="made-up-made-up",
            Tags=[{"Key": "cost-centre", "Value": "42"}],
        )
        self.rds.add_role_to_db_instance(
            DBInstanceIdentifier=OWN, RoleArn=ROLE, FeatureName="s3Import"
        )

    def names(self) -> list[str]:
        """Name the instances that there are."""
        found = self.rds.describe_db_instances()["DBInstances"]
        return sorted(one["DBInstanceIdentifier"] for one in found)

    def of(self, name: str) -> Any:
        """Describe one."""
        return self.rds.describe_db_instances(DBInstanceIdentifier=name)["DBInstances"][0]

    @property
    def backend(self) -> Any:
        """The emulator's own books, in which a test may write what AWS would have come to."""
        return rds_backends[ACCOUNT][REGION]


@contextmanager
def instances(patch: pytest.MonkeyPatch) -> Iterator[Instances]:
    """RDS with the hospital's instance, inside a cloud of `mock_aws`."""
    door = Door()
    own = connection.settings_dict
    home = {"Address": str(own["HOST"]), "Port": int(own["PORT"])}
    other = {"Address": "127.0.0.1", "Port": door.port}

    def endpoint(one: DBInstance) -> dict[str, Any]:
        return home if one.db_instance_identifier == OWN else other

    window = {"EarliestTime": EARLIEST, "LatestTime": LATEST}
    patch.setattr(DBInstance, "endpoint", property(endpoint))
    patch.setattr(DBInstance, "latest_restorable_time", LATEST)
    patch.setattr(DBInstanceAutomatedBackup, "restore_window", window, raising=False)
    try:
        cloud = Instances(door)
        cloud.make_own()
        yield cloud
    finally:
        door.close()


def acts() -> list[str]:
    """Name what is on the trail, in order."""
    return list(AuditEvent.objects.order_by("id").values_list("act", flat=True))


@contextmanager
def signed_in_as_somebody(*rights: str) -> Iterator[None]:
    """Let AWS ask who we are, and let us be somebody with these rights alone."""
    iam = boto3.client("iam")
    iam.create_user(UserName="vigil")
    if rights:
        allowed = {"Effect": "Allow", "Action": rights, "Resource": "*"}
        document = json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
        iam.put_user_policy(UserName="vigil", PolicyName="p", PolicyDocument=document)
    key = iam.create_access_key(UserName="vigil")["AccessKey"]
    with pytest.MonkeyPatch.context() as patch, enable_iam_authentication():
        patch.setenv("AWS_ACCESS_KEY_ID", key["AccessKeyId"])
        patch.setenv("AWS_SECRET_ACCESS_KEY", key["SecretAccessKey"])
        with forgetful_sessions():
            yield


@contextmanager
def lost_answers(operation: str, count: int) -> Iterator[None]:
    """Let RDS do what it is asked, and its first answers get lost on their way."""
    ask = BotocoreStubber.__call__
    lost: list[str] = []

    def ask_in_vain(stub: BotocoreStubber, event_name: str, request: Any, **more: Any) -> Any:
        answer = ask(stub, event_name, request, **more)
        if event_name.endswith(f".{operation}") and len(lost) < count:
            lost.append(operation)
            raise ReadTimeoutError(endpoint_url=request.url)
        return answer

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(BotocoreStubber, "__call__", ask_in_vain)
        yield
    assert len(lost) == count


@contextmanager
def forgetful_sessions() -> Iterator[None]:
    """Let whoever boto3 took us for before, and in between, be forgotten."""
    boto3.setup_default_session()
    try:
        yield
    finally:
        boto3.setup_default_session()


def let_rds_bring_back_what_is_there_now() -> None:
    """Copy the hospital's database as it stands: what is behind the address of a new instance."""
    own = str(connection.settings_dict["NAME"])
    connection.close()
    copy = sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(
        sql.Identifier(target()), sql.Identifier(own)
    )
    with (
        Database.of_owner().named(MAINTENANCE).connect(autocommit=True) as opened,
        opened.cursor() as cursor,
    ):
        cursor.execute(copy)
