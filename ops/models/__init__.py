"""What running the place leaves on record."""

from ops.models.audit import AuditEvent
from ops.models.backups import Backup, Muting, Restore
from ops.models.checklists import ChecklistRun, ChecklistTick
from ops.models.deployments import Deployment, DeploymentStep
from ops.models.history import Before, remembers
from ops.models.secrets import SecretVersion

__all__ = [
    "AuditEvent",
    "Backup",
    "Before",
    "ChecklistRun",
    "ChecklistTick",
    "Deployment",
    "DeploymentStep",
    "Muting",
    "Restore",
    "SecretVersion",
    "remembers",
]
