"""Whatever bytes arrive, a file is ingested with a balanced ledger or refused with a reason."""

from __future__ import annotations

import io
import os
import random
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import BinaryIO

import pytest

from ingestion.choices import FileStatus
from ingestion.models import Department, Drift, FeedFile, Patient, RejectedRow
from ingestion.services.books import books, unbalanced_files
from ingestion.services.receiving import Receipt, ingest
from ingestion.storage import StoredObject
from tests.deliveries import NOON
from tests.ingestion.strangers import a_folder_for_all, as_nobody
from tests.ingestion.terminal import PROJECT, environment, run

pytestmark = pytest.mark.usefixtures("at_noon")
PATIENTS = b"patient_id,first_name,last_name,date_of_birth\n"
EMMA = PATIENTS + b"P1,Emma,Brown,1990-01-31\n"
REASON = "It could not be read ({}). Check its permissions and the disk, then ingest it again."
ADMISSIONS = "patient_id,hospitalization_case_number,admission_date,admission_time"


def take(content: bytes, *, key: str = "a.csv", at: datetime = NOON, **more: object) -> Receipt:
    opened: Callable[[], BinaryIO] = lambda: io.BytesIO(content)  # noqa: E731
    stored = StoredObject("local", key, "local", at, len(content), more.get("open", opened))  # type: ignore[arg-type]
    return ingest(stored)


def zipped() -> bytes:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as parts:
        parts.writestr("patients.csv", EMMA)
    return archive.getvalue()


@pytest.mark.parametrize(
    ("content", "refusal"),
    [
        (b"", "no_header"),
        (b"\n \r\n\n", "no_header"),
        (b"\xef\xbb\xbf", "no_header"),
        (bytes(range(256)) * 40, "no_header"),
        (random.Random(7).randbytes(200_000), "no_header"),
        (b"\x00" * 5000, "no_header"),
        (zipped(), "no_header"),
        (b"%PDF-1.7\nnot a table\n", "unknown_layout"),
        (b"<html>\n<body>Bad gateway</body>\n", "unknown_layout"),
        (b"P1,Emma,Brown,1990-01-31\n", "unknown_layout"),
        (b"Patient_ID ," + EMMA, "duplicate_column"),
        (b"admission_id," + EMMA, "foreign_column"),
    ],
)
def test_what_is_no_export_is_refused_with_a_sentence_and_leaves_no_rows(
    content: bytes, refusal: str
) -> None:
    file = take(content).file

    assert (file.status, file.refusal, file.rows) == (FileStatus.REFUSED, refusal, 0)
    assert file.reason.endswith(".")
    assert "Emma" not in file.reason
    assert books()["files"] == {"ingested": 0, "refused": 1}
    assert books()["balanced"] is True


def test_a_header_alone_is_a_file_without_rows() -> None:
    assert take(PATIENTS).file.ledger == {
        "rows": 0,
        "created": 0,
        "updated": 0,
        "unchanged": 0,
        "superseded": 0,
        "waiting": 0,
        "rejected": 0,
    }
    assert books()["files"] == {"ingested": 1, "refused": 0}


def test_a_row_of_garbage_is_rejected_and_the_rows_around_it_are_kept() -> None:
    file = take(PATIENTS + b"P0,A,B,\n\xff\xfe\x00\x01\n\x00\nP1,Emma,Brown,1990-01-31\n").file

    assert (file.rows, file.created, file.rejected) == (4, 2, 2)
    assert [row.reason for row in RejectedRow.objects.order_by("line")] == ["encoding", "encoding"]
    assert books()["balanced"] is True


# --- Files that change under the reader ---------------------------------------------------


class Vanishing(io.BytesIO):
    """A file on a share that goes away after so many reads."""

    def __init__(self, content: bytes, *, reads: int, error: OSError) -> None:
        super().__init__(content)
        self._left = reads
        self._error = error

    def read(self, size: int | None = -1) -> bytes:
        self._left -= 1
        if self._left < 0:
            raise self._error
        return super().read(size)


@pytest.mark.parametrize("reads", [0, 1, 2, 3])
def test_a_file_that_vanishes_while_it_is_read_leaves_nothing_but_its_refusal(reads: int) -> None:
    def opened() -> BinaryIO:
        return Vanishing(EMMA, reads=reads, error=FileNotFoundError(2, "gone"))

    file = take(EMMA, open=opened).file

    assert (file.status, file.refusal) == (FileStatus.REFUSED, "vanished")
    assert file.reason == "It was gone before it could be read."
    assert Patient.objects.count() == 0
    assert take(EMMA).file.created == 1
    assert books()["files"] == {"ingested": 1, "refused": 0}
    assert books()["balanced"] is True


def test_a_file_that_grows_while_it_is_read_leaves_nothing_but_its_refusal() -> None:
    class Growing(io.BytesIO):
        def seek(self, offset: int, whence: int = 0) -> int:
            self.truncate(0)
            super().seek(0)
            self.write(EMMA + b"P2,Otto,Fox,\n")
            return super().seek(offset, whence)

    file = take(EMMA, open=lambda: Growing(EMMA)).file

    assert (file.status, file.refusal) == (FileStatus.REFUSED, "unreadable")
    assert file.reason.startswith("It was changed while it was read.")
    assert Patient.objects.count() == 0


@pytest.mark.parametrize("error", [PermissionError(13, "Permission denied"), OSError(5, "I/O")])
def test_a_file_that_cannot_be_opened_is_refused_once_and_ingested_when_it_can(
    error: OSError,
) -> None:
    def closed() -> BinaryIO:
        raise error

    first, second = take(EMMA, open=closed).file, take(EMMA, open=closed).file

    assert first.pk == second.pk
    assert first.reason == REASON.format(error.strerror)
    assert take(EMMA).status == "ingested"
    assert [file.status for file in FeedFile.objects.all()] == ["ingested"]


# --- Sizes --------------------------------------------------------------------------------


def noise(characters: int) -> str:
    """Text that no compression makes small: an index has room for 2,704 bytes."""
    draw = random.Random(characters)
    return "".join(chr(draw.randint(0x4E00, 0x9FFF)) for _ in range(characters))


def test_a_name_of_a_column_longer_than_an_index_has_room_for_stops_nothing() -> None:
    content = PATIENTS[:-1] + f",{noise(5000)}\nP1,Emma,Brown,,x\n".encode()

    assert take(content).file.created == 1
    assert take(content, key="b.csv").file.unchanged == 1
    assert Drift.objects.filter(kind="unknown_column").count() == 1


def test_a_header_of_a_thousand_unknown_columns_stops_nothing() -> None:
    names = [noise(20) + str(number) for number in range(1000)]
    content = PATIENTS[:-1] + f",{','.join(names)}\nP1,Emma,Brown,{',x' * 1000}\n".encode()

    assert take(content).file.created == 1
    assert take(content, key="b.csv").file.unchanged == 1
    assert Patient.objects.get().extra[names[-1]] == "x"


def test_a_department_and_a_status_of_a_thousand_characters_stop_nothing() -> None:
    ward = noise(1000)
    take(EMMA)
    take(
        f"{ADMISSIONS},department\nP1,C1,2025-03-19,08:00,{ward}\n".encode(),
        at=NOON,
    )
    file = take(
        f"test_id,patient_id,test_name,order_date,order_time,status\n"
        f"T1,P1,Sodium,2025-03-19,09:00,{ward}\n".encode()
    ).file

    assert file.created == 1
    assert Department.objects.get().name == ward
    assert Drift.objects.get(kind="unlisted_status").name == f"status: {ward}"


MEASURE = """
import io, os, resource, sys
from datetime import datetime, UTC
from django.db import transaction
from ingestion.services.receiving import ingest
from ingestion.storage import StoredObject

class Stream(io.RawIOBase):
    '''A file made while it is read: head, then a piece so often, then tail.'''
    def __init__(self, head, piece, count, tail):
        self.parts = (head, piece, count, tail); self.seek(0)
    def readable(self): return True
    def seekable(self): return True
    def seek(self, offset, whence=0):
        head, piece, count, tail = self.parts
        self.rest, self.left = head, count
        return 0
    def read(self, size=-1):
        head, piece, count, tail = self.parts
        while len(self.rest) < size and self.left:
            self.rest += piece; self.left -= 1
            if not self.left: self.rest += tail
        block, self.rest = self.rest[:size], self.rest[size:]
        return block

def peak(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
HEAD = b"patient_id,first_name,last_name,date_of_birth\\n"
def measure(piece, count, tail):
    stored = StoredObject("local", "a.csv", "local", datetime.now(UTC), 0,
        lambda: Stream(HEAD, piece, count, tail))
    before = peak()
    with transaction.atomic():
        file = ingest(stored).file
        transaction.set_rollback(True)
    print(file.status, file.rows, file.created, file.rejected, peak() - before)
measure(b"P0,A,B,\\n", 10, b"P1,Emma,Brown,\\n")
"""


def measured(program: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", f"import django; django.setup()\n{MEASURE}\n{program}"],
        env=environment(),
        cwd=PROJECT,
        capture_output=True,
        check=True,
        timeout=300,
    )
    return done.stdout.decode().splitlines()[-1].split()


@pytest.mark.django_db(transaction=True)
def test_a_line_of_a_gigabyte_is_rejected_in_bounded_memory() -> None:
    *ledger, grown = measured(
        "measure(b'x' * (1 << 20), 1024, b'\\nP1,Emma,Brown,\\n')"  # 1 GiB
    )

    assert ledger == ["ingested", "2", "1", "1"]
    assert int(grown) < 60  # MiB


@pytest.mark.django_db(transaction=True)
def test_many_lines_of_a_megabyte_each_are_held_a_few_at_a_time() -> None:
    *ledger, grown = measured("measure(b'P1,' + b'x' * 900_000 + b',Brown,\\n', 300, b'')")

    assert ledger == ["ingested", "300", "1", "0"]
    assert int(grown) < 120  # MiB; all of them together are 257


# --- Names and times ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "key"),
    [
        (b"caf\xe9 \xff.csv", "caf\\xe9 \\xff.csv"),
        ("Überweisung – נועה.csv".encode(), "Überweisung – נועה.csv"),
        (b"two\nlines\x1b[2J.csv", "two\nlines\x1b[2J.csv"),
        (b"; DROP TABLE '\"%s%%.csv", "; DROP TABLE '\"%s%%.csv"),
        (b"-rf", "-rf"),
    ],
)
def test_a_file_of_any_name_is_ingested_and_told_on_one_line(
    tmp_path: Path, name: bytes, key: str
) -> None:
    path = tmp_path / os.fsdecode(name)
    path.write_bytes(EMMA)
    os.utime(path, (NOON.timestamp(), NOON.timestamp()))

    told = run("ingest", tmp_path)
    again = run("ingest", tmp_path, "--json")

    assert FeedFile.objects.get().key == key
    assert told.code == 0
    assert told.out.count("\n") == 2
    assert "\x1b" not in told.out
    assert [file["key"] for file in again.answer["files"]] == [key]


@pytest.fixture
def anytime(tmp_path: Path) -> Iterator[Path]:
    """A folder in memory, where there is one: it keeps any time that a file is given."""
    memory = Path("/dev/shm")
    folder = tempfile.mkdtemp(dir=memory if memory.is_dir() else tmp_path)
    yield Path(folder)
    shutil.rmtree(folder)


@pytest.mark.parametrize(
    ("mtime", "expected"),
    [
        (-(10**15), datetime(1900, 1, 1, tzinfo=UTC)),
        (-10_000_000_000, datetime(1900, 1, 1, tzinfo=UTC)),
        (0, datetime(1970, 1, 1, tzinfo=UTC)),
        (-1, datetime(1969, 12, 31, 23, 59, 59, tzinfo=UTC)),
    ],
)
@pytest.mark.skipif(not Path("/dev/shm").is_dir(), reason="no disk that keeps any time")
def test_a_file_of_any_past_time_is_ingested(anytime: Path, mtime: int, expected: datetime) -> None:
    (anytime / "a.csv").write_bytes(PATIENTS + b"P1,Emma,Brown,\n")
    os.utime(anytime / "a.csv", (mtime, mtime))

    assert run("ingest", anytime).code == 0
    assert FeedFile.objects.get().source_time == expected


@pytest.mark.parametrize("years", [1, 400, 200_000])
def test_a_file_of_a_time_that_is_still_to_come_is_refused(anytime: Path, years: int) -> None:
    (anytime / "a.csv").write_bytes(EMMA)
    then = int((NOON + timedelta(days=1)).timestamp()) + (years - 1) * 31_556_952
    os.utime(anytime / "a.csv", (then, then))

    assert run("ingest", anytime).code == 1
    assert FeedFile.objects.get().refusal == "from_the_future"


@pytest.mark.parametrize("stamp", ["0001-01-01T00-00-00Z", "1066-10-14T09-00-00Z"])
def test_a_stamp_of_long_ago_is_a_time_like_any_other(stamp: str) -> None:
    file = take(PATIENTS + b"P1,Emma,Brown,\n", key=f"{stamp}.csv").file

    assert (file.status, file.created) == (FileStatus.INGESTED, 1)


# --- Folders ------------------------------------------------------------------------------


def test_a_folder_of_many_files_is_ingested_whole(tmp_path: Path) -> None:
    for number in range(200):
        (tmp_path / f"{number}-20250320T1100{number % 60:02}Z.csv").write_bytes(
            PATIENTS + f"P{number},Emma,Brown,\n".encode()
        )

    done = run("ingest", tmp_path, "--json")

    assert done.code == 0
    assert len(done.answer["files"]) == 200
    assert [file["created"] for file in done.answer["files"]] == [1] * 200
    assert unbalanced_files() == []


def test_what_is_hidden_or_in_the_making_is_left_alone(tmp_path: Path) -> None:
    for name in (".a.csv", "b.csv.part", "c.TMP", "d.csv"):
        (tmp_path / name).write_bytes(EMMA)
    (tmp_path / ".hidden").mkdir()
    (tmp_path / ".hidden" / "e.csv").write_bytes(EMMA)

    assert [each["key"] for each in run("ingest", tmp_path, "--json").answer["files"]] == ["d.csv"]


def test_a_pipe_in_a_folder_is_told_of_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.csv")
    (tmp_path / "a.csv").write_bytes(EMMA)

    done = run("ingest", tmp_path, "--json")

    assert (done.code, len(done.answer["files"])) == (1, 1)
    assert done.err == f"{tmp_path}/pipe.csv: Not a regular file\n"


@pytest.fixture
def for_all() -> Iterator[Path]:
    with a_folder_for_all() as folder:
        yield folder


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_what_a_user_may_not_read_is_told_of_and_the_rest_is_ingested(for_all: Path) -> None:
    (for_all / "20250320T100000Z.csv").write_bytes(EMMA)
    (for_all / "secret-20250320T110000Z.csv").write_bytes(EMMA)
    (for_all / "secret-20250320T110000Z.csv").chmod(0)
    (for_all / "locked").mkdir(mode=0)

    with as_nobody():
        done = run("ingest", for_all, "--json")

    assert done.code == 1
    assert [(one["key"], one["status"], one["reason"]) for one in done.answer["files"]] == [
        ("20250320T100000Z.csv", "ingested", None),
        (
            "secret-20250320T110000Z.csv",
            "refused",
            REASON.format("Permission denied"),
        ),
    ]
    assert done.err == f"{for_all}/locked: Permission denied\n"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_a_folder_that_a_user_may_not_enter_is_told_of(for_all: Path) -> None:
    for_all.chmod(0o711)
    with as_nobody():
        done = run("ingest", for_all, "--json")

    assert (done.code, done.answer) == (1, {"files": []})
    assert done.err == f"{for_all}: Permission denied\n"
