"""Each object put into a bucket is ingested or refused, whatever becomes of its notices.

Drawn: what is put, overwritten and deleted, and which notices come twice, late, or never, with
workers at it in between. Then the sweep comes, as it does every few minutes.
"""

from __future__ import annotations

import random
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
import time_machine

from ingestion.models import FeedFile
from ingestion.notices import Notice, s3_event
from ingestion.services.books import books
from ingestion.services.draining import drain
from ingestion.services.listening import Listener
from ingestion.services.reconciling import reconcile
from ingestion.storage import NoticeQueue, Places
from tests.deliveries import NOON
from tests.ingestion.clouds import Cloud, a_cloud, people

BUCKET = "hospital-pms"
KEYS = (
    "a.csv",
    "a b+ü%2B.csv",
    "deep/er/עברית.csv",
    "a-2025-03-20T05-20-00Z.csv",
    "a%2Db.csv",
)
CONTENTS = (
    people("P1,Emma,Brown,"),
    people("P1,Emma,Green,", "P2,Otto,Fox,"),
    b"no,layout,fits\n1,2,3\n",
    b"",
)
pytestmark = pytest.mark.usefixtures("at_noon")


class Story:
    """One drawn story of a bucket, and what is true of it at its end."""

    def __init__(self, cloud: Cloud, draw: random.Random, clock: time_machine.Traveller) -> None:
        self.cloud = cloud
        self.draw = draw
        self.clock = clock
        self.queue = cloud.queue()
        self.put: list[tuple[str, str]] = []
        self.held_back: list[Notice] = []
        self.listener = Listener(NoticeQueue(self.queue), Places.from_settings())

    def play(self, steps: int) -> None:
        for _ in range(steps):
            self.draw.choice((self._put, self._put, self._delete, self._listen, self._late))()
            self.clock.shift(self.draw.choice((0, 1, 5)))

    def end(self) -> None:
        """All notices that are not lost have come, the sweep too, and the workers are done."""
        while self.cloud.waiting(self.queue):
            self.listener.listen(wait_seconds=0)
        self.clock.shift(120)
        reconcile(Places.from_settings(), now=datetime.now(UTC))
        drain()

    def there(self) -> list[tuple[str, str, datetime]]:
        """What lies in the bucket: key, version and time of each."""
        listed = self.cloud.s3.list_object_versions(Bucket=BUCKET).get("Versions", [])
        return [
            (
                one["Key"],
                one["ETag"] if one["VersionId"] == "null" else one["VersionId"],
                one["LastModified"],
            )
            for one in listed
        ]

    def _put(self) -> None:
        key, content = self.draw.choice(KEYS), self.draw.choice(CONTENTS)
        version = self.cloud.put(BUCKET, key, content)
        self.put.append((key, version))
        is_etag = version.startswith('"')
        told = Notice(
            BUCKET,
            key,
            "" if is_etag else version,
            version if is_etag else "",
            len(content),
            datetime.now(UTC),
        )
        for _ in range(self.draw.choice((0, 0, 1, 1, 2))):
            self._tell(told)
        if self.draw.random() < 0.3:
            self.held_back.append(told)

    def _delete(self) -> None:
        if self.put:
            key, version = self.draw.choice(self.put)
            if version.startswith('"') or self.draw.random() < 0.5:
                self.cloud.s3.delete_object(Bucket=BUCKET, Key=key)
            else:
                self.cloud.s3.delete_object(Bucket=BUCKET, Key=key, VersionId=version)

    def _late(self) -> None:
        self.draw.shuffle(self.held_back)
        if self.held_back:
            self._tell(self.held_back.pop())

    def _listen(self) -> None:
        self.listener.listen(wait_seconds=0)
        if self.draw.random() < 0.5:
            drain()

    def _tell(self, told: Notice) -> None:
        self.cloud.send(self.queue, s3_event(told, name="ObjectCreated:Put"))


@pytest.mark.parametrize("has_versions", [True, False], ids=["versions", "no versions"])
@pytest.mark.parametrize("seed", range(4))
def test_each_object_that_is_there_is_ingested_or_refused_for_what_is_in_it(
    seed: int, at_noon: time_machine.Traveller, *, has_versions: bool
) -> None:
    with a_cloud() as cloud:
        cloud.bucket(BUCKET, has_versions=has_versions)
        story = Story(cloud, random.Random(f"{seed} {has_versions}"), at_noon)
        story.play(60)
        story.end()
        there = story.there()

    assert len(there) > 0
    files = list(FeedFile.objects.all())
    assert Counter(file.status for file in files)["received"] == 0
    assert books()["balanced"] is True
    for key, version, at in there:
        stamped = "2025-03-20" in key
        (file,) = (
            file
            for file in files
            if file.key == key
            and file.version.partition("@")[0] == version
            and (stamped or file.source_time == at)
        )
        assert file.refusal in ("", "unknown_layout", "no_header"), (key, version)
    known = {(file.key, file.version.partition("@")[0]) for file in files}
    assert known <= set(story.put)
    # What is gone was ingested before, or is refused as vanished: never both, never twice.
    assert len({(file.key, file.version) for file in files}) == len(files)
    gone = {(file.key, file.version) for file in files if file.refusal == "vanished"}
    assert gone.isdisjoint((key, version) for key, version, _ in there)
    assert {file.source_time for file in files} <= {
        NOON + timedelta(seconds=each) for each in range(1000)
    } | {NOON.replace(hour=5, minute=20)}
