"""The operators' pages of this application; Django finds them here."""

from ops.admin import audit, backups

__all__ = ["audit", "backups"]
