"""How a backup of each kind is made: one door for whoever asks by its name."""

from __future__ import annotations

from collections.abc import Callable

from ops.choices import BackupKind
from ops.models import Backup
from ops.services.backing_up import back_up
from ops.services.configuration import back_up_configuration
from ops.services.log_shipping import back_up_base

_OTHERS = {
    BackupKind.CONFIGURATION: back_up_configuration,
    BackupKind.BASE: back_up_base,
}


def back_up_kind(
    kind: BackupKind, *, by: str, why: str = "", say: Callable[[str], None] = lambda _: None
) -> Backup:
    """Make a backup of any kind; what has no way of its own is a dump. Raises as `back_up` does."""
    return _OTHERS.get(kind, back_up)(kind, by=by, why=why, say=say)
