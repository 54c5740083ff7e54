"""The books: which files came, what became of each of their rows.

Knows feeds, files with the ledgers of their readings, and the rows and values that could not be
trusted.
Must not know what a patient is. Written by ingestion.services alone; an operator may edit
what a Feed declares about itself.
"""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import MD5

from ingestion.choices import (
    FileStatus,
    FlawReason,
    FoundBy,
    RecordKind,
    RefusalReason,
    RejectReason,
    RowOutcome,
    Settlement,
    WaitReason,
)
from ingestion.models.fields import LinesField
from ops.models import remembers

LEDGER_COLUMNS = ("created", "updated", "unchanged", "superseded", "waiting", "rejected")


def _balances() -> Q:
    """Rows are the sum of the other columns."""
    total = F(LEDGER_COLUMNS[0])
    for name in LEDGER_COLUMNS[1:]:
        total = total + F(name)  # type: ignore[assignment]
    return Q(rows=total)


# What a feed declared before it was changed: an earlier moment is judged by what held then.
@remembers("FeedBefore", fields=["interval_minutes", "retired_at", "encoding", "is_day_first"])
class Feed(models.Model):
    """One supplier's stream of files: a source together with a layout.

    Made by the first file that fits, or beforehand by an operator who must declare an
    encoding or an order of day and month. Holds no personal data.
    """

    source = models.CharField(
        max_length=255, help_text="Inbox sub-folder or bucket; 'local' for the command line."
    )
    layout = models.CharField(max_length=64, help_text="For example lis.lab_tests.")
    interval_minutes = models.PositiveIntegerField(
        null=True,
        blank=True,
        help_text="The feed is silent when its newest file is older than this. Empty: the default.",
    )
    encoding = models.CharField(
        max_length=32,
        blank=True,
        default="",
        help_text="For example cp1255. Empty: UTF-8, or UTF-16 with a byte-order mark.",
    )
    is_day_first = models.BooleanField(
        default=False, help_text="Dates with slashes are D/M/YYYY instead of M/D/YYYY."
    )
    retired_at = models.DateTimeField(
        null=True,
        blank=True,
        help_text="From then on no rule rests on this feed: its silence means nothing.",
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["source", "layout"], name="one_feed_per_source_and_layout"
            )
        ]
        ordering = ["layout", "source"]

    def __str__(self) -> str:
        return f"{self.layout} · {self.source}"

    @property
    def system(self) -> str:
        """PMS or LIS: the first part of the layout's name."""
        return self.layout.partition(".")[0].upper()


class ColumnSet(models.Model):
    """The columns that a statement made about one record: a column not in it says nothing.

    `attributes` are the record's attributes which these columns state.
    """

    kind = models.CharField(max_length=16, choices=RecordKind.choices)
    columns = ArrayField(models.TextField())
    attributes = ArrayField(models.TextField())
    # Unique by this and not by the lists: a broad header would not fit into an index.
    digest = models.CharField(max_length=64, unique=True)

    def __str__(self) -> str:
        return f"{self.kind}: {', '.join(self.columns)}"


class FeedFile(models.Model):
    """One object version received, with the ledger of its latest reading.

    Received, then ingested with a balanced ledger or refused with its reason; there is no
    fourth state. Object names are the hospital's and are kept as they are. A worker claims a file
    by a lock of its session: the claim ends with the worker.
    """

    bucket = models.CharField(max_length=255)
    key = models.TextField()
    version = models.CharField(
        max_length=1100, help_text="Version id, ETag or SHA-256 of the content."
    )
    content = models.CharField(
        max_length=64,
        blank=True,
        default="",
        db_default="",
        help_text="SHA-256 of what was read.",
    )
    found_by = models.CharField(
        max_length=16,
        choices=FoundBy.choices,
        default=FoundBy.COMMAND,
        db_default=FoundBy.COMMAND,
        help_text="What told of it first.",
    )
    reading = models.PositiveSmallIntegerField(
        default=0,
        db_default=0,
        help_text="Number of the reading whose ledger this is. 0: not read yet.",
    )
    source = models.CharField(max_length=255)
    feed = models.ForeignKey(
        Feed, null=True, blank=True, on_delete=models.PROTECT, related_name="files"
    )
    status = models.CharField(
        max_length=16, choices=FileStatus.choices, default=FileStatus.RECEIVED
    )
    refusal = models.CharField(max_length=32, blank=True, default="", choices=RefusalReason.choices)
    reason = models.TextField(
        blank=True, default="", help_text="Why it was refused, in a sentence."
    )
    last_modified = models.DateTimeField()
    source_time = models.DateTimeField()
    received_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True, blank=True)
    size = models.BigIntegerField()
    attempts = models.PositiveSmallIntegerField(default=0)
    failures = models.PositiveSmallIntegerField(
        default=0, db_default=0, help_text="Attempts that ended in an error nobody foresaw."
    )
    rows = models.PositiveIntegerField(default=0)
    created = models.PositiveIntegerField(default=0)
    updated = models.PositiveIntegerField(default=0)
    unchanged = models.PositiveIntegerField(default=0)
    superseded = models.PositiveIntegerField(default=0)
    waiting = models.PositiveIntegerField(default=0)
    rejected = models.PositiveIntegerField(default=0)
    flaws = models.PositiveIntegerField(default=0)
    is_possibly_cut = models.BooleanField(default=False, help_text="The last line has no line end.")
    is_comeback = models.BooleanField(
        default=False, help_text="The same content came before and was superseded in between."
    )
    dismissed_at = models.DateTimeField(
        null=True, blank=True, help_text="Refused, and an operator said that it is no work."
    )
    dismissed_by = models.CharField(max_length=150, blank=True, default="", db_default="")
    dismissed_why = models.TextField(blank=True, default="", db_default="")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["bucket", "key", "version"], name="one_file_per_object_version"
            ),
            models.CheckConstraint(name="ledger_balances", condition=_balances()),
            models.CheckConstraint(
                name="only_ingested_files_have_rows",
                condition=Q(status=FileStatus.INGESTED) | Q(rows=0, flaws=0),
            ),
            models.CheckConstraint(
                name="refused_files_say_why",
                condition=~Q(status=FileStatus.REFUSED) | (~Q(refusal="") & ~Q(reason="")),
            ),
            models.CheckConstraint(
                name="ingested_files_have_a_feed",
                condition=~Q(status=FileStatus.INGESTED)
                | Q(feed__isnull=False, finished_at__isnull=False),
            ),
            models.CheckConstraint(
                name="a_dismissed_file_says_who_and_why",
                condition=Q(dismissed_at__isnull=True) | ~Q(dismissed_by="") & ~Q(dismissed_why=""),
            ),
        ]
        indexes = [
            models.Index(
                fields=["feed", "-source_time"],
                name="newest_ingested_of_feed",
                condition=Q(status=FileStatus.INGESTED),
            ),
            models.Index(
                fields=["source_time", "id"],
                name="files_still_to_be_done",
                condition=Q(status=FileStatus.RECEIVED),
            ),
            models.Index(fields=["status", "-received_at"], name="files_by_status"),
            models.Index(fields=["version"], name="files_by_content"),
            models.Index(fields=["content"], name="files_by_digest"),
            models.Index(fields=["finished_at"], name="files_by_end"),
        ]
        ordering = ["-received_at", "-id"]

    def __str__(self) -> str:
        return f"{self.bucket}/{self.key}"

    @property
    def ledger(self) -> dict[str, int]:
        """Rows and the columns that they add up from."""
        return {"rows": self.rows, **{name: getattr(self, name) for name in LEDGER_COLUMNS}}


class Reading(models.Model):
    """One attempt to take in a file, the first or a replay, with the ledger of its rows.

    A file's own ledger is that of its latest reading that ended as ingested; a replay that is
    refused leaves it as it was. `lines_*` say of each line in which column it is: together they
    are every row of the file, and no line is in two. They are NULL for readings from before they
    were kept. `asked_by` and `why` are those of the operator who asked for a replay.
    """

    feed_file = models.ForeignKey(FeedFile, on_delete=models.PROTECT, related_name="readings")
    number = models.PositiveSmallIntegerField()
    status = models.CharField(max_length=16, choices=FileStatus.choices)
    refusal = models.CharField(max_length=32, blank=True, default="", choices=RefusalReason.choices)
    reason = models.TextField(blank=True, default="")
    asked_by = models.CharField(max_length=150, blank=True, default="")
    why = models.TextField(blank=True, default="")
    finished_at = models.DateTimeField()
    rows = models.PositiveIntegerField(default=0)
    created = models.PositiveIntegerField(default=0)
    updated = models.PositiveIntegerField(default=0)
    unchanged = models.PositiveIntegerField(default=0)
    superseded = models.PositiveIntegerField(default=0)
    waiting = models.PositiveIntegerField(default=0)
    rejected = models.PositiveIntegerField(default=0)
    flaws = models.PositiveIntegerField(default=0)
    lines_created = LinesField(null=True)
    lines_updated = LinesField(null=True)
    lines_unchanged = LinesField(null=True)
    lines_superseded = LinesField(null=True)
    lines_waiting = LinesField(null=True)
    lines_rejected = LinesField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["feed_file", "number"], name="readings_are_numbered"),
            models.CheckConstraint(name="ledger_of_reading_balances", condition=_balances()),
            models.CheckConstraint(
                name="a_reading_ends",
                condition=Q(status=FileStatus.INGESTED, refusal="")
                | Q(status=FileStatus.REFUSED, rows=0, flaws=0) & ~Q(refusal="") & ~Q(reason=""),
            ),
        ]
        indexes = [models.Index(fields=["finished_at"], name="readings_by_end")]
        ordering = ["-feed_file_id", "-number"]

    def __str__(self) -> str:
        return f"reading {self.number} of {self.feed_file}"

    @property
    def ledger(self) -> dict[str, int]:
        """Rows and the columns that they add up from."""
        return {"rows": self.rows, **{name: getattr(self, name) for name in LEDGER_COLUMNS}}


class LateVersion(models.Model):
    """A version that came when the record already held a later one of all that it states.

    It changed nothing but is on record: the history of a record is what it held, and this. Holds
    the personal data that the line stated. `known_at`: when it became known here.
    """

    kind = models.CharField(max_length=16, choices=RecordKind.choices)
    identity = ArrayField(models.TextField())
    # As with records: not checked row by row in a bulk load. `manage.py books` does.
    feed_file = models.ForeignKey(
        FeedFile, on_delete=models.DO_NOTHING, db_constraint=False, db_index=False, related_name="+"
    )
    line = models.PositiveIntegerField()
    column_set = models.ForeignKey(
        ColumnSet,
        on_delete=models.DO_NOTHING,
        db_constraint=False,
        db_index=False,
        related_name="+",
    )
    outcome = models.CharField(max_length=16, choices=RowOutcome.choices)
    stated = models.JSONField(help_text="The attributes and what the line said they were.")
    known_at = models.DateTimeField()

    class Meta:
        indexes = [
            models.Index(fields=["kind", "identity"], name="late_versions_of_record"),
            models.Index(fields=["feed_file", "line"], name="late_versions_of_file"),
        ]
        ordering = ["known_at", "id"]

    def __str__(self) -> str:
        return f"{self.kind}, late, line {self.line}"


# What a row was before an operator or a later version settled it.
@remembers("RejectedRowBefore", fields=["settled_at", "settlement", "settled_by", "settled_why"])
class RejectedRow(models.Model):
    """A line that cannot be trusted, as it came. The raw text may hold personal data.

    Settled once a later version of the same record has been applied, an operator dismisses it with
    a reason, or its file is replayed: then the new reading speaks. It stays in the ledger of its
    reading for ever.
    """

    feed_file = models.ForeignKey(FeedFile, on_delete=models.PROTECT, related_name="rejected_rows")
    reading = models.PositiveSmallIntegerField(default=1, db_default=1)
    line = models.PositiveIntegerField()
    raw = models.TextField()
    raw_removed_at = models.DateTimeField(
        null=True,
        blank=True,
        help_text="When its text was removed, because its time was over. The row stays.",
    )
    reason = models.CharField(max_length=32, choices=RejectReason.choices)
    column = models.TextField(blank=True, default="")
    department = models.TextField(blank=True, default="", help_text="Where the row itself tells.")
    settled_at = models.DateTimeField(null=True, blank=True)
    settlement = models.CharField(
        max_length=16, blank=True, default="", db_default="", choices=Settlement.choices
    )
    settled_by = models.CharField(max_length=150, blank=True, default="", db_default="")
    settled_why = models.TextField(blank=True, default="", db_default="")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["feed_file", "reading", "line"], name="a_line_is_rejected_once_a_reading"
            ),
            models.CheckConstraint(
                name="a_dismissal_says_who_and_why",
                condition=~Q(settlement=Settlement.DISMISSED)
                | ~Q(settled_by="") & ~Q(settled_why="") & Q(settled_at__isnull=False),
            ),
        ]
        indexes = [
            models.Index(
                fields=["feed_file"],
                name="unsettled_rejected_rows",
                condition=Q(settled_at__isnull=True),
            )
        ]
        ordering = ["-feed_file_id", "line"]

    def __str__(self) -> str:
        return f"line {self.line}: {self.reason}"


class RejectedSubject(models.Model):
    """One record that a rejected row spoke of, as far as its identity could be read."""

    rejected_row = models.ForeignKey(RejectedRow, on_delete=models.CASCADE, related_name="subjects")
    kind = models.CharField(max_length=16, choices=RecordKind.choices)
    identity = ArrayField(models.TextField())
    column_set = models.ForeignKey(ColumnSet, on_delete=models.PROTECT)
    is_settled = models.BooleanField(default=False)

    class Meta:
        indexes = [
            models.Index(
                fields=["kind", "identity"],
                name="unsettled_subjects",
                condition=Q(is_settled=False),
            )
        ]

    def __str__(self) -> str:
        return f"{self.kind} of {self.rejected_row}"


class Flaw(models.Model):
    """A value that could not be trusted, in a row that was applied without it."""

    feed_file = models.ForeignKey(FeedFile, on_delete=models.PROTECT, related_name="flaw_rows")
    reading = models.PositiveSmallIntegerField(default=1, db_default=1)
    line = models.PositiveIntegerField()
    column = models.TextField()
    reason = models.CharField(max_length=32, choices=FlawReason.choices)
    value = models.TextField()

    class Meta:
        ordering = ["-feed_file_id", "line"]

    def __str__(self) -> str:
        return f"line {self.line}, {self.column}: {self.reason}"


class WaitingRow(models.Model):
    """A line whose parent had not come when it was read, and what became of it.

    The record that it speaks of is on record already, without its parent: when the parent
    comes, that record is linked and this line is marked as applied.
    """

    feed_file = models.ForeignKey(FeedFile, on_delete=models.PROTECT, related_name="waiting_rows")
    reading = models.PositiveSmallIntegerField(default=1, db_default=1)
    line = models.PositiveIntegerField()
    kind = models.CharField(max_length=16, choices=RecordKind.choices)
    identity = ArrayField(models.TextField())
    reason = models.CharField(max_length=16, choices=WaitReason.choices)
    waiting_since = models.DateTimeField()
    applied_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["feed_file", "reading", "line"], name="a_line_waits_once_a_reading"
            )
        ]
        indexes = [
            models.Index(
                fields=["kind", "identity"],
                name="rows_still_waiting",
                condition=Q(applied_at__isnull=True),
            )
        ]
        ordering = ["waiting_since", "id"]

    def __str__(self) -> str:
        return f"line {self.line} waits for its {self.reason}"


class Drift(models.Model):
    """Something in a layout that its declaration does not know, reported once."""

    class Kind(models.TextChoices):
        """What drifted."""

        UNKNOWN_COLUMN = "unknown_column"
        MISSING_OPTIONAL = "missing_optional"
        UNLISTED_STATUS = "unlisted_status"

    layout = models.CharField(max_length=64)
    kind = models.CharField(max_length=32, choices=Kind.choices)
    name = models.TextField()
    first_seen_in = models.ForeignKey(FeedFile, on_delete=models.PROTECT)
    first_seen_at = models.DateTimeField()

    class Meta:
        constraints = [
            # By its hash: a name of any length must fit into the index, or its file never would.
            models.UniqueConstraint("layout", "kind", MD5("name"), name="drift_is_reported_once")
        ]
        ordering = ["-first_seen_at"]

    def __str__(self) -> str:
        return f"{self.layout}: {self.kind} {self.name}"


class ChangeCounter(models.Model):
    """One row that counts every committed change which a screen could show.

    A table and not a sequence: a reader must never see the new count beside the old data.
    """

    count = models.BigIntegerField(default=0)

    def __str__(self) -> str:
        return str(self.count)
