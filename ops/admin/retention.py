"""What is kept and for how long, what was removed, and legal holds: how operators see and act.

Knows how an operator is asked and answered; what an act does is the service's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from ops.admin_site import OperatorAdminSite, Page
from ops.choices import HoldScope
from ops.errors import HoldRefused
from ops.models import LegalHold, RetentionRun
from ops.readonly import ReadOnlyAdmin
from ops.registry import RetentionKind, retention_kinds
from ops.services.holding import end_hold, holds_in_force, place_hold
from ops.services.retention import days_of, latest_lines


class WhyForm(forms.Form):
    """The reason, which stays on record."""

    why = forms.CharField(
        label="Why",
        max_length=1000,
        widget=forms.Textarea(attrs={"rows": 3, "cols": 60}),
        help_text="It stays on record. Name no patient.",
    )


class HoldForm(WhyForm):
    """What is to be held, and why."""

    scope = forms.ChoiceField(
        label="Hold", choices=HoldScope.choices, widget=forms.RadioSelect, initial=HoldScope.PATIENT
    )
    patient = forms.UUIDField(
        label="Patient",
        required=False,
        help_text="For a hold on one patient: the key in the address of the patient's page.",
    )
    kind = forms.ChoiceField(
        label="Kind of data", required=False, help_text="For a hold on one kind of data."
    )
    field_order = ("scope", "patient", "kind", "why")

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        choice = self.fields["kind"]
        assert isinstance(choice, forms.ChoiceField)
        removable = [
            (one.name, one.title) for one in retention_kinds() if one.removal or one.removed_by
        ]
        choice.choices = [("", "–"), *removable]

    def clean(self) -> dict[str, Any]:
        """Ask for what the hold is on, and refuse what it is not on: it would hold less."""
        cleaned = super().clean() or self.cleaned_data
        scope = cleaned.get("scope")
        for name in ("patient", "kind"):
            if scope == name and not cleaned.get(name) and name not in self.errors:
                self.add_error(name, "Say which one.")
            elif scope != name and cleaned.get(name):
                self.add_error(name, "Leave this empty, or choose a hold on it.")
        return cleaned


@dataclass(frozen=True)
class _Act:
    """One act as operators are asked about it."""

    title: str
    button: str
    consequences: Sequence[str]


_AUDITED = "It is on the audit trail with your name and the reason, and stays on record for ever."
_PLACE = _Act(
    "Place a legal hold",
    "Place it",
    (
        "From now on nothing of it is removed, however old it is, until somebody ends the hold.",
        "What was removed before does not come back.",
        "A hold on a patient also keeps rows of which it cannot be told whose they are.",
        _AUDITED,
    ),
)
_END = _Act(
    "End a legal hold",
    "End it",
    (
        "What only this hold kept is removed the next night, if its time is over. That is final.",
        "Other holds stay in force.",
        _AUDITED,
    ),
)


class InForce(admin.SimpleListFilter):
    """Holds in force, and those that somebody has ended."""

    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Name the two."""
        return [("in-force", "in force"), ("ended", "ended")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Give those that were asked for."""
        if self.value() is None:
            return queryset
        return queryset.filter(ended_at__isnull=self.value() == "in-force")


@admin.register(LegalHold)
class LegalHoldAdmin(ReadOnlyAdmin):
    """What must not be removed, by whose word, and until when."""

    list_display = ("number", "what", "why", "state", "placed_at", "placed_by", "ended_at")
    list_display_links = ("number", "what")
    list_filter = ("scope", InForce)
    ordering = ("-placed_at", "-pk")
    fields = (
        "what", "state", "why", "placed_at", "placed_by", "ended_at", "ended_by", "ended_why"
    )  # fmt: skip
    change_list_template = "admin/ops/legalhold/change_list.html"
    change_form_template = "admin/ops/legalhold/change_form.html"

    @admin.display(ordering="pk")
    def number(self, hold: LegalHold) -> int:
        """Give the number by which reports name it."""
        return int(hold.pk)

    @admin.display(description="on")
    def what(self, hold: LegalHold) -> str:
        """Say what it is on: a patient by our own key alone."""
        if hold.patient:
            return f"patient {hold.patient}"
        titles = {one.name: one.title for one in retention_kinds()}
        return titles.get(hold.kind, hold.kind) or "everything"

    @admin.display(description="state")
    def state(self, hold: LegalHold) -> str:
        """Say whether it is in force."""
        return "ended" if hold.ended_at else "in force"

    def get_urls(self) -> list[URLPattern]:
        """Put the pages of the acts before what fits everything."""
        view = self.admin_site.admin_view
        return [
            path("place/", view(self.place), name="ops_legalhold_place"),
            path("<int:key>/end/", view(self.end), name="ops_legalhold_end"),
            *super().get_urls(),
        ]

    def place(self, request: HttpRequest) -> HttpResponse:
        """Ask what is to be held and why; once that is said, place the hold."""
        if not request.user.has_perm("ops.add_legalhold"):
            raise PermissionDenied
        form = HoldForm(request.POST or None)
        if form.is_valid():
            given = form.cleaned_data
            try:
                hold = place_hold(
                    HoldScope(given["scope"]),
                    patient=given["patient"],
                    kind=given["kind"],
                    why=given["why"],
                    by=request.user.get_username(),
                )
            except HoldRefused as error:
                form.add_error(None, f"{error} Nothing is held.")
            else:
                self.message_user(request, f"Hold {hold.pk} is in force.", messages.SUCCESS)
                return redirect("admin:ops_legalhold_changelist")
        return self._ask(request, _PLACE, form)

    def end(self, request: HttpRequest, key: int) -> HttpResponse:
        """Ask why; once that is said, end the hold."""
        if not request.user.has_perm("ops.change_legalhold"):
            raise PermissionDenied
        hold = get_object_or_404(LegalHold, pk=key)
        form = WhyForm(request.POST or None)
        if form.is_valid():
            try:
                end_hold(hold, by=request.user.get_username(), why=form.cleaned_data["why"])
            except HoldRefused as error:
                self.message_user(request, str(error), messages.ERROR)
            else:
                self.message_user(request, f"Hold {hold.pk} is ended.", messages.SUCCESS)
            return redirect("admin:ops_legalhold_changelist")
        return self._ask(request, _END, form, hold)

    def _ask(
        self, request: HttpRequest, act: _Act, form: forms.Form, hold: LegalHold | None = None
    ) -> HttpResponse:
        context = {
            **self.admin_site.each_context(request),
            "title": act.title,
            "act": act,
            "form": form,
            "hold": hold,
            "what": self.what(hold) if hold else "",
            "opts": self.opts,
            "back": reverse("admin:ops_legalhold_changelist"),
        }
        return TemplateResponse(request, "admin/ops/legalhold/act.html", context)


@admin.register(RetentionRun)
class RetentionRunAdmin(ReadOnlyAdmin):
    """Runs that removed what was over, the newest first."""

    list_display = ("started_at", "status", "by", "removed", "held_back", "why")
    list_filter = ("status",)
    ordering = ("-started_at", "-pk")
    fields = ("started_at", "finished_at", "status", "by", "why", "what_it_did")
    change_list_template = "admin/ops/retention_runs.html"

    @admin.display(description="rows removed")
    def removed(self, run: RetentionRun) -> str:
        """Count what went, of all kinds."""
        return f"{run.gone:,}"

    @admin.display(description="rows held back")
    def held_back(self, run: RetentionRun) -> str:
        """Count what legal holds kept back, of all kinds."""
        return f"{sum(line['held'] for line in run.report):,}"

    @admin.display(description="report")
    def what_it_did(self, run: RetentionRun) -> SafeString:
        """Tell of each kind that anything was over of, or that failed."""
        told = [line for line in run.report if line["over"] or line["gone"] or line["failure"]]
        if not told:
            return format_html("{}", "Nothing was over.")
        return format_html_join(
            "", "<div>{}: {}</div>", ((line["title"], _said(line)) for line in told)
        )


def _said(line: dict[str, Any]) -> str:
    over = line["over"] or 0
    if line["removed_by"]:
        said = f"{over:,} over; removed by {line['removed_by']}"
    else:
        said = f"{over:,} over, {line['held']:,} held, {line['gone']:,} removed"
    held = "".join(f"; hold {one['hold']} keeps {one['count']:,}" for one in line["holds"])
    return f"{said}{held}. {line['failure']}".rstrip()


def _retention_page() -> dict[str, Any]:
    lines = {line["kind"]: (run, line) for run, line in latest_lines()}
    rows = [_row(kind, *lines.get(kind.name, (None, None))) for kind in retention_kinds()]
    return {
        "removed_here": [row for row in rows if row["kind"].removal],
        "elsewhere": [row for row in rows if row["kind"].removed_by],
        "kept": [row for row in rows if not row["kind"].removal and not row["kind"].removed_by],
        "holds": holds_in_force(),
        "last_run": RetentionRun.objects.first(),
        "now": timezone.now(),
    }


def _row(
    kind: RetentionKind, run: RetentionRun | None, line: dict[str, Any] | None
) -> dict[str, Any]:
    oldest = line and line["oldest"]
    return {
        "kind": kind,
        "days": days_of(kind),
        "run": run,
        "line": line,
        "oldest": parse_datetime(oldest) if oldest else None,
    }


cast(OperatorAdminSite, admin.site).add_page(
    Page(
        "ops",
        "retention",
        "Retention",
        "ops.view_retentionrun",
        "admin/ops/retention.html",
        _retention_page,
    )
)
