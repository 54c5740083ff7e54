"""What processes that share no memory remember together, where no Valkey does it for them.

Written by Django's cache alone. Its table is unlogged: a crash of the server empties it, no replica
and no backup has it, and nothing in it is missed.
"""

from __future__ import annotations

from django.db import models


class CacheEntry(models.Model):
    """One remembered value until it expires: how often somebody guessed, whose look is noted.

    Keys are digests and names of limits; no personal data.
    """

    cache_key = models.CharField(max_length=255, primary_key=True)
    value = models.TextField()
    expires = models.DateTimeField(db_index=True)

    class Meta:
        # No page shows it, and nobody may be given a right to it.
        default_permissions = ()

    def __str__(self) -> str:
        return f"until {self.expires}"
