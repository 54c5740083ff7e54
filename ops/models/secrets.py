"""How old passwords and keys are. Never holds one."""

from __future__ import annotations

from django.db import models


class SecretVersion(models.Model):
    """One version of one secret, known by its name. Written by `ops.services.secrets`, when a new
    one takes an old one's place; never changed. Holds no secret, and nothing that it could be
    told from.
    """

    name = models.CharField(max_length=64, help_text="For example database.application.")
    version = models.PositiveIntegerField()
    made_at = models.DateTimeField()
    made_by = models.CharField(max_length=150)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["name", "version"], name="a_version_of_a_secret_is_made_once"
            )
        ]
        ordering = ["-made_at", "-pk"]

    def __str__(self) -> str:
        return f"{self.name}, version {self.version}"
