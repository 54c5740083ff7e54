"""What operators see of alerts, and the thresholds that the hospital sets."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django import forms
from django.contrib import admin
from django.http import HttpRequest

from alerts.models import Alert, AlertRule
from alerts.services.rules import delete_rule, keep_rule
from ingestion.models import Department
from ingestion.queries.realms import departments_of
from ingestion.synthetic import Realm, is_reserved
from ops.readonly import ReadOnlyAdmin


class AlertRuleForm(forms.ModelForm):  # type: ignore[type-arg]
    """Thresholds in hours."""

    class Meta:
        model = AlertRule
        fields = ("department", "threshold_hours", "second_tier_hours")

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        # The smoke patient's has none of its own: the default holds there, whatever is declared.
        if isinstance(choice := self.fields.get("department"), forms.ModelChoiceField):
            choice.queryset = Department.objects.filter(departments_of(Realm.HOSPITAL))

    def clean(self) -> dict[str, Any]:
        """Refuse a second tier that would come before the first."""
        cleaned = super().clean() or self.cleaned_data
        first, second = cleaned.get("threshold_hours"), cleaned.get("second_tier_hours")
        if first is not None and second is not None and second <= first:
            self.add_error("second_tier_hours", "The second tier must lie beyond the first.")
        return cleaned


@admin.register(AlertRule)
class AlertRuleAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """One rule for every department, and one for each that has its own."""

    form = AlertRuleForm
    list_display = ("__str__", "threshold_hours", "second_tier_hours")
    list_select_related = ("department",)
    # Deleting many at once would ask for each rule too late whether it may go.
    actions = None

    def get_readonly_fields(
        self, request: HttpRequest, obj: AlertRule | None = None
    ) -> tuple[str, ...]:
        """A rule stays the rule of its department: moved to another, both would change at once."""
        return ("department",) if obj else ()

    def has_delete_permission(self, request: HttpRequest, obj: AlertRule | None = None) -> bool:
        """Refuse for the default rule, on which every other department rests."""
        is_default = obj is not None and obj.department_id is None
        return not is_default and super().has_delete_permission(request, obj)

    def save_model(self, request: HttpRequest, obj: AlertRule, form: Any, change: bool) -> None:
        """Save as the act that it is."""
        keep_rule(obj, by=request.user.get_username())

    def delete_model(self, request: HttpRequest, obj: AlertRule) -> None:
        """Delete as the act that it is."""
        delete_rule(obj, by=request.user.get_username())


@admin.register(Alert)
class AlertAdmin(ReadOnlyAdmin):
    """Alerts and how each ended."""

    list_display = (
        "raised_at",
        "admission",
        "department",
        "status",
        "tier",
        "unknown_since",
        "resolved_at",
        "resolution",
        "synthetic",
    )
    readonly_fields = ("synthetic",)
    list_filter = ("status", "tier", "resolution", "admission__department")
    list_select_related = ("admission__department",)
    search_fields = ("admission__case_number", "admission__patient_number")
    search_help_text = "Case number or patient's number."
    ordering = ("-pk",)

    @admin.display(boolean=True)
    def synthetic(self, alert: Alert) -> bool:
        """Mark a smoke test's: nobody is told of it."""
        return is_reserved(alert.admission.patient_number)

    @admin.display(ordering="admission__department__name")
    def department(self, alert: Alert) -> str:
        """Name where the patient lies."""
        return str(alert.admission.department or "–")

    def patient_of(self, one: Alert) -> UUID | None:
        """Whose alert it is."""
        return one.admission.patient_id
