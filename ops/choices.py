"""The words of running the place."""

from django.db import models


class BackupKind(models.TextChoices):
    """What a backup is, and so how long it is kept."""

    DAILY = "daily"
    WEEKLY = "weekly"
    MONTHLY = "monthly"
    # What was asked for by hand, or by a deployment: kept as long as a daily one.
    POINT = "point", "By hand"
    CONFIGURATION = "configuration"
    # The cluster as it lies on its disk, from which the log leads to any moment.
    BASE = "base", "Base of the log"


DUMPS = (BackupKind.DAILY, BackupKind.WEEKLY, BackupKind.MONTHLY, BackupKind.POINT)


class BackupStatus(models.TextChoices):
    """Running, then made or failed; and gone when its time was over."""

    RUNNING = "running"
    MADE = "made"
    FAILED = "failed"
    GONE = "gone", "No longer kept"


class RestoreKind(models.TextChoices):
    """Whether somebody needed it, or it was tried."""

    RESTORE = "restore"
    DRILL = "drill"


class RestoreStatus(models.TextChoices):
    """Running, then proven by counts and checksums, or failed."""

    RUNNING = "running"
    PROVEN = "proven"
    FAILED = "failed"


class IncidentStatus(models.TextChoices):
    """Whether somebody still has to look after an incident."""

    OPEN = "open", "Open"
    CLOSED = "closed", "Closed"


class Health(models.TextChoices):
    """How a component stands. UNKNOWN is never shown as well: who cannot be asked is not fine."""

    WELL = "well", "Well"
    DEGRADED = "degraded", "Degraded"
    DOWN = "down", "Down"
    UNKNOWN = "unknown", "Unknown"


class Stage(models.TextChoices):
    """Which of the places: each has its own database."""

    DEVELOPMENT = "development", "Development"
    STAGING = "staging", "Staging"
    PRODUCTION = "production", "Production"


class DeploymentStatus(models.TextChoices):
    """What became of a deployment. OBSERVED: nobody told of one, the place found itself changed."""

    PLANNED = "planned", "Planned"
    RUNNING = "running", "Running"
    SUCCEEDED = "succeeded", "Succeeded"
    FAILED = "failed", "Failed"
    ROLLED_BACK = "rolled_back", "Rolled back"
    OBSERVED = "observed", "Observed"


class StepOutcome(models.TextChoices):
    """How one step, or one smoke check, of a deployment went."""

    PASSED = "passed", "Passed"
    FAILED = "failed", "Failed"
    NOT_RUN = "not_run", "Not run"


class Moment(models.TextChoices):
    """When a checklist is gone through."""

    BEFORE = "before", "Before"
    DURING = "during", "During"
    AFTER = "after", "After"


class TickState(models.TextChoices):
    """How an item of a checklist stands. What was not run is open, never green."""

    OPEN = "open", "Open"
    GREEN = "green", "Green"
    RED = "red", "Red"
    EXCEPTED = "excepted", "Excepted"


class EventKind(models.TextChoices):
    """What a line of the trail tells: that somebody did something, or that somebody saw it."""

    ACT = "act", "act"
    LOOK = "look", "look"


class HoldScope(models.TextChoices):
    """What a legal hold keeps from being removed."""

    PATIENT = "patient", "one patient"
    KIND = "kind", "one kind of data"
    EVERYTHING = "everything", "everything"


class RetentionStatus(models.TextChoices):
    """Running, then done; or something went wrong with a kind, or it was cut off half-way."""

    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    INTERRUPTED = "interrupted"
