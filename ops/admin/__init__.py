"""The operators' pages of this application; Django finds them here."""

from ops.admin import audit

__all__ = ["audit"]
