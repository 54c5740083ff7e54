"""How the place is set up becomes a backup: what a dump does not hold, or what one wants to read.

Secrets are named, never told. Higher applications add their part (`ops.registry`).
"""

from __future__ import annotations

import io
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.auth.models import Group, User
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder

from ops.choices import BackupKind
from ops.encryption import encrypt, recipients
from ops.models import Backup
from ops.registry import configurations
from ops.services.backing_up import make
from ops.services.dumping import HashedFile, Written

_OURS = ("HOSPITAL_", "DATABASE_", "CELERY_", "CACHE_", "AWS_", "PG_")
# Of these an address may be read, but not what opens it.
_SECRET = ("KEY", "PASSWORD", "TOKEN", "SECRET", "_URL")
_PUBLIC = {"HOSPITAL_BACKUP_KEY_FILE", "HOSPITAL_NOTICE_QUEUE_URL", "AWS_ENDPOINT_URL"}

Say = Callable[[str], None]


def back_up_configuration(
    kind: BackupKind = BackupKind.CONFIGURATION,
    *,
    by: str,
    why: str = "",
    say: Say = lambda _: None,
) -> Backup:
    """Keep how the place is set up, encrypted. Raises as `back_up` does."""
    return make(kind, "configuration.json.age", _write, by=by, why=why, say=say)


def configuration() -> dict[str, Any]:
    """Tell how the place is set up: settings, users and roles, migrations, rules, deployment."""
    zappa = Path(settings.BASE_DIR) / "zappa_settings.json"
    return {
        "stage": settings.STAGE,
        "version": settings.VERSION,
        "environment": {
            name: value if _is_public(name) else "(secret, not told)"
            for name, value in sorted(os.environ.items())
            if name.startswith(_OURS)
        },
        "migrations": sorted(
            f"{app}.{name}" for app, name in MigrationRecorder(connection).applied_migrations()
        ),
        "roles": {
            group.name: sorted(
                f"{permission.content_type.app_label}.{permission.codename}"
                for permission in group.permissions.select_related("content_type")
            )
            for group in Group.objects.prefetch_related("permissions").order_by("name")
        },
        "users": [
            {
                "name": user.get_username(),
                "is_active": user.is_active,
                "is_staff": user.is_staff,
                "is_superuser": user.is_superuser,
                "roles": sorted(group.name for group in user.groups.all()),
            }
            for user in User.objects.prefetch_related("groups").order_by("username")
        ],
        "zappa": json.loads(zappa.read_text()) if zappa.exists() else None,
        **{part.name: part.tell() for part in configurations()},
    }


def _is_public(name: str) -> bool:
    return name in _PUBLIC or not any(word in name for word in _SECRET)


def _write(file: Path, say: Say) -> tuple[Written, dict[str, Any]]:
    say("reading how the place is set up")
    keys, told = recipients(), configuration()
    plain = io.BytesIO(json.dumps(told, indent=1, default=str).encode())
    with file.open("wb") as stream:
        hidden = HashedFile(stream)
        encrypt(plain, hidden, to=keys)  # type: ignore[arg-type]
    return hidden.written, {"parts": sorted(told), "recipients": [str(key) for key in keys]}
