"""The clinical record: one row per identity, each attribute from the latest version that states it.

Every version is on record: the row is the latest, and what it was before each change is put aside.
What is derived is not: it follows from the rest.

Waiting records are rows of the same tables without their parent's key, so that what arrives
first and what arrives last are merged alike. Written by ingestion.services.records alone.
"""

from __future__ import annotations

import uuid

from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import MD5

from ingestion.choices import WaitReason
from ingestion.models.feeds import FeedFile
from ops.models import remembers


class NumericField(models.DecimalField):  # type: ignore[type-arg]
    """PostgreSQL's numeric without a fixed scale: a laboratory's decimals are kept as sent."""

    def db_type(self, connection: object) -> str:
        """Give the column's type: no precision, no scale."""
        return "numeric"

    def _check_decimal_places(self) -> list[object]:
        return []

    def _check_max_digits(self) -> list[object]:
        return []

    def _check_decimal_places_and_max_digits(self, **_kwargs: object) -> list[object]:
        return []


class Department(models.Model):
    """A ward as the PMS names it; made by the first admission that mentions it."""

    name = models.TextField()

    class Meta:
        constraints = [
            # By its hash: a thousand characters of some scripts do not fit into an index.
            models.UniqueConstraint(MD5("name"), name="one_department_per_name")
        ]
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class Record(models.Model):
    """What every record carries: who said it last, who said it first, and what was said extra.

    `statements` maps each column set in which this record was ever stated to the newest
    version that stated it: {column set: [source time in µs, feed file, line]}. From it follows,
    attribute by attribute, which version wins, whatever the order of arrival. `said_at` is the
    source time of the latest of them; `known_at` is when the row became what it is, here, and
    never goes back.
    """

    extra = models.JSONField(default=dict)
    statements = models.JSONField(default=dict)
    # No database constraint on these two: a feed file is never deleted, and checking both for
    # each row of a bulk load doubles its cost. `manage.py books` holds them against the ledgers.
    said_in = models.ForeignKey(
        FeedFile, on_delete=models.DO_NOTHING, db_constraint=False, db_index=False, related_name="+"
    )
    said_line = models.PositiveIntegerField()
    said_at = models.DateTimeField(null=True)
    known_at = models.DateTimeField(null=True)
    created_in = models.ForeignKey(
        FeedFile, on_delete=models.DO_NOTHING, db_constraint=False, db_index=False, related_name="+"
    )
    created_line = models.PositiveIntegerField()

    class Meta:
        abstract = True


@remembers("PatientBefore", exclude=["last_test_at", "last_test_number", "last_test_name"])
class Patient(Record):
    """One person, by the PMS's patient_id. Holds name, birth date and other personal data.

    The last three fields are derived: the latest order or performed time that counts, and the test
    that it is of. Of several, that with the greatest number.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    patient_id = models.CharField(max_length=64, unique=True)
    first_name = models.TextField(null=True)
    last_name = models.TextField(null=True)
    date_of_birth = models.DateField(null=True)
    gender = models.TextField(null=True)
    primary_physician = models.TextField(null=True)
    insurance_provider = models.TextField(null=True)
    blood_type = models.TextField(null=True)
    allergies = models.TextField(null=True)
    last_test_at = models.DateTimeField(null=True)
    last_test_number = models.CharField(max_length=64, null=True, help_text="Its test_id.")
    last_test_name = models.TextField(null=True)

    class Meta:
        indexes = [BrinIndex(fields=["known_at"], name="patients_by_known")]

    def __str__(self) -> str:
        return self.patient_id

    @property
    def name(self) -> str:
        """The name as a ward says it: last name first; the number where no name is known."""
        return ", ".join(filter(None, (self.last_name, self.first_name))) or self.patient_id


@remembers("AdmissionBefore", exclude=["quiet_since"])
class Admission(Record):
    """One stay, by (case number, patient). Without `patient` it waits for the patient's row.

    The stated release is kept as sent; `released_at` (confirmed) and `planned_release_at` are
    what it means beside the admission on record. Open: no `released_at`. `quiet_since` is the
    later of the admission and the patient's last test.
    """

    case_number = models.CharField(max_length=64)
    patient_number = models.CharField(max_length=64, help_text="The source's patient_id.")
    patient = models.ForeignKey(
        Patient, null=True, on_delete=models.PROTECT, related_name="admissions"
    )
    admitted_at = models.DateTimeField()
    stated_release_at = models.DateTimeField(null=True)
    is_stated_release_confirmed = models.BooleanField(default=False)
    released_at = models.DateTimeField(null=True)
    planned_release_at = models.DateTimeField(null=True)
    department = models.ForeignKey(
        Department, null=True, on_delete=models.PROTECT, related_name="admissions"
    )
    room = models.TextField(null=True)
    quiet_since = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["case_number", "patient_number"], name="one_admission_per_case_and_patient"
            ),
            models.CheckConstraint(
                name="release_not_before_admission",
                condition=Q(released_at__isnull=True) | Q(released_at__gte=F("admitted_at")),
            ),
            models.CheckConstraint(
                name="planned_release_not_before_admission",
                condition=Q(planned_release_at__isnull=True)
                | Q(planned_release_at__gte=F("admitted_at")),
            ),
            models.CheckConstraint(
                name="a_release_is_confirmed_or_planned",
                condition=Q(released_at__isnull=True) | Q(planned_release_at__isnull=True),
            ),
            models.CheckConstraint(
                name="quiet_not_before_admission", condition=Q(quiet_since__gte=F("admitted_at"))
            ),
        ]
        indexes = [
            models.Index(
                fields=["quiet_since", "id"],
                name="open_admissions_by_quiet",
                condition=Q(released_at__isnull=True, patient__isnull=False),
            ),
            models.Index(
                fields=["patient_number"],
                name="admissions_awaiting_patient",
                condition=Q(patient__isnull=True),
            ),
            BrinIndex(fields=["known_at"], name="admissions_by_known"),
        ]

    def __str__(self) -> str:
        return self.case_number


@remembers("LabTestBefore")
class LabTest(Record):
    """One order, by (test_id, patient). Without `patient` it waits for the patient's row."""

    test_id = models.CharField(max_length=64)
    patient_number = models.CharField(max_length=64, help_text="The source's patient_id.")
    patient = models.ForeignKey(
        Patient, null=True, on_delete=models.PROTECT, related_name="lab_tests", db_index=False
    )
    name = models.TextField(null=True)
    ordered_at = models.DateTimeField()
    ordering_physician = models.TextField(null=True)
    case_number = models.TextField(null=True)
    lab_location = models.TextField(null=True)
    status = models.TextField(null=True)
    is_cancelled = models.BooleanField(default=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["test_id", "patient_number"], name="one_test_per_id_and_patient"
            )
        ]
        indexes = [
            models.Index(fields=["patient", "-ordered_at"], name="tests_of_patient"),
            models.Index(
                fields=["patient_number"],
                name="tests_awaiting_patient",
                condition=Q(patient__isnull=True),
            ),
            BrinIndex(fields=["known_at"], name="tests_by_known"),
        ]

    def __str__(self) -> str:
        return self.test_id


@remembers("LabResultBefore")
class LabResult(Record):
    """One result, by result_id; that of a combined row has none and is identified by its test.

    Without `lab_test` it waits, and `waits_for` says why. `is_taken_back`: a later combined row of
    the same test came without a result; such a row stays to remember when, and is no result.
    """

    # A combined row without a result begins no result: this is null until one came.
    created_in = models.ForeignKey(  # type: ignore[assignment]
        FeedFile,
        null=True,
        on_delete=models.DO_NOTHING,
        db_constraint=False,
        db_index=False,
        related_name="+",
    )
    created_line = models.PositiveIntegerField(null=True)  # type: ignore[assignment]
    result_id = models.CharField(max_length=64, null=True)
    test_id = models.CharField(max_length=64)
    patient_number = models.CharField(max_length=64, null=True)
    lab_test = models.ForeignKey(
        LabTest, null=True, on_delete=models.PROTECT, related_name="results", db_index=False
    )
    waits_for = models.CharField(max_length=16, null=True, choices=WaitReason.choices)
    performed_at = models.DateTimeField(null=True)
    value = models.TextField(null=True)
    number = NumericField(null=True)
    comparator = models.CharField(max_length=2, null=True)
    unit = models.TextField(null=True)
    unit_is_ambiguous = models.BooleanField(default=False)
    reference_range = models.TextField(null=True)
    status = models.TextField(null=True)
    is_withdrawn = models.BooleanField(default=False)
    is_taken_back = models.BooleanField(default=False)
    reviewing_physician = models.TextField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["result_id"], name="one_result_per_id"),
            models.UniqueConstraint(
                fields=["test_id", "patient_number"],
                condition=Q(result_id__isnull=True),
                name="one_combined_result_per_test",
            ),
            models.CheckConstraint(
                name="a_result_has_its_test_or_waits",
                condition=Q(lab_test__isnull=False, waits_for__isnull=True)
                | Q(lab_test__isnull=True, waits_for__isnull=False),
            ),
            models.CheckConstraint(
                name="only_combined_results_are_taken_back",
                condition=Q(is_taken_back=False) | Q(result_id__isnull=True, value__isnull=True),
            ),
        ]
        indexes = [
            models.Index(fields=["test_id"], name="results_by_test_id"),
            models.Index(fields=["lab_test", "-performed_at"], name="results_of_test"),
            BrinIndex(fields=["known_at"], name="results_by_known"),
        ]

    def __str__(self) -> str:
        return self.result_id or self.test_id
