"""The operators' pages of this application; Django finds them here."""

from ops.admin import (
    audit,
    backups,
    checklists,
    deployments,
    incidents,
    retention,
    reviews,
    sealing,
    secrets,
    state,
    users,
)

__all__ = [
    "audit",
    "backups",
    "checklists",
    "deployments",
    "incidents",
    "retention",
    "reviews",
    "sealing",
    "secrets",
    "state",
    "users",
]
