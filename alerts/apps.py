"""Alerts: listens to ingestion, which does not know it."""

from django.apps import AppConfig


class AlertsConfig(AppConfig):
    """Connects the receivers when the application starts."""

    name = "alerts"

    def ready(self) -> None:
        from alerts import receivers  # noqa: F401
