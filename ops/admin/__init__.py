"""The operators' pages of this application; Django finds them here."""

from ops.admin import (
    audit,
    backups,
    checklists,
    deployments,
    incidents,
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
    "reviews",
    "sealing",
    "secrets",
    "state",
    "users",
]
