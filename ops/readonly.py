"""Admin pages that only show: what services own the writing of, nobody edits by hand.

Lists stay quick at millions of rows, and searched text stays out of addresses: it may be a name,
and addresses are kept by browsers and proxies.
"""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.functional import cached_property


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
        return super().changelist_view(request, {"searched": searched, **(extra_context or {})})

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """Search for what the session holds, never for what an address says."""
        searched = request.session.get(self._search_key, "")
        return super().get_search_results(request, queryset, searched)

    @property
    def _search_key(self) -> str:
        return f"searched:{self.opts.label_lower}"
