"""What alerts store: the rules, and the life of each alert."""

from alerts.models.lifecycle import Alert
from alerts.models.rules import AlertRule

__all__ = ["Alert", "AlertRule"]
