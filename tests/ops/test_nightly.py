"""What is due is done once, one failure stops nothing else, and a muted place does nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from alerts.tasks import sweep
from hospital.events import handle
from ingestion.models import FeedFile
from ingestion.tasks import ingest_received, reconcile_buckets
from ops.choices import BackupKind
from ops.errors import PlaceMuted
from ops.models import Backup, Restore
from ops.services.muting import mute
from ops.services.nightly import keep_up
from tests.ops.places import KeptPlace, kept_place

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(name="place")
def _place(tmp_path: Path, transactional_db: None) -> Iterator[KeptPlace]:
    with kept_place(tmp_path) as place:
        yield place


def test_the_night_makes_a_dump_and_the_configuration_and_proves_the_dump(
    place: KeptPlace,
) -> None:
    done = keep_up(now=timezone.now())
    again = keep_up(now=timezone.now())

    kinds = sorted(Backup.objects.values_list("kind", flat=True))
    assert kinds == [BackupKind.CONFIGURATION, BackupKind.MONTHLY]
    drill = Restore.objects.get()
    assert (drill.status, drill.source) == ("proven", Backup.objects.get(kind="monthly").name)
    assert len(done) == 4
    assert again == []


def test_a_storage_that_fails_is_told_and_tried_again_the_next_time(place: KeptPlace) -> None:
    place.backups.mkdir(parents=True)
    (place.backups / "monthly").write_text("A file where the folder should be.")

    failed = keep_up(now=timezone.now())
    (place.backups / "monthly").unlink()
    mended = keep_up(now=timezone.now())

    assert failed == ["night failed: NotADirectoryError"]
    assert Restore.objects.count() == 1
    assert any(words.startswith("monthly-") for words in mended)


def test_a_muted_place_takes_nothing_in_evaluates_nobody_and_sends_events_back(
    place: KeptPlace, settings: object
) -> None:
    FeedFile.objects.create(
        bucket="inbox", key="pms/a.csv", version="1", source="pms", status="received", size=1,
        last_modified=timezone.now(), source_time=timezone.now(), received_at=timezone.now(),
    )  # fmt: skip
    mute(by="olga", why="Restored.")

    assert ingest_received() == 0
    assert reconcile_buckets() == 0
    sweep()
    assert keep_up(now=timezone.now()) == []
    for command in (
        ("ingest", str(place.folder)),
        ("replay", str(FeedFile.objects.get().pk), "--why", "No."),
    ):
        with pytest.raises(CommandError, match="This place is muted"):
            call_command(*command)
    with pytest.raises(PlaceMuted):
        handle({"Records": [{"eventSource": "aws:sqs", "messageId": "1", "body": "{}"}]})

    assert FeedFile.objects.get().status == "received"
