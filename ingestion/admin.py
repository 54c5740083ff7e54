"""What operators see of the books and the record, and the little of it that they may declare."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from datetime import datetime
from typing import Any, cast

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.timesince import timesince

from ingestion import queries
from ingestion.layouts import LAYOUTS
from ingestion.models import (
    Admission,
    Department,
    Drift,
    Feed,
    FeedFile,
    Flaw,
    LabResult,
    LabTest,
    Patient,
    Record,
    RejectedRow,
    WaitingRow,
)
from ingestion.models.feeds import LEDGER_COLUMNS
from ingestion.services.changes import note_change
from ops.admin_site import OperatorAdminSite, Page
from ops.readonly import ReadOnlyAdmin

# A work list longer than this is not read to its end.
_LISTED = 500
_BOOKKEEPING = ("statements",)
# Of a record that is told again every few seconds nobody reads all versions.
_VERSIONS = 100


class IsOpen(admin.SimpleListFilter):
    """Keeps the rows that are still work, or those that are done. `done` names the time of it.

    `first` is what a list shows unasked: a work list must not bury its work under what is done.
    """

    done = ""
    words = ("Still open", "Done")
    first = "open"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Offer both, and all."""
        return [("open", self.words[0]), ("done", self.words[1]), ("all", "All")]

    def value(self) -> str:
        """Give what was asked for, else what comes first."""
        return super().value() or self.first

    def choices(self, changelist: Any) -> Iterator[Any]:
        """Offer no nameless "all" beside our own."""
        for value, title in self.lookup_choices:
            yield {
                "selected": self.value() == str(value),
                "query_string": changelist.get_query_string({self.parameter_name: value}),
                "display": title,
            }

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Filter by whether the time is there."""
        if self.value() == "all":
            return queryset
        return queryset.filter(**{f"{self.done}__isnull": self.value() == "open"})


class IsSettled(IsOpen):
    """For rejected rows."""

    title = "settled"
    parameter_name = "settled"
    done = "settled_at"
    words = ("Not settled", "Settled")


class IsApplied(IsOpen):
    """For waiting rows."""

    title = "waiting"
    parameter_name = "waiting"
    done = "applied_at"
    words = ("Still waiting", "Applied")


class HasParent(IsOpen):
    """For admissions and tests."""

    title = "patient"
    parameter_name = "patient_known"
    done = "patient"
    words = ("Waits for its patient", "Patient known")
    first = "all"


class HasTest(IsOpen):
    """For results."""

    title = "test"
    parameter_name = "test_known"
    done = "lab_test"
    words = ("Waits for its test", "Test known")
    first = "all"


class FeedForm(forms.ModelForm):  # type: ignore[type-arg]
    """What an operator declares of a feed."""

    layout = forms.ChoiceField(choices=[(layout.name, layout.name) for layout in LAYOUTS])

    class Meta:
        model = Feed
        fields = ("source", "layout", "interval_minutes", "encoding", "is_day_first", "retired_at")

    def clean_encoding(self) -> str:
        """Refuse a name that nothing can decode: each file of the feed would be refused for it."""
        encoding: str = self.cleaned_data["encoding"].strip()
        try:
            if encoding:
                codecs.lookup(encoding)
        except LookupError:
            raise forms.ValidationError(
                "No such encoding is known: try cp1255 or latin-1."
            ) from None
        return encoding


@admin.register(Feed)
class FeedAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """The one thing of ingestion that is declared by hand."""

    form = FeedForm
    list_display = (
        "__str__",
        "freshness",
        "newest_source_time",
        "interval_minutes",
        "encoding",
        "is_day_first",
        "retired_at",
    )
    list_filter = ("layout",)

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        """Judge all feeds at once: a page must not ask for each of them."""
        changelist: Any = super().get_changelist_instance(request)
        judged = {one.feed.pk: one for one in queries.freshness_of_feeds(timezone.now())}
        for feed in changelist.result_list:
            feed.judged = judged.get(feed.pk)
        return changelist

    @admin.display(description="freshness")
    def freshness(self, feed: Any) -> str:
        """Say how fresh it is; nothing where it has not delivered, or is retired."""
        return feed.judged.freshness.replace("_", " ") if feed.judged else "–"

    @admin.display(description="newest source time")
    def newest_source_time(self, feed: Any) -> datetime | None:
        """Say as of when it has spoken last."""
        return feed.judged.newest_source_time if feed.judged else None

    def get_readonly_fields(self, request: HttpRequest, obj: Feed | None = None) -> tuple[str, ...]:
        """Source and layout are what a feed is: they stay."""
        return ("source", "layout") if obj else ()

    def get_form(
        self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any
    ) -> Any:
        """Leave the choice of a layout to new feeds."""
        if obj is None:
            return super().get_form(request, obj, change, **kwargs)
        return super().get_form(request, obj, change, form=_DeclaredFeedForm, **kwargs)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Refuse: a feed is retired, its files stay."""
        return False

    def save_model(self, request: HttpRequest, obj: Feed, form: Any, change: bool) -> None:
        """Save, and count the change: every board is judged by what feeds declare."""
        super().save_model(request, obj, form, change)
        note_change()


class _DeclaredFeedForm(FeedForm):
    layout = None  # type: ignore[assignment]


@admin.register(FeedFile)
class FeedFileAdmin(ReadOnlyAdmin):
    """Files with their ledgers."""

    list_display = (
        "key",
        "layout",
        "outcome",
        "source_time",
        "rows",
        *LEDGER_COLUMNS,
        "flaws",
    )
    list_filter = ("status", "refusal", "feed", "is_possibly_cut", "is_comeback")
    list_select_related = ("feed",)
    search_fields = ("key",)
    search_help_text = "Part of the object's name."
    ordering = ("-pk",)

    @admin.display(ordering="feed__layout")
    def layout(self, file: FeedFile) -> str:
        """Name the layout alone: the source stands in the key."""
        return file.feed.layout if file.feed else "–"

    @admin.display(ordering="status", description="status")
    def outcome(self, file: FeedFile) -> str:
        """Say how far it has come, and why no further."""
        why = f": {file.get_refusal_display()}" if file.refusal else ""
        return f"{file.get_status_display()}{why}"


@admin.register(RejectedRow)
class RejectedRowAdmin(ReadOnlyAdmin):
    """Lines that cannot be trusted, as they came."""

    list_display = (
        "feed_file",
        "line",
        "reason",
        "column",
        "beginning",
        "department",
        "settled_at",
    )
    list_filter = (IsSettled, "reason", "feed_file__feed")
    list_select_related = ("feed_file",)
    fields = ("feed_file", "line", "reason", "column", "department", "settled_at", "as_it_came")
    ordering = ("-pk",)

    @admin.display(description="raw text")
    def beginning(self, row: RejectedRow) -> str:
        """Show enough to know the line again."""
        return row.raw if len(row.raw) <= 80 else f"{row.raw[:80]}…"

    @admin.display(description="raw text")
    def as_it_came(self, row: RejectedRow) -> SafeString:
        """Show all of it, line breaks included."""
        return format_html('<pre class="raw">{}</pre>', row.raw)


@admin.register(Flaw)
class FlawAdmin(ReadOnlyAdmin):
    """Values that could not be trusted, in rows that were applied."""

    list_display = ("feed_file", "line", "column", "reason", "value")
    list_filter = ("reason", "feed_file__feed")
    list_select_related = ("feed_file",)
    ordering = ("-pk",)


@admin.register(WaitingRow)
class WaitingRowAdmin(ReadOnlyAdmin):
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
    list_filter = (IsApplied, "kind", "reason", "feed_file__feed")
    list_select_related = ("feed_file",)
    ordering = ("-pk",)

    @admin.display(description="waited")
    def age(self, row: WaitingRow) -> str:
        """Say how long it has waited, or had when it was applied."""
        return timesince(row.waiting_since, row.applied_at)


@admin.register(Drift)
class DriftAdmin(ReadOnlyAdmin):
    """What files hold that their layout does not know."""

    list_display = ("layout", "kind", "name", "first_seen_in", "first_seen_at")
    list_filter = ("kind", "layout")
    list_select_related = ("first_seen_in",)
    ordering = ("-pk",)


@admin.register(Department)
class DepartmentAdmin(ReadOnlyAdmin):
    """Departments as the PMS names them."""


class RecordAdmin(ReadOnlyAdmin):
    """A record, with its versions below it."""

    readonly_fields = ("versions",)
    exclude = _BOOKKEEPING

    @admin.display(description="versions")
    def versions(self, record: Record) -> SafeString:
        """Tell what was said of it, when that was true and when it became known; newest first."""
        return render_to_string(
            "admin/ingestion/versions.html",
            {
                "versions": queries.versions_of(record, limit=_VERSIONS),
                "listed": _VERSIONS,
            },
        )


@admin.register(Patient)
class PatientAdmin(RecordAdmin):
    """Patients."""

    list_display = ("patient_id", "last_name", "first_name", "date_of_birth", "last_test_at")
    search_fields = ("patient_id", "last_name", "first_name")
    search_help_text = "Number or part of the name. It is not put into the address."
    ordering = ("patient_id",)


@admin.register(Admission)
class AdmissionAdmin(RecordAdmin):
    """Admissions, those that wait for their patient too."""

    list_display = (
        "case_number",
        "patient_number",
        "department",
        "room",
        "admitted_at",
        "released_at",
    )
    list_filter = (HasParent, "department")
    list_select_related = ("department",)
    search_fields = ("case_number", "patient_number", "room")
    search_help_text = "Case number, patient's number or room."
    ordering = ("-pk",)


@admin.register(LabTest)
class LabTestAdmin(RecordAdmin):
    """Tests, those that wait for their patient too."""

    list_display = ("test_id", "patient_number", "name", "ordered_at", "status", "is_cancelled")
    list_filter = (HasParent, "is_cancelled")
    search_fields = ("test_id__startswith", "patient_number__startswith")
    search_help_text = "Beginning of the test's or the patient's number."
    ordering = ("-pk",)


@admin.register(LabResult)
class LabResultAdmin(RecordAdmin):
    """Results, those that wait for their test too."""

    list_display = (
        "__str__",
        "test_id",
        "value",
        "unit",
        "performed_at",
        "waits_for",
        "is_withdrawn",
    )
    list_filter = (HasTest, "waits_for", "is_withdrawn")
    search_fields = ("result_id__startswith", "test_id__startswith")
    search_help_text = "Beginning of the result's or the test's number."
    ordering = ("-pk",)


def _waiting_page() -> dict[str, Any]:
    return {
        "counts": queries.waiting_counts(),
        "listed": _LISTED,
        "records": queries.waiting_records(limit=_LISTED),
    }


def _conflicts_page() -> dict[str, Any]:
    return {
        "tests": queries.conflicting_tests(limit=_LISTED),
        "admissions": queries.conflicting_admissions(limit=_LISTED),
        "listed": _LISTED,
    }


def add_pages(site: OperatorAdminSite) -> None:
    """Add the work lists that are no list of one table."""
    site.add_page(
        Page(
            "ingestion",
            "waiting",
            "Waiting records",
            "ingestion.view_waitingrow",
            "admin/ingestion/waiting.html",
            _waiting_page,
        )
    )
    site.add_page(
        Page(
            "ingestion",
            "conflicts",
            "Identity conflicts",
            "ingestion.view_labtest",
            "admin/ingestion/conflicts.html",
            _conflicts_page,
        )
    )


add_pages(cast(OperatorAdminSite, admin.site))
