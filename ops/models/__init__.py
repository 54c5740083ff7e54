"""What running the place leaves on record."""

from ops.models.audit import AuditEvent
from ops.models.backups import Backup, Muting, Restore
from ops.models.cache import CacheEntry
from ops.models.checklists import ChecklistRun, ChecklistTick
from ops.models.deployments import Deployment, DeploymentStep
from ops.models.history import Before, remembers
from ops.models.retention import LegalHold, RetentionRun
from ops.models.sealing import (
    GUARDED,
    GUARDING,
    GUARDING_BODY,
    GUARDS,
    AuditArchive,
    AuditReview,
    AuditSeal,
    AuditVerification,
    SealedEvent,
)
from ops.models.secrets import SecretVersion
from ops.models.status import Incident, IncidentUpdate, LastRun, ProbeDay, ProbeSample

__all__ = [
    "GUARDED",
    "GUARDING",
    "GUARDING_BODY",
    "GUARDS",
    "AuditArchive",
    "AuditEvent",
    "AuditReview",
    "AuditSeal",
    "AuditVerification",
    "Backup",
    "Before",
    "CacheEntry",
    "ChecklistRun",
    "ChecklistTick",
    "Deployment",
    "DeploymentStep",
    "Incident",
    "IncidentUpdate",
    "LastRun",
    "LegalHold",
    "Muting",
    "ProbeDay",
    "ProbeSample",
    "Restore",
    "RetentionRun",
    "SealedEvent",
    "SecretVersion",
    "remembers",
]
