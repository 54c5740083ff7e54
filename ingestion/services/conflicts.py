"""One identifier, several patients: what is in conflict, and an operator's decision about it.

Newer data from the source wins over any decision: a decision speaks of the sides that it saw, and
once the source adds or cancels one, the contract's own rule holds again.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection, transaction
from django.utils import timezone

from ingestion.choices import ConflictKind, WaitReason
from ingestion.errors import NotCarriedOut
from ingestion.models import Admission, ConflictDecision, LabResult, LabTest, Patient
from ingestion.queries import Conflict, conflicting_admissions, conflicting_tests
from ingestion.services.belonging import attach_results
from ingestion.services.changes import note_change
from ingestion.services.locking import take_turn
from ingestion.services.quiet import recompute_quiet
from ingestion.services.settling import settle_stage
from ingestion.services.staging import Stage, bring_stage
from ingestion.services.tables import ColumnSets
from ingestion.signals import records_changed
from ops import audit

NOBODY = ""


@dataclass(frozen=True)
class Standing:
    """One conflict, and the decision that holds for its sides as they are now, if there is one."""

    kind: ConflictKind
    conflict: Conflict
    decision: ConflictDecision | None

    @property
    def sides(self) -> list[str]:
        """Name the patients, by their numbers."""
        return sorted({one.patient_number for one in self.conflict.sides})


def conflicts_at_hand(*, limit: int) -> list[Standing]:
    """List the conflicts of both kinds, each with the decision that holds for it."""
    found = [
        (ConflictKind.TEST_ID, conflicting_tests(limit=limit)),
        (ConflictKind.CASE_NUMBER, conflicting_admissions(limit=limit)),
    ]
    return [standing for kind, conflicts in found for standing in _standing(kind, conflicts)]


def _standing(kind: ConflictKind, conflicts: list[Conflict]) -> list[Standing]:
    """Put the newest decision beside each conflict, if it speaks of these sides and no others."""
    newest: dict[str, ConflictDecision] = {}
    decisions = ConflictDecision.objects.filter(
        kind=kind, identifier__in=[one.identifier for one in conflicts]
    )
    for decision in decisions.order_by("-decided_at", "-pk"):
        newest.setdefault(decision.identifier, decision)
    found = []
    for one in conflicts:
        made = newest.get(one.identifier)
        standing = Standing(kind, one, made)
        holds = made is not None and sorted(made.sides) == standing.sides
        found.append(standing if holds else Standing(kind, one, None))
    return found


def standing_of(kind: ConflictKind, identifier: str) -> Standing | None:
    """Give one conflict as it stands, or None where there is none."""
    if not conflict_of(kind, identifier):
        return None
    records = _records(kind, identifier).select_related("patient", "said_in")
    sides = list(records.order_by("patient_number"))
    waiting = LabResult.objects.filter(test_id=identifier, waits_for=WaitReason.AMBIGUOUS_TEST)
    count = waiting.count() if kind == ConflictKind.TEST_ID else 0
    return _standing(kind, [Conflict(identifier, sides, count)])[0]


def conflict_of(kind: ConflictKind, identifier: str) -> list[str]:
    """Name the patients between whom an identifier is in conflict; none where it is not."""
    sides = sorted(set(_records(kind, identifier).values_list("patient_number", flat=True)))
    return sides if len(sides) > 1 else []


def decide_conflict(
    kind: ConflictKind,
    identifier: str,
    *,
    sides: Collection[str],
    belongs_to: str,
    by: str,
    why: str,
) -> ConflictDecision:
    """Decide a conflict as it was seen, and let it take effect at once.

    `belongs_to` is the patient to whose test results belong that name only the test id, or NOBODY:
    all sides are real. `sides` is what the operator saw. Raises NotCarriedOut if they are others by
    now, so that nobody decides on what was not shown.
    """
    _require(kind, sides, belongs_to, by, why)
    with transaction.atomic():
        # A side that came at this moment would not be seen.
        take_turn((), has_subjects=False, alone=True)
        if conflict_of(kind, identifier) != sorted(set(sides)):
            raise NotCarriedOut("The conflict is not the one that was shown: look at it again.")
        now = timezone.now()
        decision = ConflictDecision.objects.create(
            kind=kind,
            identifier=identifier,
            sides=sorted(set(sides)),
            belongs_to=belongs_to,
            decided_at=now,
            decided_by=by,
            why=why.strip(),
        )
        patients = _take_effect(decision, now=now)
        details = {"kind": str(kind), "sides": len(decision.sides)}
        details["belongs_to"] = "one of them" if belongs_to else "nobody"
        audit.record(
            "conflict.decided", by=by, kind="conflict decision", key=decision.pk,
            why=decision.why, details=details, patient=_patient_at(belongs_to),
        )  # fmt: skip
        note_change()
    records_changed.send(sender=None, patients=patients)
    return decision


def _patient_at(number: str) -> uuid.UUID | None:
    return Patient.objects.filter(patient_id=number).values_list("pk", flat=True).first()


def _require(
    kind: ConflictKind, sides: Collection[str], belongs_to: str, by: str, why: str
) -> None:
    if not by.strip():
        raise NotCarriedOut("Say who decides.")
    if not why.strip():
        raise NotCarriedOut("Say why.")
    if belongs_to and kind != ConflictKind.TEST_ID:
        raise NotCarriedOut("Admissions of both patients stay: of a case number nothing belongs.")
    if belongs_to and belongs_to not in sides:
        raise NotCarriedOut("Results can belong only to a patient who is a side of the conflict.")


def _records(kind: ConflictKind, identifier: str) -> Any:
    if kind == ConflictKind.TEST_ID:
        return LabTest.objects.filter(test_id=identifier, is_cancelled=False)
    return Admission.objects.filter(case_number=identifier)


def _take_effect(decision: ConflictDecision, *, now: datetime) -> set[uuid.UUID]:
    """Decide anew where the results belong; everybody on any side is judged again."""
    if decision.kind != ConflictKind.TEST_ID:
        return set()
    stage = Stage(ColumnSets(), unknown=())
    bring_stage(stage)
    attach_results("SELECT %s::text AS test_id", given=[decision.identifier], now=now)
    with connection.cursor() as cursor:
        cursor.execute(_APPLIED, [now])
        settle_stage(stage, now=now)
        cursor.execute("SELECT DISTINCT patient FROM stage_touched")
        touched = {patient for (patient,) in cursor.fetchall()}
    stage.close()
    sides = LabTest.objects.filter(test_id=decision.identifier, patient__isnull=False)
    patients = touched | {key for key in sides.values_list("patient_id", flat=True) if key}
    recompute_quiet(patients)
    return patients


# The lines of results that have found their test wait no longer.
_APPLIED = """
    UPDATE ingestion_waitingrow w SET applied_at = %s FROM stage_found f
    WHERE w.kind = f.kind AND w.identity = f.identity AND w.applied_at IS NULL
"""
