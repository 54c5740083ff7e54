"""Puts on record that a secret was changed: when, by whom, and never what it is."""

from __future__ import annotations

from django.db.models import Max
from django.utils import timezone

from ops import audit
from ops.models import SecretVersion


def note_new_version(name: str, *, by: str, why: str = "") -> SecretVersion:
    """Note that a secret has a new version, with its line on the trail, in one transaction.

    Called inside one. Two at once: the second fails on the version's number, and says nothing.
    """
    newest = SecretVersion.objects.filter(name=name).aggregate(newest=Max("version"))["newest"]
    made = SecretVersion.objects.create(
        name=name, version=(newest or 0) + 1, made_at=timezone.now(), made_by=by
    )
    audit.record(
        "secret.rotated",
        by=by,
        kind="secret",
        key=name,
        why=why,
        details={"version": made.version},
    )
    return made
