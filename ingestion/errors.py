"""What can go wrong with a whole file, or with a notice of one. Each error says whether trying
again can help.

Messages are for people and for logs: none of them may hold a value or a header name taken from a
file, since a file without a header has patients where its header should be.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ops.errors import OpsError

if TYPE_CHECKING:
    from ingestion.choices import RefusalReason


class FileRefused(Exception):
    """The file is refused whole, nothing of it applied; `detail` is a sentence for the person who
    must mend it.
    """

    def __init__(self, reason: RefusalReason, detail: str) -> None:
        super().__init__(reason, detail)
        self.reason = reason
        self.detail = detail

    def __str__(self) -> str:
        return self.detail

    @property
    def is_permanent(self) -> bool:
        """Whether reading the same file again must end the same way."""
        return self.reason.is_permanent


class TimeZoneNotSet(OpsError):
    """A time without offset was met and nobody has said in which zone the hospital lives."""

    is_permanent = False

    def __init__(self) -> None:
        super().__init__(
            "The file holds times without an offset. Set HOSPITAL_TIME_ZONE to the hospital's"
            " IANA time zone, for example Europe/Berlin, and ingest it again."
        )


class NotCarriedOut(OpsError):
    """An operator's act that cannot be done as things stand; nothing was changed. Says why."""

    is_permanent = True


class NoticeNotUnderstood(Exception):
    """A message or an event that is not what a bucket sends; the sentence never repeats it."""

    is_permanent = True


class SourceNotDeclared(Exception):
    """A notice of an object where no source is declared: nobody has said whose it is."""

    is_permanent = False

    def __init__(self) -> None:
        super().__init__(
            "A notice tells of an object in a place that no source is declared for. Declare it in"
            " HOSPITAL_BUCKETS, or let the bucket's notifications leave it out."
        )
