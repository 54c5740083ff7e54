"""Decisions about identity conflicts: the list of those made, and the page where one is made.

Identifiers are posted and never stand in an address.
"""

from __future__ import annotations

from typing import Any, cast

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path

from ingestion.choices import ConflictKind
from ingestion.errors import NotCarriedOut
from ingestion.models import ConflictDecision
from ingestion.services.conflicts import NOBODY, Standing, decide_conflict, standing_of
from ops import audit
from ops.acts import WhyForm
from ops.readonly import ReadOnlyAdmin

_NOBODY = "nobody"
_SIDE = "side:"


class DecisionForm(WhyForm):
    """To whom results belong, and why."""

    belongs_to = forms.ChoiceField(label="Decision", widget=forms.RadioSelect)
    field_order = ("belongs_to", "why")

    def __init__(self, *args: Any, standing: Standing, **options: Any) -> None:
        super().__init__(*args, **options)
        choice = self.fields["belongs_to"]
        assert isinstance(choice, forms.ChoiceField)
        choice.choices = _choices(standing)

    def clean_belongs_to(self) -> str:
        """Give the patient's number, or NOBODY."""
        chosen: str = self.cleaned_data["belongs_to"]
        return NOBODY if chosen == _NOBODY else chosen.removeprefix(_SIDE)


def _choices(standing: Standing) -> list[tuple[str, str]]:
    if standing.kind == ConflictKind.CASE_NUMBER:
        return [(_NOBODY, "Seen: all of them are real, and all stay watched")]
    return [
        *(
            (f"{_SIDE}{side}", f"Results that name only this number belong to patient {side}")
            for side in standing.sides
        ),
        (_NOBODY, "To nobody: all of them are real, and such results go on waiting"),
    ]


@admin.register(ConflictDecision)
class ConflictDecisionAdmin(ReadOnlyAdmin):
    """What was decided, by whom and why. A later decision replaces an earlier one."""

    list_display = ("kind", "identifier", "sides", "belongs_to", "decided_at", "decided_by", "why")
    list_filter = ("kind",)
    ordering = ("-decided_at", "-pk")

    def get_urls(self) -> list[URLPattern]:
        """Put the page where a conflict is decided before what fits everything."""
        own = path(
            "decide/",
            self.admin_site.admin_view(self.decide),
            name="ingestion_conflictdecision_decide",
        )
        return [own, *super().get_urls()]

    def decide(self, request: HttpRequest) -> HttpResponse:
        """Ask for the decision and its reason; once they are given, let it take effect."""
        if not request.user.has_perm("ingestion.change_conflictdecision"):
            raise PermissionDenied
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        standing = _posted(request)
        if standing is None:
            text = "There is no such conflict any more. Nothing was decided."
            self.message_user(request, text, messages.ERROR)
            return redirect("admin:ingestion_conflicts")
        given = request.POST if "confirmed" in request.POST else None
        form = DecisionForm(given, standing=standing)
        if form.is_valid():
            self._decide(request, standing, form)
            return redirect("admin:ingestion_conflicts")
        audit.look("conflict.opened", by=cast(audit.Person, request.user), kind="conflict")
        context = {
            **self.admin_site.each_context(request),
            "title": "Decide a conflict",
            "standing": standing,
            "form": form,
            "opts": self.opts,
        }
        return TemplateResponse(request, "admin/ingestion/decide.html", context)

    def _decide(self, request: HttpRequest, standing: Standing, form: DecisionForm) -> None:
        try:
            decide_conflict(
                standing.kind,
                standing.conflict.identifier,
                sides=request.POST.getlist("side"),
                by=request.user.get_username(),
                **form.cleaned_data,
            )
        except NotCarriedOut as error:
            self.message_user(request, f"{error} Nothing was decided.", messages.ERROR)
        else:
            self.message_user(request, "Decided, and in effect.", messages.SUCCESS)


def _posted(request: HttpRequest) -> Standing | None:
    try:
        kind = ConflictKind(request.POST.get("kind", ""))
    except ValueError:
        return None
    return standing_of(kind, request.POST.get("identifier", ""))
