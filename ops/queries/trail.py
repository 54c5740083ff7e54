"""What pages show of the trail."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from uuid import UUID

from django.db.models import OuterRef, QuerySet, Subquery

from ops.models import AuditEvent, AuditVerification

COLUMNS = (
    "at", "kind", "who", "user_key", "act", "object_kind", "object_key", "patient", "why",
    "details", "from_where", "request_id",
)  # fmt: skip
# What makes a spreadsheet take a text for a formula, as the first character of a cell.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def with_state(events: QuerySet[AuditEvent]) -> QuerySet[AuditEvent]:
    """Say of each event by which seal it is proved, and whether that was verified since."""
    verified = AuditVerification.objects.filter(
        findings=0,
        oldest__lte=OuterRef("sealed__seal_id"),
        newest__gte=OuterRef("sealed__seal_id"),
    )
    return events.select_related("sealed").annotate(
        verified_at=Subquery(verified.order_by("-at").values("at")[:1])
    )


def came_to(patient: UUID) -> QuerySet[AuditEvent]:
    """Everybody who looked at a patient or changed something of this one, the latest first."""
    return with_state(AuditEvent.objects.filter(patient=patient)).order_by("-at", "-pk")


def state_of(event: AuditEvent) -> str:
    """Say how far an event is proved."""
    sealed = getattr(event, "sealed", None)
    if sealed is None:
        return "not yet sealed"
    return f"sealed in {sealed.seal_id}"


def lines_of(events: Iterable[AuditEvent]) -> Iterator[str]:
    """Write events as lines of CSV that no spreadsheet takes for formulas."""
    writer = csv.writer(_Echo())
    yield writer.writerow([*COLUMNS, "state"])
    for event in events:
        cells = [_cell(getattr(event, name)) for name in COLUMNS]
        yield writer.writerow([*cells, state_of(event)])


def _cell(value: object) -> str:
    if value is None:
        return ""
    text = value.isoformat() if hasattr(value, "isoformat") else str(value)
    return f"'{text}" if text.startswith(_FORMULA) else text


class _Echo:
    """Gives back each line instead of keeping it: an export is as long as it is."""

    def write(self, line: str) -> str:
        """Give the line back."""
        return line
