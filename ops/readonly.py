"""Admin pages that only show: what services own the writing of, nobody edits by hand.

Lists stay quick at millions of rows, and searched text stays out of addresses: it may be a name,
and addresses are kept by browsers and proxies.
"""

from __future__ import annotations

from typing import Any, cast
from uuid import UUID

from django.contrib import admin
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.functional import cached_property
from django.utils.text import capfirst

from ops import audit
from ops.replica import slightly_old


class CappedPaginator(Paginator):  # type: ignore[type-arg]
    """Counts no further than to a cap: whoever wants the millionth row filters or searches."""

    cap = 5_000

    @cached_property
    def count(self) -> int:
        """Count the rows, up to the cap."""
        rows = self.object_list
        if not isinstance(rows, QuerySet):
            return len(rows)
        return rows.order_by()[: self.cap].count()

    @property
    def is_capped(self) -> bool:
        """Tell whether there may be more."""
        return self.count == self.cap


class ReadOnlyAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """Lists and shows; refuses to add, change or delete, whoever asks."""

    paginator = CappedPaginator
    show_full_result_count = False
    searches_privately = True
    list_per_page = 50
    # Whether a look at these pages is a look at patients, and goes on record before anything is
    # shown. Unsaid, it is: a list that is new must not be open to unseen eyes. `ops` knows nobody.
    shows_patients: bool | None = None
    # Whether its list may be some seconds old: long lists of what is past, on which nobody acts.
    may_be_slightly_old = False

    def has_add_permission(self, request: HttpRequest, *_args: Any) -> bool:
        """Refuse."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Refuse."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Refuse."""
        return False

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show the list; a posted search is kept in the session and comes back as a plain page."""
        if request.method == "POST" and "searched" in request.POST:
            request.session[self._search_key] = request.POST["searched"].strip()
            return redirect(request.get_full_path())
        searched = request.session.get(self._search_key, "")
        title = capfirst(str(self.opts.verbose_name_plural))
        more = {"searched": searched, "title": title, **(extra_context or {})}
        answer = self._list(request, more)
        if (listed := _shown(answer, "cl")) is not None:
            self._note_list(request, searched, hits=listed.result_count)
        return answer

    def _list(self, request: HttpRequest, more: dict[str, Any]) -> HttpResponse:
        read = super().changelist_view
        if not self.may_be_slightly_old:
            return read(request, more)
        return slightly_old(lambda: _read_whole(read(request, more)))

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Show one object."""
        answer = super().change_view(request, object_id, form_url, extra_context)
        if (shown := _shown(answer, "original")) is not None:
            self._note_object(request, "record.opened", shown)
        return answer

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show what the admin itself knows of an object's changes."""
        answer = super().history_view(request, object_id, extra_context)
        if (shown := _shown(answer, "object")) is not None:
            self._note_object(request, "record.history_opened", shown)
        return answer

    def patient_of(self, one: Any) -> UUID | None:
        """Give the key of the one patient whom an object is of; None where that is unknown."""
        return None

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """Search for what the session holds, never for what an address says."""
        searched = request.session.get(self._search_key, "")
        return super().get_search_results(request, queryset, searched)

    def _note_list(self, request: HttpRequest, searched: str, *, hits: int) -> None:
        if not self._tells_of_patients:
            return
        kind = str(self.opts.verbose_name_plural)
        if searched:
            audit.look("list.searched", by=_who(request), kind=kind, details={"hits": hits})
        else:
            once_per = [self.opts.label_lower, sorted(request.GET.items())]
            audit.look("list.viewed", by=_who(request), kind=kind, once_per=once_per)

    def _note_object(self, request: HttpRequest, act: str, one: Any) -> None:
        if self._tells_of_patients:
            audit.look(
                act,
                by=_who(request),
                kind=str(self.opts.verbose_name),
                key=one.pk,
                patient=self.patient_of(one),
            )

    @property
    def _tells_of_patients(self) -> bool:
        if self.shows_patients is None:
            return self.opts.app_label != "ops"
        return self.shows_patients

    @property
    def _search_key(self) -> str:
        return f"searched:{self.opts.label_lower}"


def _read_whole(answer: HttpResponse) -> HttpResponse:
    """Give the list with its rows read: later, another database would be asked for them."""
    if (listed := _shown(answer, "cl")) is not None:
        listed.result_list = list(listed.result_list)
    return answer


def _shown(answer: HttpResponse, name: str) -> Any:
    """Give what a page is about to show under this name; None where it shows no such thing."""
    return (getattr(answer, "context_data", None) or {}).get(name)


def _who(request: HttpRequest) -> audit.Person:
    return cast(audit.Person, request.user)
