"""The roles of the operators' room, and what each may do: the one place that says it.

Permissions are named by model and verb, so that no model is known here; one that does not exist
(yet) is passed over. Whoever has no role here may read the ward's pages and no more. Deny first: a
permission that stands nowhere below belongs to nobody, and a test asks whether that was meant.
"""

from __future__ import annotations

from enum import StrEnum


class Role(StrEnum):
    """A role, by the name of its group."""

    OPERATOR = "operator"
    INTEGRATION = "integration"
    SECURITY_OFFICER = "security officer"


# The account by which smoke tests ask, which sees the smoke patient and nobody else. It can hold no
# role: the operators' room is closed to it.
SMOKE_ACCOUNT = "vigil-smoke"

# Whoever watches does not act, and who acts does not watch himself.
ALONE = Role.SECURITY_OFFICER

_RECORD = ("department", "patient", "admission", "labtest", "labresult")

RIGHTS: dict[Role, dict[str, str]] = {
    # Keeps the place running: backups, deployments, incidents, thresholds, users. Sees no patient.
    Role.OPERATOR: {
        "alerts.alertrule": "view add change delete",
        "auth.group": "view",
        "auth.user": "view add change",
        "ingestion.department": "view",
        "ingestion.drift": "view",
        "ingestion.feed": "view",
        "ingestion.feedfile": "view",
        "ops.backup": "view add change",
        "ops.checklistrun": "view add change except_checklist_item",
        "ops.checklisttick": "view add change",
        "ops.deployment": "view add change",
        "ops.deploymentstep": "view add change",
        "ops.legalhold": "view add change",
        "ops.muting": "view change",
        "ops.incident": "view add change",
        "ops.incidentupdate": "view add",
        "ops.lastrun": "view",
        "ops.probeday": "view",
        "ops.probesample": "view",
        "ops.restore": "view add change",
        "ops.retentionrun": "view",
        "ops.secretversion": "view",  # pragma: allowlist secret
    },
    # Answers for every file and row: feeds, what was refused, rejected or waits, and conflicts.
    Role.INTEGRATION: {
        "alerts.alertrule": "view",
        "ingestion.conflictdecision": "view change",
        "ingestion.drift": "view",
        "ingestion.feed": "view add change",
        "ingestion.feedfile": "view change",
        "ingestion.flaw": "view",
        "ingestion.rejectedrow": "view change",
        "ingestion.waitingrow": "view change",
        **{f"ingestion.{name}": "view" for name in _RECORD},
        "ops.incident": "view",
        "ops.incidentupdate": "view",
        "ops.lastrun": "view",
        "ops.probeday": "view",
        "ops.probesample": "view",
    },
    # Reads who did and saw what, and signs for it. Acts on nothing else.
    Role.SECURITY_OFFICER: {
        "auth.group": "view",
        "auth.user": "view",
        "ops.auditarchive": "view",
        "ops.auditevent": "view",
        "ops.auditreview": "view add sign_auditreview",
        "ops.auditseal": "view",
        "ops.auditverification": "view add",
        "ops.deployment": "view",
        "ops.incident": "view",
        "ops.incidentupdate": "view",
        "ops.legalhold": "view",
        "ops.retentionrun": "view",
        "ops.sealedevent": "view",
        "ops.secretversion": "view",  # pragma: allowlist secret
    },
}

_ALL = "view add change delete"
_BY_HAND = "add change delete"

# What nobody may but a superuser: services own the writing, and the rest is no page.
NOBODY: dict[str, str] = {
    "alerts.alert": _ALL,
    "alerts.alertrulebefore": _ALL,
    "ingestion.admissionbefore": _ALL,
    "ingestion.changecounter": _ALL,
    "ingestion.columnset": _ALL,
    "ingestion.conflictdecision": "add delete",
    "ingestion.drift": _BY_HAND,
    "ingestion.feed": "delete",
    "ingestion.feedbefore": _ALL,
    "ingestion.feedfile": "add delete",
    "ingestion.flaw": _BY_HAND,
    "ingestion.labresultbefore": _ALL,
    "ingestion.labtestbefore": _ALL,
    "ingestion.lateversion": _ALL,
    "ingestion.patientbefore": _ALL,
    "ingestion.reading": _ALL,
    "ingestion.rejectedrow": "add delete",
    "ingestion.rejectedrowbefore": _ALL,
    "ingestion.rejectedsubject": _ALL,
    "ingestion.waitingrow": "add delete",
    **{f"ingestion.{name}": _BY_HAND for name in _RECORD},
    "ops.auditarchive": _BY_HAND,
    "ops.auditevent": _BY_HAND,
    "ops.auditreview": "change delete",
    "ops.auditseal": _BY_HAND,
    "ops.auditverification": "change delete",
    "ops.backup": "delete",
    "ops.checklistrun": "delete",
    "ops.checklisttick": "delete",
    "ops.deployment": "delete",
    "ops.deploymentstep": "delete",
    "ops.legalhold": "delete",
    "ops.muting": "add delete",
    "ops.incident": "delete",
    "ops.incidentupdate": "change delete",
    "ops.lastrun": _BY_HAND,
    "ops.probeday": _BY_HAND,
    "ops.probesample": _BY_HAND,
    "ops.restore": "delete",
    "ops.retentionrun": _BY_HAND,
    "ops.sealedevent": _BY_HAND,
    "ops.secretversion": _BY_HAND,
}


def permissions_of(rights: dict[str, str]) -> set[tuple[str, str]]:
    """Spell rights out as application and codename of permissions."""
    spelt = set()
    for model, verbs in rights.items():
        application, _, name = model.partition(".")
        for verb in verbs.split():
            # One with a name of its own says what it is about already.
            spelt.add((application, verb if "_" in verb else f"{verb}_{name}"))
    return spelt
