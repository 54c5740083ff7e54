"""The backups' key: never printed, never among the backups, and never made anew in silence."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from ops.models import AuditEvent
from tests.ops.places import KeptPlace, kept_place

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(name="place")
def _place(tmp_path: Path, transactional_db: None) -> Iterator[KeptPlace]:
    with kept_place(tmp_path) as place:
        yield place


def backupkey(*arguments: str) -> str:
    out = io.StringIO()
    call_command("backupkey", *arguments, stdout=out)
    return out.getvalue()


def test_a_key_is_made_once_and_rotated_with_the_older_ones_kept(place: KeptPlace) -> None:
    with pytest.raises(CommandError, match="there is none yet: new"):
        backupkey("rotate")
    said = backupkey("new", "--by", "olga")
    first = backupkey("public").split()
    with pytest.raises(CommandError, match="there is one already: rotate"):
        backupkey("new")
    backupkey("rotate", "--by", "olga", "--why", "Yearly.")

    assert first[0] in said
    assert backupkey("public").split()[1:] == first
    assert len(backupkey("public").split()) == 2
    assert "AGE-SECRET-KEY" not in said + backupkey("public")
    assert place.key.stat().st_mode & 0o777 == 0o600
    acts = list(AuditEvent.objects.order_by("pk").values_list("act", "why"))
    assert acts == [("backup_key.made", ""), ("backup_key.rotated", "Yearly.")]
