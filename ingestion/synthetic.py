"""What is reserved for the smoke patient, who is nobody: a source, a department, identifiers.

Knows names and how they are told apart. Two realms share the tables and never meet: what the
hospital's systems say, and what a smoke test says. A record's realm is told by its patient's
number, which rows of the other realm cannot bear (`cells`, `loading`).
"""

from __future__ import annotations

from enum import Enum

# Of the source as settings and folders name it, and of the department as a file does.
SOURCE = "vigil-smoke"
DEPARTMENT = "vigil-smoke"
# Before each identifier: patients, cases, tests and results.
PREFIX = "vigil-smoke-"
# All that a smoke test sends; nothing else is taken from its source.
LAYOUTS = ("pms.combined", "lis.combined")
# The columns by which layouts name a department.
DEPARTMENT_COLUMNS = ("department", "ward")


class Realm(Enum):
    """Whose record it is."""

    HOSPITAL = "hospital"
    SYNTHETIC = "synthetic"


def is_reserved(identifier: str) -> bool:
    """Tell whether an identifier is one that only a smoke test may give, in whatever case."""
    return identifier[: len(PREFIX)].casefold() == PREFIX


def is_reserved_department(name: str) -> bool:
    """Tell whether a department is the smoke patient's, in whatever case."""
    return name.strip().casefold() == DEPARTMENT


def realm_of_source(source: str) -> Realm:
    """Give the realm of what a source says."""
    return Realm.SYNTHETIC if source == SOURCE else Realm.HOSPITAL


def realm_of_number(patient_number: str) -> Realm:
    """Give the realm of a patient, by the number."""
    return Realm.SYNTHETIC if patient_number.startswith(PREFIX) else Realm.HOSPITAL
