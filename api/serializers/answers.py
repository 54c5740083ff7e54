"""The shapes of the answers, for the schema from which the frontend takes its types.

Nothing is rendered through these: `record` makes the values. A test holds each answer of each
operation against its shape, so that neither can drift from the other.
"""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from alerts.choices import AlertStatus, Standing
from ingestion.choices import FileStatus, FoundBy, RecordKind

Shape = serializers.Serializer[Any]

FRESHNESS = [
    ("fresh", "Fresh"),
    ("late", "Late: nearly silent"),
    ("catching_up", "Catching up"),
    ("silent", "Silent"),
]
SYSTEMS = [("LIS", "Laboratory Information System"), ("PMS", "Patient Management System")]
DOUBTS = [
    ("admission_rows_rejected", "Admission rows rejected and not settled"),
    ("admission_rows_waiting", "Open admissions whose patient is not known"),
    ("lab_rows_rejected", "Lab rows rejected and not settled"),
    ("files_refused", "Files refused"),
    ("files_not_done", "Files received and not read"),
    ("feed_silent", "A feed that tells nothing"),
]


def _text() -> serializers.CharField:
    return serializers.CharField(allow_null=True)


def _time() -> serializers.DateTimeField:
    return serializers.DateTimeField()


def _time_or_null() -> serializers.DateTimeField:
    return serializers.DateTimeField(allow_null=True)


class User(Shape):
    """Who is signed in."""

    username = serializers.CharField()
    display_name = serializers.CharField()
    is_operator = serializers.BooleanField()


class Session(Shape):
    """The session, also of nobody."""

    signed_in = serializers.BooleanField()
    user = User(allow_null=True)
    demo = serializers.BooleanField()
    time_zone = serializers.CharField()
    idle_sign_out_seconds = serializers.IntegerField()
    version = serializers.CharField()
    csrf_token = serializers.CharField()


class DepartmentRule(Shape):
    """A department's own thresholds."""

    department = serializers.CharField()
    threshold_hours = serializers.IntegerField()
    second_tier_hours = serializers.IntegerField(allow_null=True)


class Rule(Shape):
    """The rule in force. Without a second tier nothing is ever in tier 2."""

    threshold_hours = serializers.IntegerField()
    second_tier_hours = serializers.IntegerField(allow_null=True)
    departments = DepartmentRule(many=True)


class Counts(Shape):
    """How many open admissions stand how."""

    open = serializers.IntegerField()
    due = serializers.IntegerField()
    beyond_second_tier = serializers.IntegerField()
    cannot_know = serializers.IntegerField()
    not_due = serializers.IntegerField()


class Feed(Shape):
    """A feed that has delivered, and how fresh it is."""

    id = serializers.CharField(help_text="Opaque.")
    feed = serializers.CharField(help_text="The layout, for example lis.lab_tests.")
    source = serializers.CharField()  # type: ignore[assignment]
    system = serializers.ChoiceField(choices=SYSTEMS)
    freshness = serializers.ChoiceField(choices=FRESHNESS)
    newest_source_time = _time_or_null()
    silent_since = _time_or_null()
    interval_minutes = serializers.IntegerField()


class Doubt(Shape):
    """Something that the board cannot vouch for; department null: it cannot be told which."""

    kind = serializers.ChoiceField(choices=DOUBTS)
    department = _text()
    count = serializers.IntegerField()
    feed = _text()
    since = _time_or_null()


class Board(Shape):
    """What stands around the list of patients."""

    as_of = _time()
    known_at = _time_or_null()
    time_zone = serializers.CharField()
    rule = Rule()
    counts = Counts()
    cannot_know_since = _time_or_null()
    feeds = Feed(many=True)
    doubts = Doubt(many=True)


class LastTest(Shape):
    """The last test that counts; a test's name may be missing."""

    name = _text()
    at = _time()


class Person(Shape):
    """Who a patient is."""

    id = serializers.UUIDField()
    patient_id = serializers.CharField()
    name = serializers.CharField()
    first_name = _text()
    last_name = _text()
    date_of_birth = serializers.DateField(allow_null=True)
    gender = _text()


class Admission(Shape):
    """One stay."""

    id = serializers.IntegerField()
    case_number = serializers.CharField()
    department = _text()
    room = _text()
    admitted_at = _time()
    released_at = _time_or_null()
    planned_release_at = _time_or_null()


class Stands(Shape):
    """How an admission stands to its rule; `hours_without_test` is null once discharged."""

    quiet_since = _time()
    hours_without_test = serializers.FloatField(allow_null=True)
    threshold_hours = serializers.IntegerField()
    second_tier_hours = serializers.IntegerField(allow_null=True)
    tier = serializers.IntegerField(min_value=0, max_value=2)
    state = serializers.ChoiceField(choices=Standing.choices)
    cannot_know_since = _time_or_null()


class PatientItem(Person, Stands):
    """A patient in one admission: two admissions are two items."""

    admission = Admission()
    last_test = LastTest(allow_null=True)


class PatientPage(Shape):
    """Patients, longest without a test first."""

    as_of = _time()
    known_at = _time_or_null()
    next = _text()
    results = PatientItem(many=True)


class Origin(Shape):
    """The file and line that said something last, and when that became known here."""

    file = serializers.CharField()
    line = serializers.IntegerField()
    source_time = _time()
    known_at = _time_or_null()


class Change(Shape):
    """One attribute that a version changed, as text."""

    attribute = serializers.CharField()
    before = _text()
    now = _text()


class Version(Shape):
    """One version of one record. A late one changed nothing: `stated` is what it said."""

    kind = serializers.ChoiceField(choices=RecordKind.choices)
    identifier = serializers.CharField(help_text="What the source calls it.")
    said_at = _time_or_null()
    known_at = _time_or_null()
    file = _text()
    line = serializers.IntegerField()
    is_late = serializers.BooleanField()
    changes = Change(many=True)
    stated = serializers.DictField(child=serializers.CharField(allow_null=True))


class History(Shape):
    """Versions of a patient's records, newest known first; `has_more`: there are older ones."""

    as_of = _time()
    has_more = serializers.BooleanField()
    results = Version(many=True)


class OpenAlert(Shape):
    """An alert that is not resolved."""

    raised_at = _time()
    status = serializers.ChoiceField(choices=AlertStatus.choices)


class AdmissionDetail(Admission, Stands):
    """One stay, with its alert and where it was told."""

    is_open = serializers.BooleanField()
    alert = OpenAlert(allow_null=True)
    case_number_conflict = serializers.BooleanField()
    origin = Origin()


class PatientDetail(Person):
    """A patient with every admission, newest first."""

    as_of = _time()
    known_at = _time_or_null()
    primary_physician = _text()
    insurance_provider = _text()
    blood_type = _text()
    allergies = _text()
    extra = serializers.DictField(child=serializers.CharField(allow_null=True))
    origin = Origin()
    last_test = LastTest(allow_null=True)
    admissions = AdmissionDetail(many=True)


class LabResult(Shape):
    """One result; `number` in decimal digits, where the value is one."""

    id = serializers.IntegerField()
    result_id = _text()
    value = _text()
    number = _text()
    comparator = serializers.ChoiceField(choices=["<", ">", "<=", ">="], allow_null=True)
    unit = _text()
    unit_is_ambiguous = serializers.BooleanField()
    reference_range = _text()
    status = _text()
    is_withdrawn = serializers.BooleanField()
    performed_at = _time()
    reviewing_physician = _text()
    origin = Origin()


class LabTest(Shape):
    """One test with its results."""

    id = serializers.IntegerField()
    test_id = serializers.CharField()
    name = _text()
    ordered_at = _time()
    ordering_physician = _text()
    lab_location = _text()
    status = _text()
    is_cancelled = serializers.BooleanField()
    test_id_conflict = serializers.BooleanField()
    origin = Origin()
    results = LabResult(many=True)


class LabTestPage(Shape):
    """Tests of a patient, newest first."""

    known_at = _time_or_null()
    next = _text()
    results = LabTest(many=True)


class Department(Shape):
    """One department, or those who are in none (name null)."""

    key = serializers.CharField()
    name = _text()
    open_admissions = serializers.IntegerField()
    due = serializers.IntegerField()
    beyond_second_tier = serializers.IntegerField()
    cannot_know = serializers.IntegerField()
    threshold_hours = serializers.IntegerField()
    second_tier_hours = serializers.IntegerField(allow_null=True)


class DepartmentPage(Shape):
    """Every department that an admission has mentioned."""

    as_of = _time()
    known_at = _time_or_null()
    results = Department(many=True)


class NewestFile(Shape):
    """The ingested file with the newest source time."""

    key = serializers.CharField()
    source_time = _time()
    finished_at = _time_or_null()
    rows = serializers.IntegerField()


class FileCounts(Shape):
    """How many files ended how."""

    ingested = serializers.IntegerField()
    refused = serializers.IntegerField()


class FeedDetail(Feed):
    """A feed and what came of its files; `rejected` and `waiting` count what is still open."""

    newest_file = NewestFile(allow_null=True)
    files = FileCounts()
    rows = serializers.IntegerField()
    rejected = serializers.IntegerField()
    waiting = serializers.IntegerField()
    flaws = serializers.IntegerField()


class FeedPage(Shape):
    """Every feed that has delivered and is not retired, and the files that belong to none."""

    as_of = _time()
    known_at = _time_or_null()
    results = FeedDetail(many=True)
    refused_files_without_feed = serializers.IntegerField()
    files_not_done = serializers.IntegerField()


class FeedFile(Shape):
    """One file and the ledger of its rows."""

    id = serializers.CharField(help_text="Opaque.")
    key = serializers.CharField()
    source = serializers.CharField()  # type: ignore[assignment]
    feed = _text()
    status = serializers.ChoiceField(choices=FileStatus.choices)
    reason = _text()
    found_by = serializers.ChoiceField(
        choices=FoundBy.choices, help_text="What told of it first; `sweep`: no notice had."
    )
    source_time = _time()
    received_at = _time()
    finished_at = _time_or_null()
    rows = serializers.IntegerField()
    created = serializers.IntegerField()
    updated = serializers.IntegerField()
    unchanged = serializers.IntegerField()
    superseded = serializers.IntegerField()
    waiting = serializers.IntegerField()
    rejected = serializers.IntegerField()
    flaws = serializers.IntegerField()


class FeedFilePage(Shape):
    """Files as they came, newest first."""

    known_at = _time_or_null()
    next = _text()
    results = FeedFile(many=True)
