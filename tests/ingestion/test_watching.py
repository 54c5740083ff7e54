"""The lookout takes each object once, when it has come to rest, and loses none."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage, InMemoryStorage
from django.db import OperationalError

from ingestion.models import FeedFile, Patient
from ingestion.services.draining import drain
from ingestion.services.watching import Lookout, Watch
from ingestion.storage import Inbox
from tests.ingestion.strangers import a_folder_for_all, as_nobody
from tests.ingestion.terminal import PROJECT, environment

pytestmark = pytest.mark.django_db

HEADER = "patient_id,first_name,last_name,date_of_birth\n"
# The clock that the lookout is told: a minute after the files, so that their folder has settled.
START = time.time() + 60


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "pms").mkdir()
    return tmp_path


@pytest.fixture
def open_folder() -> Iterator[Path]:
    with a_folder_for_all() as folder:
        (folder / "pms").mkdir(mode=0o755)
        yield folder


@pytest.fixture
def inbox(folder: Path) -> Inbox:
    return Inbox(FileSystemStorage(location=str(folder)))


@pytest.fixture
def watch(inbox: Inbox) -> Watch:
    return Watch(inbox)


def put(path: Path, text: str = "P1,Emma,Brown,\n", *, at: float = START - 30) -> Path:
    path.write_text(HEADER + text)
    os.utime(path, (at, at))
    return path


def keys() -> list[str]:
    return list(FeedFile.objects.order_by("pk").values_list("key", flat=True))


def test_a_file_is_taken_once_it_has_stood_still_for_two_seconds(
    folder: Path, watch: Watch
) -> None:
    put(folder / "pms" / "a.csv")

    assert [watch.look(START + after) for after in (0, 1.0, 1.9, 2.0, 2.5, 9)] == [0, 0, 0, 1, 0, 0]
    assert keys() == ["pms/a.csv"]
    assert FeedFile.objects.get().source == "pms"


def test_a_file_that_still_grows_or_changes_its_time_is_not_taken(
    folder: Path, watch: Watch
) -> None:
    path = put(folder / "pms" / "a.csv")
    watch.look(START)
    put(path, "P1,Emma,Brown,\nP2,Otto", at=START - 30)  # grown, its time as before
    assert [watch.look(START + after) for after in (2, 3.9)] == [0, 0]
    put(path, "P1,Emma,Brown,\nP2,Anna", at=START - 20)  # as long as before, its time another
    assert [watch.look(START + after) for after in (4.1, 6.0)] == [0, 0]

    assert watch.look(START + 6.2) == 1
    assert FeedFile.objects.get().size == path.stat().st_size


def test_hidden_and_unfinished_files_are_left_alone_until_they_get_their_name(
    folder: Path, watch: Watch
) -> None:
    for name in (".a.csv", "b.csv.part", "c.csv.tmp", "D.PART"):
        put(folder / "pms" / name)
    assert [watch.look(START + after) for after in (0, 3, 6)] == [0, 0, 0]

    (folder / "pms" / "b.csv.part").rename(folder / "pms" / "b.csv")
    assert [watch.look(START + after) for after in (100, 103)] == [0, 1]
    assert keys() == ["pms/b.csv"]


def test_a_file_overwritten_in_place_is_taken_again_and_one_copied_in_again_counts_as_of_then(
    folder: Path, watch: Watch, inbox: Inbox
) -> None:
    path = put(folder / "pms" / "a.csv")
    watch.look(START)
    watch.look(START + 2)
    drain(inbox)
    put(path, "P1,Emma,Green,\n", at=START - 10)

    looks = [watch.look(START + after) for after in (10, 11, 12.1, 15)]
    drain(inbox)
    assert looks == [0, 0, 1, 0]
    assert Patient.objects.get().last_name == "Green"

    os.utime(path, (START - 5, START - 5))
    assert [watch.look(START + after) for after in (20, 22.1, 25)] == [0, 1, 0]
    drain(inbox)
    assert list(FeedFile.objects.order_by("pk").values_list("created", "updated", "unchanged")) == [
        (1, 0, 0),
        (0, 1, 0),
        (0, 0, 1),
    ]


def test_a_stamped_file_that_was_touched_is_not_taken_again(
    folder: Path, watch: Watch, inbox: Inbox
) -> None:
    path = put(folder / "pms" / "a-2025-03-20T05-20-00Z.csv")
    watch.look(START)
    watch.look(START + 2)
    drain(inbox)
    os.utime(path, (START - 5, START - 5))

    assert [watch.look(START + after) for after in (20, 22.1, 25)] == [0, 0, 0]
    assert FeedFile.objects.count() == 1


def test_what_vanishes_before_it_was_taken_is_forgotten(folder: Path, watch: Watch) -> None:
    path = put(folder / "pms" / "a.csv")
    watch.look(START)
    path.unlink()

    assert [watch.look(START + after) for after in (2.5, 5)] == [0, 0]
    assert FeedFile.objects.count() == 0


def test_a_new_source_is_found_as_it_comes(folder: Path, watch: Watch) -> None:
    watch.look(START)
    (folder / "lis-b").mkdir()
    put(folder / "lis-b" / "a.csv")
    (folder / ".hidden").mkdir()
    put(folder / ".hidden" / "a.csv")

    assert [watch.look(START + after) for after in (1, 3.1)] == [0, 1]
    assert keys() == ["lis-b/a.csv"]


def test_a_restart_registers_nothing_again_and_notices_what_changed_meanwhile(
    folder: Path, inbox: Inbox, watch: Watch
) -> None:
    for name in ("a.csv", "b.csv"):
        put(folder / "pms" / name)
    watch.look(START)
    assert watch.look(START + 2) == 2

    put(folder / "pms" / "b.csv", "P2,Otto,Fox,\n", at=START - 10)
    put(folder / "pms" / "c.csv")
    after = Watch(inbox)

    assert [after.look(START + seconds) for seconds in (100, 102.1, 110)] == [0, 2, 0]
    assert keys() == ["pms/a.csv", "pms/b.csv", "pms/b.csv", "pms/c.csv"] or keys() == [
        "pms/a.csv",
        "pms/b.csv",
        "pms/c.csv",
        "pms/b.csv",
    ]


class Counting(Inbox):
    """An inbox that counts how often it is asked."""

    listings = 0
    asked = 0

    def names(self, source: str) -> list[str]:
        self.listings += 1
        return super().names(source)

    def shape(self, source: str, name: str) -> tuple[object, int]:  # type: ignore[override]
        self.asked += 1
        return super().shape(source, name)


def test_an_unchanged_folder_is_not_listed_and_its_files_are_asked_a_slice_at_a_time(
    folder: Path, django_assert_num_queries: object
) -> None:
    for number in range(1200):
        (folder / "pms" / f"{number}.csv").touch()
    os.utime(folder / "pms", (START - 30, START - 30))  # settled, however long ago START was read
    inbox = Counting(FileSystemStorage(location=str(folder)))
    lookout = Lookout(inbox, "pms")
    lookout.look(START)
    lookout.known = dict.fromkeys(lookout.looks, 0)
    lookout.looks.clear()
    for name in list(lookout.known):
        lookout.known[name] = hash(inbox.shape("pms", name))
    inbox.listings = inbox.asked = 0

    with django_assert_num_queries(0):  # type: ignore[operator]
        for after in range(1, 5):
            lookout.look(START + after)

    assert (inbox.listings, inbox.asked) == (0, 500 + 500 + 200 + 500)


def test_a_full_inbox_is_put_on_record_in_portions_so_that_a_worker_can_begin(
    folder: Path, watch: Watch
) -> None:
    for number in range(450):
        put(folder / "pms" / f"{number}.csv", f"P{number},Emma,Brown,\n")

    assert [watch.look(START + after) for after in (0, 2, 3, 4, 5)] == [0, 200, 200, 50, 0]


def test_a_folder_that_just_changed_is_listed_again_since_its_time_may_stand_still(
    folder: Path,
) -> None:
    inbox = Counting(FileSystemStorage(location=str(folder)))
    lookout = Lookout(inbox, "pms")
    changed = (folder / "pms").stat().st_mtime

    for after in (0.1, 0.5, 1.9, 2.1, 2.5, 9):
        lookout.look(changed + after)

    assert inbox.listings == 4


class CutOff(Inbox):
    """An inbox whose listing leads to a database that has gone."""

    is_cut_off = True

    def shape(self, source: str, name: str) -> tuple[object, int]:  # type: ignore[override]
        if self.is_cut_off:
            raise OperationalError("gone")
        return super().shape(source, name)


def test_a_listing_broken_off_by_an_outage_is_done_again(folder: Path) -> None:
    put(folder / "pms" / "a.csv")
    inbox = CutOff(FileSystemStorage(location=str(folder)))
    watch = Watch(inbox)
    for after in (100, 101):
        with pytest.raises(OperationalError):
            watch.look(START + after)
    inbox.is_cut_off = False

    assert [watch.look(START + after) for after in (102, 104)] == [0, 1]


def test_a_name_that_is_no_text_stops_nobody_and_is_ingested(
    folder: Path, watch: Watch, inbox: Inbox
) -> None:
    put(folder / "pms" / os.fsdecode(b"\xff\xfe.csv"), "P1,Emma,Brown,\n")
    put(folder / "pms" / "ünïcode ✓.csv", "P2,Otto,Fox,\n")
    watch.look(START)

    assert watch.look(START + 2) == 2
    assert drain(inbox) == 2
    assert sorted(keys()) == ["pms/\\xff\\xfe.csv", "pms/ünïcode ✓.csv"]
    assert Patient.objects.count() == 2
    assert [Watch(inbox).look(START + after) for after in (9, 12)] == [0, 0]


def test_pipes_folders_and_links_to_nowhere_are_no_files(folder: Path, watch: Watch) -> None:
    os.mkfifo(folder / "pms" / "pipe.csv")
    (folder / "pms" / "folder.csv").mkdir()
    (folder / "pms" / "link.csv").symlink_to(folder / "nowhere")
    put(folder / "pms" / "a.csv")
    watch.look(START)

    assert watch.look(START + 2) == 1
    assert keys() == ["pms/a.csv"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_a_file_that_nobody_may_read_is_refused_on_record_and_taken_when_it_can_be(
    open_folder: Path,
) -> None:
    inbox = Inbox(FileSystemStorage(location=str(open_folder)))
    watch = Watch(inbox)
    path = put(open_folder / "pms" / "a.csv")
    path.chmod(0)
    with as_nobody():
        looks = [watch.look(START + after) for after in (0, 2, 5, 8)]

    assert looks == [0, 0, 0, 0]
    refused = FeedFile.objects.get()
    assert (refused.key, refused.status, refused.refusal) == ("pms/a.csv", "refused", "unreadable")

    path.chmod(0o644)
    assert Watch(inbox).look(START + 10) == 0
    assert watch.look(START + 11) == 1
    assert drain(inbox) == 1
    assert [file.status for file in FeedFile.objects.all()] == ["ingested"]


def test_the_inbox_may_lie_in_any_storage_that_django_knows() -> None:
    bucket = InMemoryStorage()
    bucket.save("pms/a.csv", ContentFile(f"{HEADER}P1,Emma,Brown,\n".encode()))
    watch = Watch(Inbox(bucket))

    assert [watch.look(START + after) for after in (0, 2, 4)] == [0, 1, 0]
    assert drain(Inbox(bucket)) == 1
    assert Patient.objects.get().last_name == "Brown"
    bucket.delete("pms/a.csv")
    bucket.save("pms/a.csv", ContentFile(f"{HEADER}P1,Emma,Green,\n".encode()))
    assert [watch.look(START + after) for after in (10, 12)] == [0, 1]


def test_a_source_with_the_longest_name_there_can_be_is_watched(folder: Path, watch: Watch) -> None:
    name = "s" * 255
    (folder / name).mkdir()
    put(folder / name / "a.csv")
    put(folder / "pms" / "a.csv")
    watch.look(START)

    assert watch.look(START + 2) == 2


@pytest.mark.django_db(transaction=True)
def test_the_command_watches_until_it_is_told_to_stop(folder: Path) -> None:
    put(folder / "pms" / "a.csv", at=time.time() - 60)
    process = subprocess.Popen(
        [sys.executable, "manage.py", "watch"],
        env=environment(HOSPITAL_INBOX_DIR=str(folder), CELERY_BROKER_URL="memory://"),
        cwd=PROJECT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    try:
        until = time.monotonic() + 60
        while not FeedFile.objects.exists() and time.monotonic() < until:
            time.sleep(0.1)
    finally:
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=30)

    assert [(file.key, file.status) for file in FeedFile.objects.all()] == [
        ("pms/a.csv", "received")
    ]
    assert (process.returncode, out) == (0, b"")
    assert b"Traceback" not in err
