"""Ingestion: from an object in storage to a trustworthy record."""

from importlib import import_module

from django.apps import AppConfig


class IngestionConfig(AppConfig):
    """Registers the application under the name that its tables carry, and how it stands."""

    name = "ingestion"

    def ready(self) -> None:
        from ingestion.queries.feeds import feeds_as_data
        from ingestion.services.catching_up import take_in_again
        from ingestion.services.keeping import add_kinds
        from ops.registry import Configuration, Follower, add_configuration, add_follower

        add_configuration(Configuration("feeds", feeds_as_data))

        add_follower(Follower("files received since", take_in_again, order=20))
        import_module("ingestion.probes").register()
        add_kinds()
