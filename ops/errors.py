"""What can go wrong in running the place. Each says the fact, the cause and the next step."""

from __future__ import annotations

from collections.abc import Sequence


class OpsError(Exception):
    """Something that an operator can do something about; its text is for him."""


class ProgramMissing(OpsError):
    """A program of PostgreSQL is not on this machine."""


class ProgramFailed(OpsError):
    """A program of PostgreSQL ended with an error."""


class KeyMissing(OpsError):
    """There is no key with which a backup could be made or read."""


class WrongKey(OpsError):
    """None of the keys at hand opens this backup."""


class BackupRunning(OpsError):
    """Another backup is being made; there are never two at once."""


class BackupFailed(OpsError):
    """A backup could not be made; nothing of it is kept."""


class BackupUnknown(OpsError):
    """No backup of this name is kept."""


class BackupAltered(OpsError):
    """What is kept is not what was put there: shortened, exchanged or damaged."""


class BackupDoesNotFit(OpsError):
    """A whole backup that this server, or this version of Vigil, cannot take in."""


class TargetInUse(OpsError):
    """The database to restore into holds something, or somebody is connected to it."""


class RestoreFailed(OpsError):
    """A restore went wrong; nothing half-restored is left behind."""


class PlaceMuted(OpsError):
    """A restored place that must not act yet."""


class CloudUnreachable(OpsError):
    """AWS does not answer, or cannot just now; it may pass."""


class CloudRefused(OpsError):
    """AWS answered no. `code` is its own word for why."""

    def __init__(self, words: str, code: str = "") -> None:
        super().__init__(words)
        self.code = code


class HandoverIncomplete(OpsError):
    """A stage, or something that a layer of its infrastructure hands over, is not there."""


class NotSettled(OpsError):
    """What runs on AWS is not what should. It names each thing that does not hold."""

    def __init__(self, failed: Sequence[str]) -> None:
        super().__init__("What runs is not what should: " + ". ".join(failed) + ".")
        self.failed = list(failed)


class PackageWrong(OpsError):
    """A package for the functions cannot be used. It says why, and what to do."""


class InstanceUnknown(OpsError):
    """RDS has no instance, or no snapshot, of this name."""


class NothingToRecover(OpsError):
    """No base backup, or no archived log, leads to the moment that was asked for."""


class IncidentClosed(OpsError):
    """The incident was closed already; what was to be said of it belongs to a new one."""

    def __init__(self) -> None:
        super().__init__("The incident is closed already: open a new one if it is back.")


class NotDone(OpsError):
    """Something that was asked for cannot be done. It says why, and nothing was changed."""


class AlreadyDeploying(NotDone):
    """A deployment of this stage is running, and two at once would undo each other."""

    def __init__(self, stage: str) -> None:
        super().__init__(
            f"A deployment to {stage} is running already: wait for its end, or finish it as failed."
        )


class DeployRefused(NotDone):
    """A deployment, or its way back, that must not begin as things are."""


class DeployFailed(OpsError):
    """A deployment, or its way back, that failed on its way: says what, and how it stands now."""


class ZappaFailed(OpsError):
    """Zappa did not do what it was asked for. Says what it said itself."""


class FrontendIncomplete(OpsError):
    """Files of a release are not in the bucket as they should be. Names some of them."""


class MigrationFailed(OpsError):
    """A migration failed half-way: says which, and what of it is left."""


class WouldLose(OpsError):
    """Going back over migrations would lose what somebody wrote: says what. Nothing was changed."""


class DeploymentIsElsewhere(NotDone):
    """The deployment is not in the state from which this could be done; somebody was first."""

    def __init__(self, number: int, *, is_now: str, needed: str) -> None:
        super().__init__(f"Deployment {number} is {is_now}; it would have to be {needed}.")


class ChecklistNotGreen(NotDone):
    """Something on the checklist is neither green nor excepted."""

    def __init__(self, moment: str, keys: Sequence[str]) -> None:
        named = ", ".join(keys)
        super().__init__(
            f"The checklist {moment} is not green: {named}. See to these, or except them with a"
            f" reason: manage.py checklist {moment}."
        )
        self.keys = list(keys)


class ChecklistClosed(NotDone):
    """The run is closed, and what was ticked in it stays as it is."""

    def __init__(self, number: int) -> None:
        super().__init__(f"Checklist run {number} is closed: open a new one.")


class NotPermitted(NotDone):
    """Whoever acts lacks the permission for it."""


class RetentionRunning(OpsError):
    """Another run of the retention is removing; there are never two at once."""


class HoldRefused(OpsError):
    """A legal hold that would hold nothing, or one that has ended already."""
