"""Ops, and the admin site that it gives to operators."""

from importlib import import_module
from typing import Any

from django.apps import AppConfig, apps
from django.contrib.admin import apps as admin_apps
from django.db.models.signals import post_migrate


class OpsConfig(AppConfig):
    """Registers the application, what any place has to show of itself, what listens, and roles."""

    name = "ops"
    default = True

    def ready(self) -> None:
        from ops.aws.whereabouts import stage_here
        from ops.checklists import add_items_of_aws
        from ops.registry import Follower, add_follower
        from ops.services.backing_up import read_catalogue
        from ops.services.trail_return import follow_the_seals

        if stage_here():
            add_items_of_aws()
        import_module("ops.receivers")
        import_module("ops.probes").register()
        import_module("ops.safekeeping").register()
        import_module("ops.tiles").register()
        # Before all others: what they record must not take the keys of events that come back.
        add_follower(Follower("audit trail", follow_the_seals, order=0))
        add_follower(Follower("list of backups", read_catalogue, order=10))
        # Told of once for each application, in their order; by then the permissions of all that
        # roles speak of are there.
        post_migrate.connect(_fill_roles, sender=apps.get_app_config("sessions"))
        self._keep()

    @staticmethod
    def _keep() -> None:
        """Say how long what is kept is kept. This application starts last of ours: by now all
        kinds are there, and a period of what is none stops the start.
        """
        from ops.services.keeping import add_kinds
        from ops.services.retention import refuse_wrong_periods

        add_kinds()
        refuse_wrong_periods()


def _fill_roles(**_: Any) -> None:
    from ops.services.people import fill_roles

    fill_roles()


class OperatorAdminConfig(admin_apps.AdminConfig):
    """Puts the operators' site in the place of the stock one."""

    default_site = "ops.admin_site.OperatorAdminSite"
    default = False
