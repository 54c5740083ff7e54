"""How the open admissions stand to the rule, at any instant.

Reads only. One definition serves the board, the command line and the evaluation: what is
kept (`quiet_since`) where it is not later than the instant, else computed from the tests.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Case, DateTimeField, F, OuterRef, QuerySet, Subquery, Value, When
from django.db.models.functions import Greatest

from alerts.choices import RuleKind
from alerts.conditions import Judgement, Limits, judge
from alerts.models import AlertRule
from ingestion.models import Admission, LabResult, LabTest
from ingestion.queries import Freshness, freshness_of_feeds
from ingestion.queries.realms import patients_of
from ingestion.synthetic import Realm, is_reserved_department


@dataclass(frozen=True)
class Rulebook:
    """The rule in force: the default, and the departments' own by their keys."""

    default: AlertRule
    by_department: Mapping[int, AlertRule]

    def rule_for(self, department: int | None) -> AlertRule:
        """Give the rule of a department; of none, the default."""
        return self.by_department.get(department, self.default) if department else self.default

    def limits_for(self, department: int | None) -> Limits:
        """Give the limits that hold in a department."""
        rule = self.rule_for(department)
        return Limits(rule.threshold_hours, rule.second_tier_hours)

    def limits_by_name(self, department: str | None) -> Limits:
        """Give the limits that hold in a department, by its name."""
        keys = (
            key for key, rule in self.by_department.items() if str(rule.department) == department
        )
        return self.limits_for(next(keys, None))


def rulebook() -> Rulebook:
    """Read the rule in force. A default rule that was lost is made again: 48 h, then 72 h."""
    rules = list(AlertRule.objects.filter(kind=RuleKind.NO_NEW_TEST).select_related("department"))
    default = next((rule for rule in rules if rule.department_id is None), None)
    return Rulebook(
        default or AlertRule.objects.get_or_create(kind=RuleKind.NO_NEW_TEST, department=None)[0],
        {rule.department_id: rule for rule in rules if rule.department_id is not None},
    )


@dataclass(frozen=True)
class Vision:
    """What can be told at an instant: the rule in force, and the lab feeds that are not alive.

    Of one realm alone: the hospital's feeds tell nothing of a smoke patient, nor its of them.
    """

    at: datetime
    rulebook: Rulebook
    silent: tuple[Freshness, ...]
    realm: Realm = Realm.HOSPITAL

    @property
    def is_blind(self) -> bool:
        """Tell whether an absence of tests means nothing now."""
        return bool(self.silent)

    @property
    def cannot_know_since(self) -> datetime | None:
        """Give the time after which the longest silent lab feed has told nothing."""
        times = [feed.newest_source_time for feed in self.silent]
        return min((time for time in times if time), default=None)

    def judge(self, quiet_since: datetime, department: int | None) -> Judgement:
        """Judge one admission."""
        return judge(
            quiet_since,
            at=self.at,
            limits=self.rulebook.limits_for(department),
            is_blind=self.is_blind,
        )


def vision_at(at: datetime, *, realm: Realm = Realm.HOSPITAL) -> Vision:
    """Look at the rule and at every LIS feed that has ever delivered and is not retired."""
    return vision_through(freshness_of_feeds(at, system="LIS", realm=realm), at=at, realm=realm)


def vision_through(
    feeds: Iterable[Freshness], *, at: datetime, realm: Realm = Realm.HOSPITAL
) -> Vision:
    """Look through a realm's feeds that have been judged; only those of the LIS can blind."""
    silent = (one for one in feeds if one.feed.system == "LIS" and not one.is_alive)
    return Vision(at, _rulebook_of(realm), tuple(silent), realm)


def _rulebook_of(realm: Realm) -> Rulebook:
    """Give the rule in force. The smoke patient's is the default, whatever is declared."""
    found = rulebook()
    if realm is Realm.SYNTHETIC:
        return Rulebook(found.default, {})
    return Rulebook(
        found.default,
        {
            key: rule
            for key, rule in found.by_department.items()
            if not is_reserved_department(str(rule.department))
        },
    )


def open_admissions(realm: Realm = Realm.HOSPITAL) -> QuerySet[Admission]:
    """Admissions of a realm's known patients without a confirmed release."""
    return Admission.objects.filter(
        patients_of(realm), released_at__isnull=True, patient__isnull=False
    )


def standing_admissions(vision: Vision) -> QuerySet[Admission]:
    """Open admissions with `quiet`, `last_test` and `due_before`: due if `quiet` is before it."""
    at = vision.at
    last_test: Case = Case(
        When(patient__last_test_at__lte=at, then=F("patient__last_test_at")),
        When(patient__last_test_at__isnull=True, then=None),
        default=_last_test_until(at),
        output_field=DateTimeField(),
    )
    return open_admissions(vision.realm).annotate(
        quiet=Case(
            When(quiet_since__lte=at, then=F("quiet_since")),
            default=Greatest("admitted_at", _last_test_until(at)),
            output_field=DateTimeField(),
        ),
        last_test=last_test,
        due_before=instant_beyond(vision, "threshold_hours"),
    )


def overdue_admissions(vision: Vision) -> QuerySet[Admission]:
    """Open admissions whose hours without a test exceed their threshold, longest first."""
    standing: QuerySet[Any] = standing_admissions(vision)
    return (
        standing.filter(quiet__lt=F("due_before"))
        .select_related("patient", "department")
        .order_by("quiet", "patient_number", "case_number")
    )


def instant_beyond(vision: Vision, name: str) -> Case:
    """The instant before which quiet must have begun to be beyond a limit, by department."""

    def before(rule: AlertRule) -> Value:
        hours = getattr(rule, name)
        # A rule without a second tier has no such instant: nothing is before it.
        return Value(None if hours is None else vision.at - timedelta(hours=hours))

    return Case(
        *(
            When(department_id=key, then=before(rule))
            for key, rule in vision.rulebook.by_department.items()
        ),
        default=before(vision.rulebook.default),
        output_field=DateTimeField(),
    )


def _last_test_until(at: datetime) -> Subquery:
    """The patient's last test as an earlier instant knew it: later tests are ignored.

    No join: for each test its results are looked up by the index, also where the tables' names
    stand for what was known at an earlier moment.
    """
    performed = (
        LabResult.objects.filter(
            lab_test=OuterRef("pk"), is_withdrawn=False, is_taken_back=False, performed_at__lte=at
        )
        .order_by("-performed_at")
        .values("performed_at")[:1]
    )
    ordered = Case(When(ordered_at__lte=at, then=F("ordered_at")), output_field=DateTimeField())
    tests = LabTest.objects.filter(patient=OuterRef("patient"), is_cancelled=False)
    latest = tests.annotate(latest=Greatest(ordered, Subquery(performed)))
    return Subquery(latest.filter(latest__isnull=False).order_by("-latest").values("latest")[:1])
