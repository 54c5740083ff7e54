"""What operators declare of a feed: the one thing of ingestion that is edited by hand."""

from __future__ import annotations

import codecs
from datetime import datetime
from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from django.utils import timezone

from ingestion import queries
from ingestion.layouts import LAYOUTS
from ingestion.models import Feed
from ingestion.services.changes import note_change
from ingestion.synthetic import Realm, realm_of_source


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
        "synthetic",
    )
    list_filter = ("layout",)

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        """Judge all feeds at once: a page must not ask for each of them."""
        changelist: Any = super().get_changelist_instance(request)
        judged = {one.feed.pk: one for one in queries.freshness_of_feeds(timezone.now())}
        for feed in changelist.result_list:
            feed.judged = judged.get(feed.pk)
        return changelist

    @admin.display(boolean=True)
    def synthetic(self, feed: Feed) -> bool:
        """Mark those of smoke tests: no rule of the hospital's rests on them."""
        return realm_of_source(feed.source) is Realm.SYNTHETIC

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
