"""The words of alerts, as they are stored and shown."""

from django.db.models import TextChoices


class RuleKind(TextChoices):
    """What a rule watches for."""

    NO_NEW_TEST = "no_new_test", "No new lab test"


class Standing(TextChoices):
    """How an open admission stands to a rule: three answers, because silence is not one."""

    DUE = "due", "Due"
    NOT_DUE = "not_due", "Not due"
    CANNOT_KNOW = "cannot_know", "Cannot know"


class AlertStatus(TextChoices):
    """How far an alert has come."""

    OPEN = "open", "Open"
    RESOLVED = "resolved", "Resolved"


class Resolution(TextChoices):
    """Why an alert ended by itself."""

    NEW_TEST = "new_test", "A new test is on record"
    DISCHARGED = "discharged", "The patient was discharged"
    RECORD_CHANGED = "record_changed", "The record or the rule was changed"
