"""Who may see what: the one place that keeps the smoke patient and the hospital apart.

Whatever shows, counts or judges patients, feeds or files asks here. Who names no realm gets the
hospital's; the smoke account gets the other, and nobody gets both.
"""

from __future__ import annotations

from typing import Any

from django.db.models import Q

from ingestion.choices import FileStatus
from ingestion.synthetic import DEPARTMENT, PREFIX, SOURCE, Realm
from ops.roles import SMOKE_ACCOUNT


def realm_seen_by(user: Any) -> Realm:
    """Give the realm that somebody sees, whatever rights that person has besides."""
    is_smoke = user.get_username() == SMOKE_ACCOUNT
    return Realm.SYNTHETIC if is_smoke else Realm.HOSPITAL


def patients_of(realm: Realm, *, through: str = "patient_number") -> Q:
    """Whose records these are; `through` leads to the number of their patient."""
    return _in(realm, Q(**{f"{through}__startswith": PREFIX}))


def feeds_of(realm: Realm, *, through: str = "source") -> Q:
    """Whose feeds these are; `through` leads to their source."""
    return _in(realm, Q(**{through: SOURCE}))


def departments_of(realm: Realm) -> Q:
    """Whose departments these are."""
    return _in(realm, Q(name=DEPARTMENT))


def files_of(realm: Realm, *, through: str = "") -> Q:
    """Whose files these are; `through` leads to them.

    What was refused in the reserved source stays the hospital's concern: it was no smoke test's, or
    it would not have been refused, so it may speak of a patient whom nobody knows of.
    """
    is_smoke = Q(**{f"{through}source": SOURCE})
    if realm is Realm.HOSPITAL:
        is_smoke &= ~Q(**{f"{through}status": FileStatus.REFUSED})
    return _in(realm, is_smoke)


def _in(realm: Realm, is_synthetic: Q) -> Q:
    return is_synthetic if realm is Realm.SYNTHETIC else ~is_synthetic
