"""The record as operators see it: nothing of it is edited by hand."""

from __future__ import annotations

from uuid import UUID

from django.contrib import admin
from django.template.loader import render_to_string
from django.utils.safestring import SafeString

from ingestion import queries
from ingestion.admin.filters import HasParent, HasTest
from ingestion.models import Admission, Department, LabResult, LabTest, Patient, Record
from ingestion.synthetic import is_reserved, is_reserved_department
from ops.readonly import ReadOnlyAdmin

_BOOKKEEPING = ("statements",)
# Of a record that is told again every few seconds nobody reads all versions.
_VERSIONS = 100


@admin.register(Department)
class DepartmentAdmin(ReadOnlyAdmin):
    """Departments as the PMS names them."""

    shows_patients = False
    list_display = ("name", "synthetic")

    @admin.display(boolean=True)
    def synthetic(self, department: Department) -> bool:
        """Mark the smoke patient's: no ward sees it."""
        return is_reserved_department(department.name)


class RecordAdmin(ReadOnlyAdmin):
    """A record, with its versions below it."""

    readonly_fields = ("versions", "synthetic")
    exclude = _BOOKKEEPING
    # By which of its identifiers a record is known to be a smoke test's.
    identifier = "patient_number"

    @admin.display(boolean=True)
    def synthetic(self, record: Record) -> bool:
        """Mark what a smoke test told: no ward sees it."""
        return is_reserved(getattr(record, self.identifier) or "")

    @admin.display(description="versions")
    def versions(self, record: Record) -> SafeString:
        """Tell what was said of it, when that was true and when it became known; newest first."""
        return render_to_string(
            "admin/ingestion/versions.html",
            {"versions": queries.versions_of(record, limit=_VERSIONS), "listed": _VERSIONS},
        )


@admin.register(Patient)
class PatientAdmin(RecordAdmin):
    """Patients."""

    change_form_template = "admin/ingestion/patient.html"
    identifier = "patient_id"
    list_display = (
        "patient_id",
        "last_name",
        "first_name",
        "date_of_birth",
        "last_test_at",
        "synthetic",
    )
    search_fields = ("patient_id", "last_name", "first_name")
    search_help_text = "Number or part of the name. It is not put into the address."
    ordering = ("patient_id",)

    def patient_of(self, one: Patient) -> UUID | None:
        """It is the patient; `patient_id` is the source's number."""
        return one.pk


@admin.register(Admission)
class AdmissionAdmin(RecordAdmin):
    """Admissions, those that wait for their patient too."""

    list_display = (
        "case_number",
        "patient_number",
        "department",
        "room",
        "admitted_at",
        "released_at",
        "synthetic",
    )
    list_filter = (HasParent, "department")
    list_select_related = ("department",)
    search_fields = ("case_number", "patient_number", "room")
    search_help_text = "Case number, patient's number or room."
    ordering = ("-pk",)

    def patient_of(self, one: Admission) -> UUID | None:
        """Whose stay it is, once that is known."""
        return one.patient_id


@admin.register(LabTest)
class LabTestAdmin(RecordAdmin):
    """Tests, those that wait for their patient too."""

    may_be_slightly_old = True
    list_display = (
        "test_id",
        "patient_number",
        "name",
        "ordered_at",
        "status",
        "is_cancelled",
        "synthetic",
    )
    list_filter = (HasParent, "is_cancelled")
    search_fields = ("test_id__startswith", "patient_number__startswith")
    search_help_text = "Beginning of the test's or the patient's number."
    ordering = ("-pk",)

    def patient_of(self, one: LabTest) -> UUID | None:
        """Whose test it is, once that is known."""
        return one.patient_id


@admin.register(LabResult)
class LabResultAdmin(RecordAdmin):
    """Results, those that wait for their test too."""

    may_be_slightly_old = True
    identifier = "test_id"
    list_display = (
        "__str__",
        "test_id",
        "value",
        "unit",
        "performed_at",
        "waits_for",
        "is_withdrawn",
        "synthetic",
    )
    list_filter = (HasTest, "waits_for", "is_withdrawn")
    search_fields = ("result_id__startswith", "test_id__startswith")
    search_help_text = "Beginning of the result's or the test's number."
    ordering = ("-pk",)

    def patient_of(self, one: LabResult) -> UUID | None:
        """Whose test's result it is, once that is known."""
        return one.lab_test.patient_id if one.lab_test else None
