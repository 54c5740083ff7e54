"""Ops, and the admin site that it gives to operators."""

from importlib import import_module

from django.apps import AppConfig
from django.contrib.admin import apps as admin_apps


class OpsConfig(AppConfig):
    """Registers the application, what any place has to show of itself, and what listens."""

    name = "ops"
    default = True

    def ready(self) -> None:
        from ops.registry import Follower, add_follower
        from ops.services.backing_up import read_catalogue
        from ops.services.trail_return import follow_the_seals

        import_module("ops.receivers")
        import_module("ops.probes").register()
        import_module("ops.tiles").register()
        # Before all others: what they record must not take the keys of events that come back.
        add_follower(Follower("audit trail", follow_the_seals, order=0))
        add_follower(Follower("list of backups", read_catalogue, order=10))


class OperatorAdminConfig(admin_apps.AdminConfig):
    """Puts the operators' site in the place of the stock one."""

    default_site = "ops.admin_site.OperatorAdminSite"
    default = False
