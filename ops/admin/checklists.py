"""Checklist runs in the admin: how each item stands, its evidence, and the acts upon it."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse

from ops import checklists
from ops.choices import Moment, TickState
from ops.errors import NotDone
from ops.models import ChecklistRun, Deployment
from ops.queries.checklists import Standing, standings, standings_of
from ops.readonly import ReadOnlyAdmin
from ops.services import checklists as services

# What takes longer than a page may wait for is run from the command line.
_MOST_SECONDS = 60
_MARKS = {
    TickState.OPEN: "○",
    TickState.GREEN: "✓",
    TickState.RED: "✕",
    TickState.EXCEPTED: "!",
}


class ConfirmForm(forms.Form):
    """Nothing to say: whoever sends it means it."""


class TickForm(forms.Form):
    """What was seen."""

    note = forms.CharField(
        label="What was seen",
        max_length=1000,
        widget=forms.Textarea(attrs={"rows": 3, "cols": 60}),
        help_text="It stays on record with your name. Name no patient.",
    )


class ExceptForm(forms.Form):
    """Why it may pass."""

    why = forms.CharField(
        label="Why",
        max_length=1000,
        widget=forms.Textarea(attrs={"rows": 3, "cols": 60}),
        help_text="It stays on record with your name. Name no patient.",
    )


class OpenForm(forms.Form):
    """Which checklist, and for what."""

    moment = forms.ChoiceField(choices=Moment.choices)
    deployment = forms.ModelChoiceField(
        Deployment.objects.none(), required=False, empty_label="for itself"
    )


_ACTS: dict[str, dict[str, Any]] = {
    "run": {
        "title": "Run a check",
        "button": "Run it now",
        "form": ConfirmForm,
        "consequences": [
            "The command runs here, now. Its exit status decides.",
            "What it prints is kept, cut to some 4,000 characters and without secrets.",
            "Earlier evidence stays. The latest counts.",
        ],
    },
    "tick": {
        "title": "Tick an item",
        "button": "Tick it",
        "form": TickForm,
        "consequences": ["The item is green in your name, with what you have seen."],
    },
    "except": {
        "title": "Except an item",
        "button": "Let it pass",
        "form": ExceptForm,
        "consequences": [
            "The item counts as settled though it is not green.",
            "Your name and your reason are on the audit trail.",
        ],
    },
    "close": {
        "title": "Close the run",
        "button": "Close it",
        "form": ConfirmForm,
        "consequences": ["Nothing can be ticked in it any more."],
    },
}


@admin.register(ChecklistRun)
class ChecklistRunAdmin(ReadOnlyAdmin):
    """Runs with their evidence. Who may change runs may run checks and tick."""

    change_list_template = "admin/ops/checklists.html"
    change_form_template = "admin/ops/checklist.html"
    list_display = ("number", "moment", "of", "opened_at", "opened_by", "standing", "closed_at")
    list_filter = ("moment",)
    list_select_related = ("deployment",)
    ordering = ("-id",)

    @admin.display(description="number", ordering="pk")
    def number(self, run: ChecklistRun) -> int:
        """Give its number."""
        return run.pk

    @admin.display(description="deployment")
    def of(self, run: ChecklistRun) -> str:
        """Say which deployment it is of."""
        return f"{run.deployment_id}: {run.deployment}" if run.deployment else "for itself"

    @admin.display(description="standing")
    def standing(self, run: Any) -> str:
        """Say how many items are settled."""
        return standing_in_words(run.stood)

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        """Look how all of them stand at once: a page must not ask for each."""
        changelist: Any = super().get_changelist_instance(request)
        stood = standings_of(changelist.result_list)
        for run in changelist.result_list:
            run.stood = stood[run.pk]
        return changelist

    def get_urls(self) -> list[URLPattern]:
        """Add the addresses of the acts before the stock one that fits everything."""
        own = [path("open/", self.admin_site.admin_view(self._open), name="ops_checklistrun_open")]
        for act in _ACTS:
            view = self.admin_site.admin_view(self._act)
            own.append(
                path(
                    f"<path:object_id>/{act}/",
                    view,
                    {"act": act},
                    name=f"ops_checklistrun_{act}",
                )
            )
        return [*own, *super().get_urls()]

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Offer to open a run, to whoever may."""
        more = {"title": "Checklist runs", "may_act": _may_act(request)}
        return super().changelist_view(request, {**more, **(extra_context or {})})

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Show how each item stands, and what whoever looks may do."""
        run: Any = self.get_object(request, object_id)
        more = _shown(run, request) if isinstance(run, ChecklistRun) else {}
        return super().change_view(request, object_id, form_url, {**more, **(extra_context or {})})

    def _open(self, request: HttpRequest) -> HttpResponse:
        if not _may_act(request):
            raise PermissionDenied
        given = request.POST if request.method == "POST" else None
        form = OpenForm(given, initial=request.GET.dict())
        form.fields["deployment"].queryset = Deployment.objects.filter(  # type: ignore[attr-defined]
            finished_at=None
        )
        if not form.is_valid():
            context = self._context(request, "Open a checklist", form=form)
            return TemplateResponse(request, "admin/ops/checklist_open.html", context)
        try:
            run = services.open_checklist(
                form.cleaned_data["moment"],
                by=request.user.get_username(),
                deployment=form.cleaned_data["deployment"],
            )
        except NotDone as error:
            self.message_user(request, f"{error} Nothing was opened.", messages.ERROR)
            return redirect("admin:ops_checklistrun_changelist")
        return _to(run)

    def _act(self, request: HttpRequest, object_id: str, act: str) -> HttpResponse:
        run: Any = self.get_object(request, object_id)
        if run is None:
            raise Http404
        if not (_may_except(request) if act == "except" else _may_act(request)):
            raise PermissionDenied
        one = _item(run, request.GET.get("item", "")) if act != "close" else None
        asked = _ACTS[act]
        form = asked["form"](request.POST if request.method == "POST" else None)
        if not form.is_valid():
            context = self._context(
                request, asked["title"], form=form, act=asked, run=run, item=one
            )
            return TemplateResponse(request, "admin/ops/checklist_act.html", context)
        self._carry_out(request, run, act, one.key if one else "", **form.cleaned_data)
        return _to(run)

    def _carry_out(
        self, request: HttpRequest, run: ChecklistRun, act: str, key: str, **said: str
    ) -> None:
        by = request.user.get_username()
        try:
            if act == "run":
                _require_short(run, key)
                state = TickState(services.run_check(run, key, by=by).state)
            elif act == "tick":
                state = TickState(services.tick_item(run, key, by=by, **said).state)
            elif act == "except":
                state = TickState(services.except_item(run, key, by=by, **said).state)
            else:
                services.close_checklist(run, by=by)
                self.message_user(request, "Closed.", messages.SUCCESS)
                return
        except NotDone as error:
            self.message_user(request, f"{error} Nothing was changed.", messages.ERROR)
            return
        level = messages.WARNING if state in {TickState.RED, TickState.OPEN} else messages.SUCCESS
        words = f"{state.label}: {key}."
        if state == TickState.OPEN:
            words = f"Not run, and still open: {key}. Its evidence says why."
        self.message_user(request, words, level)

    def _context(self, request: HttpRequest, title: str, **more: Any) -> dict[str, Any]:
        site = self.admin_site.each_context(request)
        return {**site, "title": title, "opts": self.opts, **more}


def standing_in_words(stood: list[Standing]) -> str:
    """Say how many items of a run are settled, and how many are red."""
    settled = sum(one.is_settled for one in stood)
    red = sum(one.state == TickState.RED for one in stood)
    return f"{settled} of {len(stood)} settled" + (f", {red} red" if red else "")


def _shown(run: ChecklistRun, request: HttpRequest) -> dict[str, Any]:
    stood = standings(run)
    is_open = run.closed_at is None
    shown: list[dict[str, Any]] = [
        {
            "item": one,
            "mark": _MARKS[one.state],
            "is_short": bool(one.command) and _is_short(run, one.key),
        }
        for one in stood
    ]
    groups = [
        (title, [each for each in shown if each["item"].is_settled is is_settled])
        for title, is_settled in (("To be seen to", False), ("Settled", True))
    ]
    return {
        "subtitle": None,
        "title": f"Checklist {run.get_moment_display().lower()}, run {run.pk}",
        "groups": groups,
        "standing": standing_in_words(stood),
        "may_act": is_open and _may_act(request),
        "may_except": is_open and _may_except(request),
        "may_close": is_open
        and _may_act(request)
        and run.deployment_id is None
        and all(one.is_settled for one in stood),
    }


def _item(run: ChecklistRun, key: str) -> Standing:
    for one in standings(run):
        if one.key == key:
            return one
    raise Http404


def _is_short(run: ChecklistRun, key: str) -> bool:
    item = checklists.item_of(run.moment, key)
    return item is not None and item.command is not None and item.command.seconds <= _MOST_SECONDS


def _require_short(run: ChecklistRun, key: str) -> None:
    if not _is_short(run, key):
        raise NotDone(
            f"{key} may take longer than a page can wait: run it with manage.py checklist"
            f" {run.moment} --check {key}."
        )


def _may_act(request: HttpRequest) -> bool:
    return request.user.has_perm("ops.change_checklistrun")


def _may_except(request: HttpRequest) -> bool:
    return request.user.has_perm(services.MAY_EXCEPT)


def _to(run: ChecklistRun) -> HttpResponse:
    return redirect(reverse("admin:ops_checklistrun_change", args=[run.pk]))
