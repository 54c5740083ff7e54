"""Checklists and deployments as tests make them: through the services, with items of our own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.contrib.auth.models import Permission, User

from ops.checklists import Item, add_item
from ops.checklists import _items as registered
from ops.choices import Moment
from ops.evidence import Command
from ops.models import ChecklistRun, Deployment
from ops.services.checklists import except_item, open_checklist
from ops.services.deployments import plan_deployment

GREEN = Command(("true",))
RED = Command(("false",))


@contextmanager
def items(*wanted: Item) -> Iterator[None]:
    """Let the checklists consist of these items alone."""
    kept = dict(registered)
    registered.clear()
    for item in wanted:
        add_item(item)
    try:
        yield
    finally:
        registered.clear()
        registered.update(kept)


def item(key: str, moment: Moment, command: Command | None = None) -> Item:
    """Make an item."""
    return Item(key, moment, f"Title of {key}", f"Why of {key}", command)


def planned(stage: str = "production", version: str = "0.2.0") -> Deployment:
    """Plan a deployment."""
    return plan_deployment(stage=stage, version=version, by="olga", commit="a" * 40)


def excepting_user(name: str = "olga") -> str:
    """Make a user who may except items; gives the name."""
    user = User.objects.create(username=name)
    user.user_permissions.add(Permission.objects.get(codename="except_checklist_item"))
    return user.username


def except_all(deployment: Deployment, moment: Moment, by: str) -> ChecklistRun:
    """Except every item of a deployment's checklist."""
    run = open_checklist(moment, by=by, deployment=deployment)
    for one in run.items:
        except_item(run, one["key"], by=by, why="Seen by eye.")
    return run
