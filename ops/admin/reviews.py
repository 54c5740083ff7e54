"""Reviews of the trail: the list of those signed, and the page where one is signed."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils import timezone

from ops.models import AuditReview
from ops.readonly import ReadOnlyAdmin
from ops.services.reviewing import NotSigned, sign_review, standing_of


class ReviewForm(forms.Form):
    """The period, in whole days of the hospital, and what was looked at."""

    first_day = forms.DateField(widget=forms.DateInput(attrs={"type": "date"}))
    last_day = forms.DateField(
        widget=forms.DateInput(attrs={"type": "date"}),
        help_text="This day is part of it; today up to this moment.",
    )
    note = forms.CharField(
        label="What you looked at and found",
        max_length=4000,
        widget=forms.Textarea(attrs={"rows": 5, "cols": 70}),
        help_text="It stays on record under your name. Name no patient.",
    )

    def clean(self) -> dict[str, Any]:
        """Refuse a period that has not passed, or ends before it begins."""
        cleaned = super().clean() or self.cleaned_data
        first, last = cleaned.get("first_day"), cleaned.get("last_day")
        if first and last and (last < first or last > timezone.localdate()):
            self.add_error("last_day", "A period ends after it begins, and not after today.")
        return cleaned

    def days(self) -> str:
        """Name the period."""
        return f"{self.cleaned_data['first_day']}/{self.cleaned_data['last_day']}"

    def period(self) -> tuple[datetime, datetime]:
        """Give its beginning and its end."""
        first, last = (
            timezone.make_aware(datetime.combine(day, datetime.min.time()))
            for day in (
                self.cleaned_data["first_day"],
                self.cleaned_data["last_day"] + timedelta(days=1),
            )
        )
        return first, min(last, timezone.now())


@admin.register(AuditReview)
class AuditReviewAdmin(ReadOnlyAdmin):
    """Who signed for which period, and how the trail stood then."""

    shows_patients = False
    list_display = ("signed_at", "signed_by", "period_from", "period_to", "state", "note")
    ordering = ("-signed_at", "-pk")

    def get_urls(self) -> list[URLPattern]:
        """Put the page where one signs before what fits everything."""
        own = path("sign/", self.admin_site.admin_view(self.sign), name="ops_auditreview_sign")
        return [own, *super().get_urls()]

    def sign(self, request: HttpRequest) -> HttpResponse:
        """Ask for period and note, show how it stands, and sign once that is confirmed."""
        if not request.user.has_perm("ops.sign_auditreview"):
            raise PermissionDenied
        form = (
            ReviewForm(request.POST)
            if request.method == "POST"
            else ReviewForm(initial=_last_week())
        )
        if not form.is_valid():
            return self._asked(request, form)
        first, last = form.period()
        # What was shown must be what is signed: another period is shown first.
        if request.POST.get("shown") != form.days():
            standing = standing_of(first, last).words
            return self._asked(request, form, standing=standing, shown=form.days())
        try:
            sign_review(first, last, by=request.user.get_username(), note=form.cleaned_data["note"])
        except NotSigned as error:
            self.message_user(request, str(error), messages.ERROR)
        else:
            self.message_user(request, "Signed, and on record.", messages.SUCCESS)
        return redirect("admin:ops_auditreview_changelist")

    def _asked(self, request: HttpRequest, form: ReviewForm, **shown: str) -> HttpResponse:
        context = {
            **self.admin_site.each_context(request),
            "title": "Sign a review of the trail",
            "form": form,
            **shown,
            "opts": self.opts,
        }
        return TemplateResponse(request, "admin/ops/auditreview/sign.html", context)


def _last_week() -> dict[str, object]:
    today = timezone.localdate()
    return {"first_day": today - timedelta(days=7), "last_day": today - timedelta(days=1)}
