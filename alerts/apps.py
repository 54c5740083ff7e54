"""Alerts: listens to ingestion, which does not know it."""

from importlib import import_module

from django.apps import AppConfig


class AlertsConfig(AppConfig):
    """Connects the receivers when the application starts, and says how it stands."""

    name = "alerts"

    def ready(self) -> None:
        import_module("alerts.receivers")
        from alerts.queries.rules import rules_as_data
        from alerts.services.evaluation import judge_again
        from alerts.services.keeping import add_kinds
        from ops.registry import Configuration, Follower, add_configuration, add_follower

        add_configuration(Configuration("rules", rules_as_data))

        add_follower(Follower("alerts", judge_again, order=50))
        import_module("alerts.probes").register()
        add_kinds()
