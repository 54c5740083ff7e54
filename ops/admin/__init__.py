"""The operators' pages of this application; Django finds them here."""

from ops.admin import audit, backups, checklists, deployments, incidents, reviews, sealing, state

__all__ = [
    "audit",
    "backups",
    "checklists",
    "deployments",
    "incidents",
    "reviews",
    "sealing",
    "state",
]
