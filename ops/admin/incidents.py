"""Incidents, as operators read, open, update and close them. Nobody edits one by hand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from ops.choices import IncidentStatus
from ops.errors import IncidentClosed
from ops.models import Incident
from ops.readonly import ReadOnlyAdmin
from ops.registry import probes
from ops.services.incidents import close_incident, open_incident, update_incident

_OTHER = ("other", "Something else")


class WordsForm(forms.Form):
    """What is said, and whether strangers are told."""

    words = forms.CharField(
        max_length=2000,
        widget=forms.Textarea(attrs={"rows": 4, "cols": 70}),
        help_text="It stays on record. Name no patient.",
    )
    is_public = forms.BooleanField(
        label="Tell strangers",
        required=False,
        help_text=(
            "Then these words stand on the public status page, for anybody to read: no patient and"
            " nothing that tells of one, no names of hosts, files or people."
        ),
    )


class NewIncidentForm(WordsForm):
    """A new incident. Its title is for operators; strangers read the component's."""

    component = forms.ChoiceField()
    title = forms.CharField(
        max_length=200,
        widget=forms.TextInput(attrs={"size": 70}),
        help_text="For operators alone: strangers are told the component instead.",
    )
    field_order = ("component", "title", "words", "is_public")

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        choice = self.fields["component"]
        assert isinstance(choice, forms.ChoiceField)
        choice.choices = [*((probe.name, probe.title) for probe in probes()), _OTHER]


@dataclass(frozen=True)
class _Act:
    """One act as operators are asked about it."""

    title: str
    button: str
    consequences: Sequence[str]


_AUDITED = "It is on the audit trail with your name, and is not taken back."
_OPEN = _Act(
    "Open an incident",
    "Open it",
    ("It stands on the landing page until it is closed.", _AUDITED),
)
_UPDATE = _Act("Say more of an incident", "Say it", ("It is added to the incident.", _AUDITED))
_CLOSE = _Act(
    "Close an incident",
    "Close it",
    (
        "It leaves the landing page; strangers who were told of it see that it is over.",
        "If it comes back, a new one is opened.",
        _AUDITED,
    ),
)


@admin.register(Incident)
class IncidentAdmin(ReadOnlyAdmin):
    """What had to be looked after, and what was said of it."""

    list_display = ("title", "component", "status", "opened_at", "opened_by", "closed_at")
    list_filter = ("status", "component")
    search_fields = ("title",)
    search_help_text = "The title."
    ordering = ("-opened_at", "-pk")
    fields = (
        "title", "component", "status", "opened_at", "opened_by", "closed_at", "what_was_said"
    )  # fmt: skip
    change_form_template = "admin/ops/incident.html"
    change_list_template = "admin/ops/incidents.html"

    @admin.display(description="what was said")
    def what_was_said(self, incident: Incident) -> SafeString:
        """List what was said of it, the earliest first."""
        said = format_html_join(
            "",
            "<li>{}, {}{}<br>{}</li>",
            (
                (_when(one.at), one.by, " · strangers are told" if one.is_public else "", one.words)
                for one in incident.updates.all()
            ),
        )
        return format_html('<ol class="said">{}</ol>', said)

    def get_urls(self) -> list[URLPattern]:
        """Put the pages of the acts before what fits everything."""
        view = self.admin_site.admin_view
        return [
            path("open/", view(self.open), name="ops_incident_open"),
            path("<path:object_id>/update/", view(self.say), name="ops_incident_update"),
            path("<path:object_id>/close/", view(self.close), name="ops_incident_close"),
            *super().get_urls(),
        ]

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show the list, and who may open one how to."""
        more = {"may_open": request.user.has_perm("ops.add_incident"), **(extra_context or {})}
        return super().changelist_view(request, more)

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Show one, and the acts that are open to whoever looks."""
        shown = self.get_object(request, object_id)
        is_open = isinstance(shown, Incident) and shown.status == IncidentStatus.OPEN
        may = is_open and request.user.has_perm("ops.change_incident")
        return super().change_view(
            request, object_id, form_url, {"may_act": may, **(extra_context or {})}
        )

    def open(self, request: HttpRequest) -> HttpResponse:
        """Ask for a new incident, and open it."""
        _require(request, "ops.add_incident")
        form = NewIncidentForm(request.POST if request.method == "POST" else None)
        if not form.is_valid():
            return self._ask(request, _OPEN, form, None)
        incident = open_incident(by=request.user.get_username(), **form.cleaned_data)
        if incident.updates.filter(words=form.cleaned_data["words"]).exists():
            self.message_user(request, "Opened.", messages.SUCCESS)
        else:
            text = "It was open already: this is it. Nothing was added; say more of it here."
            self.message_user(request, text, messages.WARNING)
        return redirect("admin:ops_incident_change", incident.pk)

    def say(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask for words, and add them."""
        return self._act(request, object_id, _UPDATE, update_incident, "Said.")

    def close(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask for the last words, and close it."""
        return self._act(request, object_id, _CLOSE, close_incident, "Closed.")

    def _act(
        self, request: HttpRequest, object_id: str, act: _Act, carry_out: Any, done: str
    ) -> HttpResponse:
        _require(request, "ops.change_incident")
        key = int(object_id) if object_id.isdecimal() else 0
        incident = get_object_or_404(Incident, pk=key)
        form = WordsForm(request.POST if request.method == "POST" else None)
        if not form.is_valid():
            return self._ask(request, act, form, incident)
        try:
            carry_out(incident, by=request.user.get_username(), **form.cleaned_data)
        except IncidentClosed as error:
            self.message_user(request, f"{error} Nothing was changed.", messages.ERROR)
        else:
            self.message_user(request, done, messages.SUCCESS)
        return redirect("admin:ops_incident_change", incident.pk)

    def _ask(
        self, request: HttpRequest, act: _Act, form: forms.Form, incident: Incident | None
    ) -> HttpResponse:
        back = (
            reverse("admin:ops_incident_change", args=[incident.pk])
            if incident
            else reverse("admin:ops_incident_changelist")
        )
        context = {
            **self.admin_site.each_context(request),
            "title": act.title,
            "act": act,
            "form": form,
            "incident": incident,
            "back": back,
            "opts": self.opts,
        }
        return TemplateResponse(request, "admin/ops/incident_act.html", context)


def _require(request: HttpRequest, permission: str) -> None:
    if not request.user.has_perm(permission):
        raise PermissionDenied


def _when(at: datetime) -> str:
    return f"{timezone.localtime(at):%H:%M %Z, %d %b %Y}"
