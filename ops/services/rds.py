"""Where the database runs on RDS: snapshots are made and given up, and it comes back as it was at
a moment, as an instance of its own that starts muted.

Only what bears our tag is ever deleted. AWS's words and refusals: `ops.instances`.
"""

from __future__ import annotations

import itertools
import logging
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg2
from django.conf import settings
from django.db import Error, transaction
from django.utils import timezone

from ops import audit
from ops.databases import Database, at_address, held_lock
from ops.errors import (
    BackupFailed,
    BackupRunning,
    CloudRefused,
    CloudUnreachable,
    InstanceUnknown,
    NothingToRecover,
    OpsError,
    RestoreFailed,
    TargetInUse,
)
from ops.instances import (
    HOPELESS,
    SECONDS_BETWEEN_LOOKS,
    Described,
    asked_of_rds,
    find_instance,
    instance,
    is_identifier,
    restorable,
    snapshot,
    snapshots_of,
    tag,
    wait_until_available,
)
from ops.services.dumping import contents_of
from ops.services.holding import is_kind_held, wait_for_turn
from ops.services.restoring import Restored, migrate, require_fit, settle, start_muted, timed

log = logging.getLogger(__name__)

Say = Callable[[str], None]

_LOCK = 0x5649_4749_4C22
_SNAPSHOT_TAG, _RECOVERY_TAG, _STAGE_TAG = "vigil-snapshot", "vigil-recovery", "vigil-stage"
_LONGEST_SNAPSHOT = 2 * 3600.0
_LONGEST_RECOVERY = 6 * 3600.0
# The name of a new instance takes a while to be known, and an instance that is being made cannot
# be deleted at every moment.
_TRIES = 10
_GIBIBYTES_OF_FREE_SPEED = 400


@dataclass(frozen=True)
class Snapshot:
    """A snapshot that we made, as far as it is."""

    name: str
    at: datetime | None
    status: str
    percent: int
    gibibytes: int

    @property
    def is_available(self) -> bool:
        """Tell whether an instance can be made from it."""
        return self.status == "available"


def take_snapshot(*, by: str, why: str = "", say: Say = lambda _: None) -> Snapshot:
    """Take a snapshot of the instance and wait until it can be used. Never two of ours at once.

    Raises BackupRunning, and BackupFailed with the cause. On the trail when it begins and ends.
    """
    own = _own_name()
    with held_lock(_LOCK) as is_ours:
        if not is_ours:
            raise BackupRunning("A snapshot is being taken by another: wait for its end.")
        name, is_begun = "", False
        try:
            _own_instance()
            _require_none_running()
            name = f"vigil-{settings.STAGE}-{timezone.now():%Y%m%dt%H%M%Sz}-{secrets.token_hex(4)}"
            _ask_for_snapshot(own, name)
            is_begun = True
            _note("snapshot.begun", key=name, by=by, why=why)
            say(f"taking {name}")
            described = wait_until_available(
                lambda: snapshot(name), "Status", longest=_LONGEST_SNAPSHOT, tell=_telling(say)
            )
        except BackupRunning:
            raise
        except OpsError as error:
            if not is_begun and not isinstance(error, CloudUnreachable):
                name = ""  # AWS said no; had it said nothing, it might have begun all the same
            raise _snapshot_failed(own, name, error, by=by) from error
        taken = _snapshot(described)
        _note("snapshot.made", key=name, by=by, details={"gibibytes": taken.gibibytes})
    return taken


def _own_name() -> str:
    if not settings.RDS_INSTANCE:
        raise NothingToRecover(
            "HOSPITAL_RDS_INSTANCE is not set: set it to the identifier of the instance that"
            " DATABASE_URL leads to. Without RDS: manage.py backup."
        )
    return str(settings.RDS_INSTANCE)


def _own_instance() -> Described:
    found = instance(_own_name())
    if found.get("DBClusterIdentifier"):
        raise NothingToRecover(
            f"{_own_name()} belongs to a cluster (Aurora, or Multi-AZ with readers),"
            " which this does not know: use AWS's own means for clusters."
        )
    return found


def _require_none_running() -> None:
    """Whoever took one may have been killed; AWS goes on with it all the same."""
    for one in kept_snapshots():
        if one.status == "creating":
            raise BackupRunning(
                f"{one.name} is being taken ({one.percent} percent): wait for its end."
            )


def _ask_for_snapshot(own: str, name: str) -> None:
    # The name is nobody else's: that it is there already is the answer to a question of ours that
    # was asked twice because its first answer was lost.
    with asked_of_rds() as rds, suppress(rds.exceptions.DBSnapshotAlreadyExistsFault):
        rds.create_db_snapshot(
            DBSnapshotIdentifier=name,
            DBInstanceIdentifier=own,
            Tags=_tags({_SNAPSHOT_TAG: "1", _STAGE_TAG: settings.STAGE}),
        )


def _telling(say: Say) -> Callable[[Described], None]:
    def tell(described: Described) -> None:
        say(f"{described['Status']}: {described.get('PercentProgress', 0)} percent")

    return tell


def _snapshot_failed(own: str, name: str, error: OpsError, *, by: str) -> BackupFailed:
    _note("snapshot.failed", key=name or own, by=by)
    if not name:
        return BackupFailed(f"No snapshot of {own} was taken. {error}")
    left = "AWS may go on with it: manage.py snapshot --list shows how far it is."
    if isinstance(error, InstanceUnknown):
        left = "Nothing of it is left."
    elif isinstance(error, CloudRefused) and error.code == HOPELESS:
        left = _deleted(name)
    return BackupFailed(f"The snapshot {name} could not be finished. {error} {left}")


def _deleted(name: str) -> str:
    try:
        with asked_of_rds() as rds:
            rds.delete_db_snapshot(DBSnapshotIdentifier=name)
    except OpsError as error:
        return f"What there is of it could not be deleted: {error}"
    return "Nothing of it is kept."


def kept_snapshots() -> list[Snapshot]:
    """List the snapshots of the instance that we made, the newest first."""
    ours = [one for one in snapshots_of(_own_name()) if tag(one, _SNAPSHOT_TAG)]
    # One that has just begun has no time yet.
    latest = datetime.max.replace(tzinfo=UTC)
    return sorted(map(_snapshot, ours), key=lambda one: one.at or latest, reverse=True)


def _snapshot(described: Described) -> Snapshot:
    return Snapshot(
        name=described["DBSnapshotIdentifier"],
        at=described.get("SnapshotCreateTime"),
        status=described["Status"],
        percent=described.get("PercentProgress", 0),
        gibibytes=described.get("AllocatedStorage", 0),
    )


def give_up_old_snapshots(*, now: datetime, by: str) -> list[str]:
    """Delete the snapshots that we made and that are older than a daily backup is kept.

    Never the newest that can be used, however old, and none under a legal hold on backups or on
    everything. Returns the names; each is on the trail.
    """
    kept = kept_snapshots()
    newest = next((one.name for one in kept if one.is_available), "")
    oldest = now - timedelta(days=settings.KEPT_DAYS["daily"])
    over = [one.name for one in kept if one.name != newest and one.at and one.at < oldest]
    for name in over:
        with transaction.atomic():
            wait_for_turn()
            if is_kind_held("ops.backups"):
                return over[: over.index(name)]
            _record("snapshot.given_up", key=name, by=by)
            # Somebody else may have deleted it since it was listed.
            with suppress(InstanceUnknown), asked_of_rds() as rds:
                rds.delete_db_snapshot(DBSnapshotIdentifier=name)
    return over


def recover_instance(
    *, to: str, until: datetime | None, by: str, why: str, say: Say = lambda _: None
) -> Restored:
    """Bring the instance back as it was at a moment, or as late as RDS can, as a new instance.

    It is read through, brought to this version's schema, muted, and catches up. The instance that
    it comes from is not touched. Raises TargetInUse, NothingToRecover, and RestoreFailed; then the
    new instance is deleted, or the error says that it is not.
    """
    source = _own_instance()
    to = to.lower()
    _require_free(to)
    as_of = _require_restorable(source, until)
    asked_at = timezone.now()
    restored = Restored(f"{source['DBInstanceIdentifier']} as of {as_of:%Y-%m-%d %H:%M:%S} UTC", to)
    _note_where_it_comes_from(restored, by=by, why=why)
    with _grown(source, to, until, restored, say=say) as endpoint:
        restored.report |= {
            "address": f"{endpoint['Address']}:{endpoint['Port']}",
            "stands_as_of": as_of.isoformat(),
            "seconds_behind": max(0, round((asked_at - as_of).total_seconds())),
            "kept_aside": "",
        }
        with at_address(endpoint["Address"], endpoint["Port"]):
            _take_in(restored, started_at=asked_at, by=by, why=why, say=say)
    restored.report["not_carried_over"] = _carry_over(source, to)
    return restored


def _require_free(to: str) -> None:
    if not is_identifier(to):
        raise TargetInUse(
            f"{to!r} is no identifier of an instance: at most 63 letters, digits and single"
            " hyphens, a letter first."
        )
    if find_instance(to) is not None:
        raise TargetInUse(
            f"There is an instance {to} already, and an instance is never overwritten: restore --to"
            " another identifier."
        )


def _require_restorable(source: Described, until: datetime | None) -> datetime:
    """Return the moment as of which the new instance will stand."""
    earliest, latest = restorable(source)
    name = source["DBInstanceIdentifier"]
    if latest is None:
        raise NothingToRecover(
            f"RDS keeps no log of {name}: its automated backups are off, or the first is not made"
            " yet. Give it a retention period above 0."
        )
    if until is None:
        return latest.astimezone(UTC)
    if until > latest or (earliest is not None and until < earliest):
        since = f"from {_clock(earliest)} " if earliest else ""
        raise NothingToRecover(
            f"{name} cannot be brought back to {_clock(until)}: it can {since}until"
            f" {_clock(latest)}. Name a moment between, or latest."
        )
    return until.astimezone(UTC)


def _clock(at: datetime | None) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC" if at else ""


def _note_where_it_comes_from(restored: Restored, *, by: str, why: str) -> None:
    """A copy of every patient is being made. Not on record only where there is no database left."""
    try:
        _note(
            "database.recovery_begun",
            key=restored.database,
            by=by,
            why=why,
            details={"source": restored.source},
        )
    except Error as error:
        log.warning("a recovery is not on the trail of its source", exc_info=error)


@contextmanager
def _grown(
    source: Described, to: str, until: datetime | None, restored: Restored, *, say: Say
) -> Iterator[Mapping[str, Any]]:
    """Give the address of a new instance; if the block fails, the instance is deleted."""
    mark, is_begun = secrets.token_hex(16), False
    try:
        with timed(restored, "recover"):
            say(f"asking RDS for {to}")
            _ask_for(source, to, until, mark)
            is_begun = True
            began = time.monotonic()

            def tell(described: Described) -> None:
                minutes = (time.monotonic() - began) / 60
                say(f"{to}: {described['DBInstanceStatus']}, for {minutes:.0f} minutes")

            made = wait_until_available(
                lambda: instance(to), "DBInstanceStatus", longest=_LONGEST_RECOVERY, tell=tell
            )
        yield made["Endpoint"]
    except BaseException as error:
        say(f"deleting {to}")
        left = _give_up(to, mark, is_ours=is_begun)
        if isinstance(error, KeyboardInterrupt) and not left:
            raise
        raise _failed(to, error, left) from error


def _failed(to: str, error: BaseException, left: str) -> RestoreFailed:
    cause = str(error) if isinstance(error, OpsError) else f"It met {type(error).__name__}."
    if isinstance(error, KeyboardInterrupt):
        cause = "It was stopped."
    return RestoreFailed(
        f"{to} could not be recovered. {cause} {left or 'Nothing half-restored is left.'}"
    )


def _ask_for(source: Described, to: str, until: datetime | None, mark: str) -> None:
    moment: Any = {"UseLatestRestorableTime": True} if until is None else {"RestoreTime": until}
    like_source: Any = _like(source, mark)
    with asked_of_rds() as rds:
        try:
            rds.restore_db_instance_to_point_in_time(
                SourceDBInstanceIdentifier=source["DBInstanceIdentifier"],
                TargetDBInstanceIdentifier=to,
                **moment,
                **like_source,
            )
        except rds.exceptions.DBInstanceAlreadyExistsFault:
            # Ours, if a first answer was lost and the question asked again.
            if tag(find_instance(to) or {}, _RECOVERY_TAG) != mark:
                raise


def _like(source: Described, mark: str) -> dict[str, Any]:
    """Say of a new instance what RDS would not take over from its source.

    Without it the new one would get default groups (parameters, security: other people's doors),
    no Multi-AZ, no IAM sign-in and another kind of disk. Its key (KMS) is always its source's.
    Protection against deletion comes last, so that what fails can be deleted.
    """
    tags = {
        one["Key"]: one["Value"]
        for one in source.get("TagList", [])
        if not one["Key"].startswith("aws:")
    }
    said = {
        "DBInstanceClass": source["DBInstanceClass"],
        "DBSubnetGroupName": source.get("DBSubnetGroup", {}).get("DBSubnetGroupName"),
        "VpcSecurityGroupIds": [
            one["VpcSecurityGroupId"] for one in source.get("VpcSecurityGroups", [])
        ],
        "DBParameterGroupName": _first(source, "DBParameterGroups", "DBParameterGroupName"),
        "OptionGroupName": _own_options(source),
        "MultiAZ": source.get("MultiAZ"),
        "PubliclyAccessible": source.get("PubliclyAccessible", False),
        "EnableIAMDatabaseAuthentication": source.get("IAMDatabaseAuthenticationEnabled"),
        "EnableCloudwatchLogsExports": source.get("EnabledCloudwatchLogsExports"),
        "AutoMinorVersionUpgrade": source.get("AutoMinorVersionUpgrade"),
        "CopyTagsToSnapshot": source.get("CopyTagsToSnapshot"),
        "CACertificateIdentifier": source.get("CACertificateIdentifier"),
        "BackupRetentionPeriod": source.get("BackupRetentionPeriod"),
        "PreferredBackupWindow": source.get("PreferredBackupWindow"),
        "MaxAllocatedStorage": source.get("MaxAllocatedStorage"),
        "NetworkType": source.get("NetworkType"),
        "ProcessorFeatures": source.get("ProcessorFeatures"),
        "DedicatedLogVolume": source.get("DedicatedLogVolume"),
        "EngineLifecycleSupport": source.get("EngineLifecycleSupport"),
        "Tags": _tags({**tags, _RECOVERY_TAG: mark}),
        **_disk(source),
    }
    return {name: value for name, value in said.items() if value not in (None, [], "")}


def _disk(source: Described) -> dict[str, Any]:
    kind = source.get("StorageType")
    said = {"StorageType": kind}
    if kind in {"io1", "io2"}:
        said["Iops"] = source.get("Iops")
    # Of a smaller one of this kind RDS tells the speed, and refuses to be told.
    if kind == "gp3" and source.get("AllocatedStorage", 0) >= _GIBIBYTES_OF_FREE_SPEED:
        said |= {"Iops": source.get("Iops"), "StorageThroughput": source.get("StorageThroughput")}
    return said


def _own_options(source: Described) -> str | None:
    """Name the group of options; RDS's own, of the engine's version, it gives by itself."""
    name = _first(source, "OptionGroupMemberships", "OptionGroupName")
    return None if name is None or name.startswith("default:") else name


def _first(described: Described, groups: str, name: str) -> str | None:
    return next((str(one[name]) for one in described.get(groups, [])), None)


def _tags(values: Mapping[str, str]) -> Any:
    return [{"Key": key, "Value": value} for key, value in values.items()]


def _take_in(restored: Restored, *, started_at: datetime, by: str, why: str, say: Say) -> None:
    """Where the connection leads now: read it through, bring its schema here, mute, catch up."""
    say("connecting to it")
    with timed(restored, "verify"), _reached() as opened:
        found = contents_of(opened, say=say)
    require_fit(found)
    restored.report["tables"] = len(found["tables"])
    restored.report["rows"] = sum(table["rows"] for table in found["tables"].values())
    with timed(restored, "migrate"):
        migrate()
    start_muted(restored.source, restored.database, by=by, why=why)
    settle(restored, started_at=started_at, by=by, why=why, say=say)


@contextmanager
def _reached() -> Iterator[Any]:
    """Connect as the owner; the name of a new instance is not known everywhere at once."""
    with ExitStack() as stack:
        yield _connection(Database.of_owner(), stack)


def _connection(server: Database, stack: ExitStack) -> Any:
    for attempt in itertools.count(1):
        try:
            return stack.enter_context(server.connect())
        except psycopg2.OperationalError as error:
            _require_hope(error, server, is_last=attempt == _TRIES)
        time.sleep(SECONDS_BETWEEN_LOOKS)
    raise AssertionError


def _require_hope(error: psycopg2.OperationalError, server: Database, *, is_last: bool) -> None:
    said = str(error)
    if "authentication failed" in said:
        raise RestoreFailed(
            "It refuses the owner's password: it may be from before the password was changed. Set"
            " DATABASE_OWNER_URL with the one that held at that moment, then restore again."
        ) from error
    if "does not exist" in said:
        raise RestoreFailed(
            f"There was no database {server.name}, or not its owner's role, at that moment."
        ) from error
    if is_last:
        raise RestoreFailed(
            f"It cannot be reached at {server.host}:{server.port} from this machine: look after"
            " security groups and routes, then restore again."
        ) from error


def _give_up(to: str, mark: str, *, is_ours: bool) -> str:
    """Delete the new instance if it is ours. Returns what is left, empty if nothing.

    Ours it is also when the answer to our question was lost, and it bears our mark.
    """
    try:
        found = find_instance(to)
        if found is None or not (is_ours or tag(found, _RECOVERY_TAG) == mark):
            return ""
        _delete(to, is_protected=bool(found.get("DeletionProtection")))
    except OpsError as error:
        return (
            f"What there is of it could not be deleted: {error} Delete it by hand: aws rds"
            f" delete-db-instance --db-instance-identifier {to} --skip-final-snapshot"
        )
    return ""


def _delete(name: str, *, is_protected: bool) -> None:
    with asked_of_rds() as rds:
        if is_protected:
            rds.modify_db_instance(
                DBInstanceIdentifier=name, DeletionProtection=False, ApplyImmediately=True
            )
        for attempt in range(1, _TRIES + 1):
            try:
                rds.delete_db_instance(
                    DBInstanceIdentifier=name,
                    SkipFinalSnapshot=True,
                    DeleteAutomatedBackups=True,
                )
                return
            except rds.exceptions.InvalidDBInstanceStateFault:
                # It is just doing something that may not be stopped.
                if attempt == _TRIES:
                    raise
            time.sleep(SECONDS_BETWEEN_LOOKS)


def _carry_over(source: Described, to: str) -> str:
    """Set what a new instance can only be given once it is there. Returns what failed of it.

    It is restored and muted by now: what fails here is no reason to delete it.
    """
    said = {
        "MonitoringInterval": source.get("MonitoringInterval") or None,
        "MonitoringRoleArn": source.get("MonitoringRoleArn"),
        "PreferredMaintenanceWindow": source.get("PreferredMaintenanceWindow"),
        "DeletionProtection": source.get("DeletionProtection"),
    }
    if source.get("PerformanceInsightsEnabled"):
        said |= {
            "EnablePerformanceInsights": True,
            "PerformanceInsightsKMSKeyId": source.get("PerformanceInsightsKMSKeyId"),
            "PerformanceInsightsRetentionPeriod": source.get("PerformanceInsightsRetentionPeriod"),
            "DatabaseInsightsMode": source.get("DatabaseInsightsMode"),
        }
    wanted: Any = {name: value for name, value in said.items() if value is not None}
    try:
        with asked_of_rds() as rds:
            # First, for while it is being modified it takes no role.
            for role in source.get("AssociatedRoles", []):
                rds.add_role_to_db_instance(
                    DBInstanceIdentifier=to,
                    RoleArn=role["RoleArn"],
                    FeatureName=role["FeatureName"],
                )
            rds.modify_db_instance(DBInstanceIdentifier=to, ApplyImmediately=True, **wanted)
    except OpsError as error:
        by_hand = [*wanted, *(["AssociatedRoles"] if source.get("AssociatedRoles") else [])]
        own = source["DBInstanceIdentifier"]
        return f"{error} Set by hand what {own} has: {', '.join(by_hand)}."
    return ""


def _note(
    act: str, *, key: str, by: str, why: str = "", details: dict[str, Any] | None = None
) -> None:
    with transaction.atomic():
        _record(act, key=key, by=by, why=why, details=details)


def _record(
    act: str, *, key: str, by: str, why: str = "", details: dict[str, Any] | None = None
) -> None:
    kind = act.partition(".")[0]
    audit.record(act, by=by, kind=kind, key=key, why=why, details=details)
