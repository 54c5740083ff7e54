"""Which rows beside the trail its own lines vouch for: archives, and signed reviews.

Knows that a row in a table proves nothing by itself. Must change nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta

from django.conf import settings
from django.db.models import Sum

from ops.chain import NoSeal, Row, plain, row_of
from ops.models import AuditArchive, AuditEvent, AuditReview, AuditSeal
from ops.services.kept_seals import Kept, Seal, open_seal
from ops.storage import UNREACHABLE

ARCHIVED = "trail.archived"
REVIEWED = "trail.reviewed"


@dataclass(frozen=True)
class Vouched:
    """The seals whose events may be gone, and the archives that nothing vouches for."""

    ranges: tuple[tuple[int, int], ...]
    refused: tuple[str, ...]

    def holds(self, number: int) -> bool:
        """Tell whether the events of a seal may have left the table."""
        return any(first <= number <= last for first, last in self.ranges)


def vouched_archives() -> Vouched:
    """Believe an archive that a sealed act says the same of, if its seals were old enough then."""
    ranges, refused = [], []
    for archive in AuditArchive.objects.order_by("pk"):
        if (amiss := _amiss(archive)) is None:
            ranges.append((archive.first_seal, archive.last_seal))
        else:
            refused.append(f"archive {archive.pk} {amiss}: its seals are verified as if it were not"
                           " there")  # fmt: skip
    return Vouched(tuple(ranges), tuple(refused))


def what_a_review_says(review: AuditReview) -> Row:
    """Give what is signed, as its act has it; the note is the act's reason."""
    return {
        "period_from": plain(review.period_from),
        "period_to": plain(review.period_to),
        "signed_at": plain(review.signed_at),
        "events": review.events,
        "unsealed": review.unsealed,
        "verification": review.verification_id,
        "state": review.state,
    }


def unvouched_reviews(archived: Sequence[Row], *, spare_archived: bool) -> Iterator[str]:
    """Name the reviews of which no act on the trail says the same.

    `archived` are the acts of signing in seals whose events have left the table. Where not all of
    those were read, a review is spared that is older than the oldest event in the table.
    """
    oldest = AuditEvent.objects.order_by("at").values_list("at", flat=True).first()
    for review in AuditReview.objects.order_by("pk").iterator(chunk_size=500):
        if any(_says_the_same(row, review) for row in (*_acts_of(review), *archived)):
            continue
        if spare_archived and oldest is not None and review.signed_at < oldest:
            continue
        yield (
            f"review {review.pk} of {plain(review.period_from)} to {plain(review.period_to)},"
            f" signed by {review.signed_by}, is vouched for by no act on the trail that says the"
            " same: it was put in or changed"
        )


def _acts_of(review: AuditReview) -> Iterable[Row]:
    acts = AuditEvent.objects.filter(act=REVIEWED, object_key=str(review.pk))
    names = ("act", "object_kind", "object_key", "who", "why", "details")
    return [row_of(event, names) for event in acts]


def _says_the_same(row: Row, review: AuditReview) -> bool:
    # Acts of an earlier version named the reviewer and the note alone.
    return (
        row["act"] == REVIEWED
        and row["object_kind"] == "audit review"
        and row["object_key"] == str(review.pk)
        and (row["who"], row["why"]) == (review.signed_by, review.note)
        and row["details"] in ({}, what_a_review_says(review))
    )


def _amiss(archive: AuditArchive) -> str | None:
    """Say why an archive is not believed; None where it is."""
    acts = AuditEvent.objects.filter(
        act=ARCHIVED, object_key=str(archive.pk), sealed__isnull=False
    ).select_related("sealed__seal")
    said = [
        sealed for event in acts if (sealed := _as_sealed(event.pk, event.sealed.seal)) is not None
    ]
    fitting = [seal for seal, row in said if _is_of(row, archive)]
    if not fitting:
        return "is vouched for by no sealed act"
    seals = AuditSeal.objects.filter(number__range=(archive.first_seal, archive.last_seal))
    last = seals.order_by("-at").first()
    if last is None or (seals.aggregate(all=Sum("count"))["all"] or 0) != archive.events:
        return "names other events than its seals hold"
    least = timedelta(days=settings.AUDIT_KEEP_DAYS)
    if not any(last.at <= seal.header.at - least for seal in fitting):
        return f"took events out that were not {settings.AUDIT_KEEP_DAYS} days old"
    return None


def _as_sealed(key: int, seal: AuditSeal) -> tuple[Seal, Row] | None:
    """Read an event from its seal's object, whatever the table says of it."""
    try:
        opened = open_seal(Kept(seal.number, seal.hash, seal.place))
    except (NoSeal, *UNREACHABLE):
        return None
    rows = [row for row in opened.rows if row["id"] == key]
    return (opened, rows[0]) if rows else None


def _is_of(row: Row, archive: AuditArchive) -> bool:
    return (
        row["act"] == ARCHIVED
        and row["object_kind"] == "audit archive"
        and row["object_key"] == str(archive.pk)
        and (row["who"], row["why"]) == (archive.by, archive.why)
        and row["details"]
        == {
            "first_seal": archive.first_seal,
            "last_seal": archive.last_seal,
            "events": archive.events,
        }
    )
