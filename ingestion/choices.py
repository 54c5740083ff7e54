"""The words of ingestion: kinds, reasons and outcomes, as they are stored, counted and shown.

Knows only words. What makes a row deserve one of them is told by `csvrows`, `layouts` and
`judging`.
"""

from django.db.models import TextChoices


class RecordKind(TextChoices):
    """What a row speaks of."""

    PATIENT = "patient", "Patient"
    ADMISSION = "admission", "Admission"
    LAB_TEST = "lab_test", "Lab test"
    LAB_RESULT = "lab_result", "Lab result"


class RejectReason(TextChoices):
    """Why a row cannot be trusted; nothing of it is applied. Stands in the order of the feed
    contract's table.
    """

    ENCODING = "encoding", "Bytes that the encoding does not allow"
    RESERVED = "reserved", "What only smoke tests may say, or what they may not"
    QUOTE = "quote", "A quote that is not closed as it must be"
    COLUMNS = "columns", "More or fewer fields than the header"
    BAD_DATE = "bad_date", "Not a date"
    BAD_TIME = "bad_time", "Not a time"
    MISSING = "missing", "A vital value is missing"
    TOO_LONG = "too_long", "Too long"
    FUTURE = "future", "After the file's source time"
    IMPLAUSIBLE = "implausible", "Not a plausible time"


class FlawReason(TextChoices):
    """Why one value counts as missing in a row that was applied."""

    RESERVED = "reserved", "What only smoke tests may say"
    BAD_DATE = "bad_date", "Not a date"
    BAD_TIME = "bad_time", "Not a time"
    TOO_LONG = "too_long", "Too long"
    IMPLAUSIBLE = "implausible", "Not a plausible time"
    RELEASE_BEFORE_ADMISSION = "release_before_admission", "The release is before the admission"


class RefusalReason(TextChoices):
    """Why a file is refused whole, nothing of it applied."""

    NO_HEADER = "no_header", "No header row"
    UNKNOWN_ENCODING = "unknown_encoding", "The feed declares an encoding that is not known"
    UNKNOWN_LAYOUT = "unknown_layout", "No layout fits the header"
    DUPLICATE_COLUMN = "duplicate_column", "The header names a column twice"
    FOREIGN_COLUMN = "foreign_column", "The header holds a column of another layout"
    FROM_THE_FUTURE = "from_the_future", "The source time is after the clock"
    RESERVED = "reserved", "Not a smoke test's, in the source reserved for those"
    VANISHED = "vanished", "The file vanished while it was read"
    UNREADABLE = "unreadable", "The file cannot be read"

    @property
    def is_permanent(self) -> bool:
        """Whether reading the same file again must end the same way."""
        return self not in (RefusalReason.VANISHED, RefusalReason.UNREADABLE)


class WaitReason(TextChoices):
    """Which parent a waiting row waits for."""

    PATIENT = "patient", "Its patient is not known yet"
    TEST = "test", "Its test is not known yet"
    AMBIGUOUS_TEST = "ambiguous_test", "Tests of several patients bear its test number"


class FileStatus(TextChoices):
    """How far a file has come."""

    RECEIVED = "received", "Still to be done"
    INGESTED = "ingested", "Ingested"
    REFUSED = "refused", "Refused"


class FoundBy(TextChoices):
    """What told of a file first."""

    LOOKOUT = "lookout", "The lookout over the inbox folder"
    NOTICE = "notice", "A notice of the storage"
    SWEEP = "sweep", "The sweep, of which no notice told"
    COMMAND = "command", "The command line"
    RESTORE = "restore", "The look at what is kept, after a restore"


class Settlement(TextChoices):
    """How a rejected row left the work list."""

    OVERTAKEN = "overtaken", "A later version of its record was applied"
    DISMISSED = "dismissed", "An operator dismissed it"
    REPLAYED = "replayed", "Its file was read again"


class ConflictKind(TextChoices):
    """Which identifier several patients' records bear."""

    TEST_ID = "test_id", "Test number"
    CASE_NUMBER = "case_number", "Case number"


class RowOutcome(TextChoices):
    """The ledger's columns, in the contract's order: a combined row counts under the first that
    fits.
    """

    CREATED = "created", "Created"
    UPDATED = "updated", "Updated"
    UNCHANGED = "unchanged", "Unchanged"
    SUPERSEDED = "superseded", "Superseded"
    WAITING = "waiting", "Waiting"
    REJECTED = "rejected", "Rejected"
