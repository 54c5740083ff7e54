"""What the trail is told before a patient is shown.

Knows which questions are looks, and that a screen repeats them by itself. Must not keep what was
searched for.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from rest_framework.request import Request

from ingestion.queries.realms import realm_seen_by
from ingestion.synthetic import Realm
from ops import audit

_PATIENT = "patient"
# What does not change which patients are asked for.
_NO_FILTER = {"cursor", "page_size"}


def note_patient(request: Request, patient: UUID, act: str, known_at: object = None) -> None:
    """Put on record that somebody opened a patient, or went on to tests or history.

    An open page asks again every few seconds: that is the same look for a quarter of an hour.
    """
    details: dict[str, Any] = {"known_at": str(known_at)} if known_at else {}
    details |= _mark(request)
    audit.look(
        act,
        by=request.user,
        kind=_PATIENT,
        key=patient,
        patient=patient,
        details=details,
        once_per=[str(patient), details],
    )


def note_list(request: Request, wanted: dict[str, Any], body: dict[str, Any]) -> None:
    """Put on record that somebody saw the list, by which filter, or searched it with how many hits.

    Pages of one list and its polls are the same look for a quarter of an hour.
    """
    filters = {
        name: [str(each) for each in value] if isinstance(value, list) else str(value)
        for name, value in sorted(wanted.items())
        if name not in _NO_FILTER and value not in (None, "", [])
    }
    question = {name: value for name, value in filters.items() if name != "search"}
    if "search" not in filters:
        audit.look(
            "patients.listed",
            by=request.user,
            kind="patients",
            details={"filter": question, **_mark(request)},
            once_per=filters,
        )
        return
    hits = {"hits": len(body["results"]), "has_more": body["next"] is not None, **_mark(request)}
    audit.look(
        "patients.searched",
        by=request.user,
        kind="patients",
        details={"filter": question, **hits},
        once_per=filters,
    )


def _mark(request: Request) -> dict[str, bool]:
    """A smoke test looks at nobody: whoever reads the trail must see that."""
    return {"synthetic": True} if realm_seen_by(request.user) is Realm.SYNTHETIC else {}
