"""The books as operators see them, and work them off: files, rejected and waiting rows, flaws."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from django import forms
from django.contrib import admin
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.timesince import timesince

from ingestion.admin.filters import (
    FileAge,
    IsApplied,
    IsDismissed,
    IsSettled,
    OfReading,
    RowAge,
    Source,
    WaitingAge,
)
from ingestion.choices import FileStatus, Settlement
from ingestion.errors import NotCarriedOut
from ingestion.models import Drift, FeedFile, Flaw, RejectedRow, WaitingRow
from ingestion.models.feeds import LEDGER_COLUMNS
from ingestion.services.quarantine import (
    Replayed,
    dismiss_file,
    dismiss_row,
    fate_of,
    ledger_of,
    left_standing,
    replay_files,
)
from ingestion.synthetic import Realm, realm_of_source
from ops.acts import MOST_BYTES, Act, WhyForm, WorkedAdmin, ask_or_act
from ops.readonly import ReadOnlyAdmin


class ReplayForm(WhyForm):
    """The reason, and for a file from the future as of when it speaks."""

    source_time = forms.CharField(
        label="Source time",
        required=False,
        max_length=40,
        help_text="Only for one file that was refused as from the future: with an offset, for"
        " example 2025-03-20T12:00:00+01:00.",
    )

    def clean_source_time(self) -> datetime | None:
        """Read an instant; without an offset it would be one only by guessing."""
        text: str = self.cleaned_data["source_time"]
        if not text:
            return None
        try:
            at = datetime.fromisoformat(text)
        except ValueError:
            raise forms.ValidationError("This is no date and time.") from None
        if at.tzinfo is None:
            raise forms.ValidationError("The source time needs an offset.")
        return at


def _replay(
    files: Iterable[FeedFile], *, by: str, why: str, source_time: datetime | None = None
) -> list[Replayed]:
    files = list(files)
    if sum(one.size for one in files) > MOST_BYTES:
        raise NotCarriedOut("These files are too large for a page: use manage.py replay.")
    done: list[Replayed] = []
    replay_files(files, by=by, why=why, source_time=source_time, on_done=done.append)
    return done


def _told(one: Replayed, *fates: str) -> tuple[bool, str]:
    before = ledger_of(one.before) if one.before else "not read"
    told = f"File {one.file.pk}. Before: {before}; now: {ledger_of(one.after)}".rstrip(".") + "."
    left = left_standing(one)
    is_well = one.is_ingested and not left and not any("rejected again" in fate for fate in fates)
    return is_well, " ".join(filter(None, [told, *fates, left]))


def _replay_files(files: Sequence[FeedFile], **asked: Any) -> list[tuple[bool, str]]:
    return [_told(one) for one in _replay(files, **asked)]


def _replay_rows(rows: Sequence[RejectedRow | WaitingRow], **asked: Any) -> list[tuple[bool, str]]:
    files = {row.feed_file_id: row.feed_file for row in rows}
    return [
        _told(one, *(fate_of(one, row.line) for row in rows if row.feed_file_id == one.file.pk))
        for one in _replay(files.values(), **asked)
    ]


def _dismiss_rows(rows: Sequence[RejectedRow], *, by: str, why: str) -> list[tuple[bool, str]]:
    with transaction.atomic():
        for row in rows:
            dismiss_row(row, by=by, why=why)
    return [(True, f"Dismissed: {len(rows)}. They stay in their ledgers.")]


def _dismiss_files(files: Sequence[FeedFile], *, by: str, why: str) -> list[tuple[bool, str]]:
    with transaction.atomic():
        for one in files:
            dismiss_file(one, by=by, why=why)
    return [(True, f"Dismissed: {len(files)}. They stay refused; nothing of them is applied.")]


_REPLAYED = (
    "The bytes are read again as they came, by what feeds and layouts declare now.",
    "It becomes a reading of its own with its own ledger; the earlier one stays on record.",
    "Rejected rows of earlier readings are settled; what is rejected again is work again.",
    "If the file is refused again, what was ingested of it before stays as it was.",
)
REPLAY_FILES = Act("replay", "Replay files", _REPLAYED, "Replay", _replay_files, form=ReplayForm)
REPLAY_ROWS = Act(
    "replay",
    "Replay the files of these rows",
    ("Each row's whole file is read again: its other rows say again what they said.", *_REPLAYED),
    "Replay",
    _replay_rows,
)
DISMISS_ROWS = Act(
    "dismiss",
    "Dismiss rejected rows",
    (
        "Nothing of these rows is applied. What they said of a patient stays unknown here.",
        "They leave the work list and the board's doubts, and stay in their ledgers for ever.",
        "This cannot be taken back; a replay of the file reads them again.",
    ),
    "Dismiss",
    _dismiss_rows,
)
DISMISS_FILES = Act(
    "dismiss",
    "Dismiss refused files",
    (
        "Nothing of these files is applied. What they said of any patient stays unknown here.",
        "They stay refused and leave the board's doubts.",
        "They can still be replayed.",
    ),
    "Dismiss",
    _dismiss_files,
)


@admin.register(FeedFile)
class FeedFileAdmin(WorkedAdmin):
    """Files with their ledgers."""

    shows_patients = False
    list_display = (
        "key",
        "number",
        "layout",
        "outcome",
        "found_by",
        "source_time",
        "rows",
        *LEDGER_COLUMNS,
        "flaws",
        "synthetic",
    )
    list_filter = (
        "status",
        "refusal",
        Source,
        "feed",
        "found_by",
        FileAge,
        IsDismissed,
        "is_possibly_cut",
        "is_comeback",
    )
    list_select_related = ("feed",)
    search_fields = ("key",)
    search_help_text = "Part of the object's name."
    ordering = ("-pk",)
    readonly_fields = ("number", "readings_so_far", "synthetic")
    actions = ("replay", "dismiss")

    def offers(self, one: FeedFile, act: str) -> bool:
        """Only what was refused, and not dismissed yet, can be dismissed."""
        can_be_dismissed = one.status == FileStatus.REFUSED and one.dismissed_at is None
        return act != "dismiss" or can_be_dismissed

    @admin.display(boolean=True)
    def synthetic(self, file: FeedFile) -> bool:
        """Mark what came from the source that is reserved for smoke tests."""
        return realm_of_source(file.source) is Realm.SYNTHETIC

    @admin.display(ordering="feed__layout")
    def layout(self, file: FeedFile) -> str:
        """Name the layout alone: the source stands in the key."""
        return file.feed.layout if file.feed else "–"

    @admin.display(ordering="status", description="status")
    def outcome(self, file: FeedFile) -> str:
        """Say how far it has come, and why no further."""
        why = f": {file.get_refusal_display()}" if file.refusal else ""
        dismissed = ", dismissed" if file.dismissed_at else ""
        return f"{file.get_status_display()}{why}{dismissed}"

    @admin.display(description="readings")
    def readings_so_far(self, file: FeedFile) -> SafeString:
        """Give each attempt with its ledger, and who asked for it and why."""
        return _lines(
            f"{one.number}: {_when(one.finished_at)}, {ledger_of(one)}"
            + (f" Replayed by {one.asked_by}: {one.why}" if one.asked_by else "")
            for one in file.readings.order_by("number")
        )

    @admin.action(description="Replay…", permissions=["work"])
    def replay(self, request: HttpRequest, files: QuerySet[FeedFile]) -> HttpResponse | None:
        """Read the files again."""
        return ask_or_act(self, request, files, REPLAY_FILES)

    @admin.action(description="Dismiss…", permissions=["work"])
    def dismiss(self, request: HttpRequest, files: QuerySet[FeedFile]) -> HttpResponse | None:
        """Take refused files out of the board's doubts."""
        return ask_or_act(self, request, files, DISMISS_FILES)


@admin.register(RejectedRow)
class RejectedRowAdmin(WorkedAdmin):
    """Lines that cannot be trusted, as they came."""

    list_display = (
        "feed_file",
        "number",
        "line",
        "reason",
        "column",
        "beginning",
        "department",
        "settlement",
        "settled_at",
    )
    list_filter = (IsSettled, "settlement", "reason", "feed_file__feed", RowAge)
    list_select_related = ("feed_file",)
    fields = (
        "number",
        "feed_file",
        "reading",
        "line",
        "reason",
        "column",
        "department",
        "history",
        "as_it_came",
    )
    ordering = ("-pk",)
    actions = ("replay", "dismiss")
    all_of_it = "settled=all"

    @admin.display(description="raw text")
    def beginning(self, row: RejectedRow) -> str:
        """Show enough to know the line again."""
        if row.raw_removed_at:
            return _removed(row)
        return row.raw if len(row.raw) <= 80 else f"{row.raw[:80]}…"

    @admin.display(description="raw text")
    def as_it_came(self, row: RejectedRow) -> SafeString:
        """Show all of it, line breaks included."""
        if row.raw_removed_at:
            return format_html("{}", _removed(row))
        return format_html('<pre class="raw">{}</pre>', row.raw)

    @admin.display(description="settlement")
    def history(self, row: RejectedRow) -> SafeString:
        """Say since when it was work, and how it ceased to be."""
        read = f"Rejected {_when(row.feed_file.finished_at)}"
        earlier = row.earlier.order_by("pgh_id")  # type: ignore[attr-defined]
        return _lines([read, *map(_settlement, [one for one in earlier if one.settled_at]),
                       _settlement(row)])  # fmt: skip

    @admin.action(description="Replay…", permissions=["work"])
    def replay(self, request: HttpRequest, rows: QuerySet[RejectedRow]) -> HttpResponse | None:
        """Read the rows' files again, and say what became of each row."""
        return ask_or_act(self, request, rows, REPLAY_ROWS)

    @admin.action(description="Dismiss…", permissions=["work"])
    def dismiss(self, request: HttpRequest, rows: QuerySet[RejectedRow]) -> HttpResponse | None:
        """Take the rows off the work list."""
        return ask_or_act(self, request, rows, DISMISS_ROWS)


@admin.register(Flaw)
class FlawAdmin(ReadOnlyAdmin):
    """Values that could not be trusted, in rows that were applied."""

    may_be_slightly_old = True
    list_display = ("feed_file", "line", "column", "reason", "value")
    list_filter = (OfReading, "reason", "feed_file__feed")
    list_select_related = ("feed_file",)
    ordering = ("-pk",)


@admin.register(WaitingRow)
class WaitingRowAdmin(WorkedAdmin):
    """Lines whose parent had not come, and what became of them."""

    list_display = (
        "feed_file",
        "line",
        "kind",
        "identity",
        "reason",
        "waiting_since",
        "age",
        "applied_at",
    )
    list_filter = (IsApplied, "kind", "reason", "feed_file__feed", WaitingAge)
    list_select_related = ("feed_file",)
    ordering = ("-pk",)
    actions = ("replay",)
    all_of_it = "waiting=all"

    @admin.display(description="waited")
    def age(self, row: WaitingRow) -> str:
        """Say how long it has waited, or had when it was applied."""
        return timesince(row.waiting_since, row.applied_at)

    @admin.action(description="Replay…", permissions=["work"])
    def replay(self, request: HttpRequest, rows: QuerySet[WaitingRow]) -> HttpResponse | None:
        """Read the rows' files again, and say what became of each row."""
        return ask_or_act(self, request, rows, REPLAY_ROWS)


@admin.register(Drift)
class DriftAdmin(ReadOnlyAdmin):
    """What files hold that their layout does not know."""

    may_be_slightly_old = True
    shows_patients = False
    list_display = ("layout", "kind", "name", "first_seen_in", "first_seen_at")
    list_filter = ("kind", "layout")
    list_select_related = ("first_seen_in",)
    ordering = ("-pk",)


def _removed(row: RejectedRow) -> str:
    return f"Removed {_when(row.raw_removed_at)}: its time was over (see Retention)."


def _settlement(row: Any) -> str:
    if row.settled_at is None:
        return "Not settled: it is still work."
    how = Settlement(row.settlement).label if row.settlement else "Settled"
    who = f" ({row.settled_by}: {row.settled_why})" if row.settled_by else ""
    return f"{how} {_when(row.settled_at)}{who}"


def _when(at: datetime | None) -> str:
    return f"{timezone.localtime(at):%Y-%m-%d %H:%M}" if at else "–"


def _lines(lines: Iterable[str]) -> SafeString:
    return format_html_join("", "<div>{}</div>", ((line,) for line in lines))
