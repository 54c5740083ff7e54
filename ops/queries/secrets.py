"""How old each password and key is, as far as its changes were noted here."""

from __future__ import annotations

from collections.abc import Sequence

from django.db.models import QuerySet

from ops.models import SecretVersion

# Those that are expected to be changed from time to time; others appear once they were.
EXPECTED = ("database.application", "database.owner", "database.reports", "signing", "backup")


def newest_secret_versions() -> QuerySet[SecretVersion]:
    """Give the newest version of each secret."""
    return SecretVersion.objects.order_by("name", "-version").distinct("name")


def secrets_never_rotated(expected: Sequence[str] = EXPECTED) -> list[str]:
    """Name those of which no change was noted: they are as old as the place."""
    noted = set(SecretVersion.objects.values_list("name", flat=True))
    return [name for name in expected if name not in noted]
