"""What can go wrong in running the place. Each says the fact, the cause and the next step."""


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


class NothingToRecover(OpsError):
    """No base backup, or no archived log, leads to the moment that was asked for."""
