"""What may be asked: each operation's parameters, and nothing else.

A parameter that is not known is refused and not ignored: a mistyped filter would show more
patients, or fewer, than somebody believes to see.
"""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from django.http import QueryDict
from django.utils import timezone
from rest_framework import serializers

from alerts.choices import Standing
from alerts.queries.board import Wanted
from ingestion.choices import FileStatus

# The key of "no department" where departments are named by their names.
NO_DEPARTMENT = "__none__"
PAGE_SIZE = 100
MAX_PAGE_SIZE = 500
MAX_HISTORY = 1000


class Parameters(serializers.Serializer[Any]):
    """Parameters of one operation; refuses what it does not know, and twice what is said once."""

    def to_internal_value(self, data: Any) -> Any:
        """Read, after a look at the names."""
        if isinstance(data, QueryDict):
            data = self._plain(data)
        if isinstance(data, dict) and (unknown := sorted(set(data) - set(self.fields))):
            raise serializers.ValidationError(
                dict.fromkeys(unknown, "This parameter is not known.")
            )
        return super().to_internal_value(data)

    def _plain(self, data: QueryDict) -> dict[str, Any]:
        """Give a query's values; as a form's, empty ones would count as not said at all."""
        lists = {n for n, field in self.fields.items() if isinstance(field, serializers.ListField)}
        repeated = [name for name in data if name not in lists and len(data.getlist(name)) > 1]
        if repeated:
            raise serializers.ValidationError(
                dict.fromkeys(repeated, "This parameter may be given once.")
            )
        return {name: data.getlist(name) if name in lists else data[name] for name in data}


class Instant(serializers.DateTimeField):
    """An instant that has been; without an offset it would be anybody's guess which."""

    def enforce_timezone(self, value: datetime) -> datetime:
        """Refuse a time without offset, and the future, of which nothing is known yet."""
        if value.tzinfo is None:
            raise serializers.ValidationError(
                "An offset is missing: add Z for UTC, or one like +01:00 (%2B01:00 in an address)."
            )
        try:
            at = value.astimezone(UTC)
        except OverflowError:
            self.fail("overflow")
        if at > timezone.now():
            raise serializers.ValidationError("This lies in the future.")
        return at


class KnownAt(Parameters):
    """As of which moment an answer is."""

    known_at = Instant(
        required=False,
        help_text="Answer from what was known here at this moment, and judge as of it. None: now.",
    )


class BoardQuery(KnownAt):
    """Which departments the board is of."""

    department = serializers.ListField(
        child=serializers.CharField(max_length=1000, trim_whitespace=False),
        required=False,
        help_text=f"Departments by name; {NO_DEPARTMENT} for admissions without one. None: all.",
    )


class PatientsQuery(BoardQuery):
    """Which admissions are listed."""

    status = serializers.ChoiceField(
        choices=["open", "discharged"],
        required=False,
        help_text="Open unless said. Discharged ones come latest release first.",
    )
    last_test_hours = serializers.DecimalField(
        max_digits=9,
        decimal_places=3,
        min_value=Decimal(0),
        coerce_to_string=False,
        required=False,
        allow_null=True,
        help_text="At least this many hours without a test.",
    )
    state = serializers.ListField(
        child=serializers.ChoiceField(choices=Standing.choices), required=False
    )
    search = serializers.CharField(
        max_length=200,
        required=False,
        allow_blank=True,
        help_text="Bed, parts of the name, patient number or case number; each word must be found."
        " From a browser, post to patients/search/ instead: names do not belong in addresses.",
    )
    page_size = serializers.IntegerField(
        min_value=1, max_value=MAX_PAGE_SIZE, required=False, help_text=f"{PAGE_SIZE} unless said."
    )
    cursor = serializers.CharField(max_length=400, required=False, allow_null=True)


class PatientSearch(PatientsQuery):
    """The same, in a body."""

    department = None  # type: ignore[assignment]
    departments = serializers.ListField(
        child=serializers.CharField(max_length=1000, trim_whitespace=False),
        required=False,
        help_text=f"Departments by name; {NO_DEPARTMENT} for admissions without one. None: all.",
    )


class LabTestsQuery(KnownAt):
    """Which tests of a patient are listed."""

    from_date = serializers.DateField(
        required=False,
        help_text="Tests ordered, or with a result performed, on this day or later.",
    )
    cursor = serializers.CharField(max_length=400, required=False)


class HistoryQuery(Parameters):
    """How much of a history is listed."""

    limit = serializers.IntegerField(
        min_value=1, max_value=MAX_HISTORY, required=False, help_text=f"{PAGE_SIZE} unless said."
    )


class FeedFilesQuery(KnownAt):
    """Which files are listed."""

    feed = serializers.RegexField(
        r"\A[0-9]{1,18}\Z", required=False, help_text="A feed's id, as feeds/ gives it."
    )
    status = serializers.ChoiceField(choices=FileStatus.choices, required=False)
    cursor = serializers.CharField(max_length=400, required=False)


def departments_in(names: list[str] | None) -> frozenset[str | None]:
    """Read the keys of departments: names, and the one that stands for none."""
    return frozenset(None if name == NO_DEPARTMENT else name for name in names or ())


def wanted_in(asked: dict[str, Any]) -> Wanted:
    """Say which admissions these validated parameters ask for."""
    hours = asked.get("last_test_hours")
    return Wanted(
        departments=departments_in(asked.get("department") or asked.get("departments")),
        states=frozenset(Standing(state) for state in asked.get("state") or ()),
        at_least_hours=None if hours is None else float(hours),
        words=tuple(asked.get("search", "").replace(",", " ").split()),
    )


def asked(parameters: type[Parameters], data: Any) -> dict[str, Any]:
    """Validate what was asked. Raises ValidationError."""
    question = parameters(data=data)
    question.is_valid(raise_exception=True)
    answer: dict[str, Any] = question.validated_data
    return answer
