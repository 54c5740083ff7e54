"""How operators narrow a work list: what is still open, how old it is, where it came from."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from django.contrib import admin
from django.db.models import F, QuerySet
from django.http import HttpRequest
from django.utils import timezone

from ingestion.choices import FileStatus
from ingestion.models import Feed, FeedFile


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

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Of lines that wait, keep those of the reading that speaks: a replay says them again."""
        rows = super().queryset(request, queryset)
        return rows.filter(reading=F("feed_file__reading")) if self.value() == "open" else rows


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


class IsDismissed(IsOpen):
    """For refused files."""

    title = "dismissed"
    parameter_name = "dismissed"
    done = "dismissed_at"
    words = ("Not dismissed", "Dismissed")
    first = "all"


class OfReading(IsOpen):
    """For what each reading of a file says anew."""

    title = "reading"
    parameter_name = "reading"
    words = ("The one that speaks", "Earlier ones")

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Filter by whether the file's ledger is that of the row's reading."""
        if self.value() == "all":
            return queryset
        speaks = {"reading": F("feed_file__reading")}
        return queryset.filter(**speaks) if self.value() == "open" else queryset.exclude(**speaks)


class Age(admin.SimpleListFilter):
    """Keeps what is older than a while. `since` names the time from which age counts."""

    title = "age"
    parameter_name = "older"
    since = ""
    _ages = {
        "1h": ("Older than an hour", timedelta(hours=1)),
        "24h": ("Older than a day", timedelta(hours=24)),
        "7d": ("Older than a week", timedelta(days=7)),
    }

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Offer an hour, a day and a week."""
        return [(value, title) for value, (title, _) in self._ages.items()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Filter by the time from which age counts."""
        asked = self._ages.get(self.value() or "")
        if asked is None:
            return queryset
        return queryset.filter(**{f"{self.since}__lt": timezone.now() - asked[1]})


class FileAge(Age):
    """By when a file was put on record."""

    since = "received_at"


class RowAge(Age):
    """By when a row's file was read."""

    since = "feed_file__finished_at"


class WaitingAge(Age):
    """By since when a row has waited."""

    since = "waiting_since"


class Source(admin.SimpleListFilter):
    """By where a file came from: of a refused one not even the feed may be known."""

    title = "source"
    parameter_name = "source"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Name the sources of feeds and of refused files: few, however many files there are."""
        refused = FeedFile.objects.filter(status=FileStatus.REFUSED).order_by()
        sources = {
            *Feed.objects.order_by().values_list("source", flat=True),
            *refused.values_list("source", flat=True).distinct(),
        }
        return [(source, source) for source in sorted(sources)]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Filter by the source."""
        return queryset.filter(source=self.value()) if self.value() else queryset
