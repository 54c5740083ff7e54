"""The life of a deployment: planned, running, over, taken back; each act with its audit line.

`manage.py deploy` and `rollback`, and whoever deploys by other means, say here what they do:

    deployment = plan_deployment(stage="production", version="0.2.0", by="olga")
    run = open_checklist("before", by="olga", deployment=deployment)     # and see to it
    begin_deployment(deployment, by="olga")
    note_step(deployment, "migrate", outcome="passed", seconds=1.2)
    note_facts(deployment, backup_point="daily/…", migrations=migrations_between(before, after))
    finish_deployment(deployment, succeeded=True, outcome="All well.", by="olga")

    back = begin_rollback(deployment, version="0.1.0", by="olga", why="Smoke test failed.")
    finish_deployment(back, succeeded=True, outcome="The old code answers.", by="olga")

Changes of status are conditional and counted: whoever comes second is told, and changes nothing.
Production is begun only with the checklist before green, and succeeds only with those during and
after green, each item or its exception; going back is never held up by a checklist.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone

from ops import audit
from ops.choices import DeploymentStatus, Moment, Stage, StepOutcome
from ops.errors import AlreadyDeploying, DeploymentIsElsewhere, NotDone
from ops.evidence import masked
from ops.models import Deployment, DeploymentStep
from ops.queries.running import Running, migrations_before, migrations_between, what_runs_here
from ops.services.checklists import leave_checklists, require_green, require_may_except
from ops.services.incidents import open_incident

BY_ITSELF = "vigil"
_VERSION = re.compile(r"[0-9A-Za-z][0-9A-Za-z._+-]{0,63}")
_COMMIT = re.compile(r"([0-9a-f]{7,40})?")
# A clock elsewhere may be a little ahead.
_AHEAD = timedelta(minutes=5)


def plan_deployment(
    *,
    stage: str,
    version: str,
    by: str,
    commit: str = "",
    frontend_version: str = "",
    backup_point: str = "",
) -> Deployment:
    """Put on record what is to be deployed, so that its checklist can be gone through."""
    facts = _valid(stage=stage, version=version, commit=commit, by=by)
    with transaction.atomic():
        deployment = Deployment.objects.create(
            **facts,
            planned_at=timezone.now(),
            frontend_version=frontend_version,
            backup_point=backup_point,
        )
        _record("deployment.planned", deployment, by=by)
        return deployment


def drop_plan(deployment: Deployment, *, by: str, why: str) -> None:
    """Give up what was planned: it counts as failed, and never ran."""
    _require_reason(why)
    now = timezone.now()
    with transaction.atomic():
        _change(
            deployment,
            DeploymentStatus.PLANNED,
            status=DeploymentStatus.FAILED,
            started_at=now,
            finished_at=now,
            outcome=f"Never begun: {why.strip()}",
        )
        leave_checklists(deployment, by=by)
        _record("deployment.dropped", deployment, by=by, why=why.strip())


def begin_deployment(deployment: Deployment, *, by: str) -> None:
    """Begin what was planned. Raises ChecklistNotGreen on production, AlreadyDeploying."""
    with transaction.atomic():
        if deployment.stage == Stage.PRODUCTION:
            require_green(deployment, Moment.BEFORE)
        _begin(deployment)
        leave_checklists(deployment, by=by)
        _record("deployment.begun", deployment, by=by)


def begin_rollback(
    deployment: Deployment, *, version: str, by: str, why: str, commit: str = ""
) -> Deployment:
    """Begin taking a deployment back, by a deployment of an earlier version.

    `deployment` succeeded, failed or was observed, or is still running: then it is finished as
    failed first, so that one that goes wrong half-way can be taken back at once. No checklist
    stands in the way.
    """
    _require_reason(why)
    facts = _valid(stage=deployment.stage, version=version, commit=commit, by=by)
    with transaction.atomic():
        found = Deployment.objects.select_for_update().get(pk=deployment.pk)
        if found.status == DeploymentStatus.RUNNING:
            _finish(found, DeploymentStatus.FAILED, f"Taken back: {why.strip()}", by=by)
        elif found.status not in _CAN_GO_BACK:
            raise _elsewhere(found, "running, succeeded, failed or observed")
        back = Deployment.objects.create(**facts, planned_at=timezone.now(), rolls_back=found)
        _begin(back)
        details = {"rolls_back": found.pk}
        _record("deployment.rollback_begun", back, by=by, why=why.strip(), details=details)
    deployment.refresh_from_db()
    return back


def note_step(
    deployment: Deployment,
    name: str,
    *,
    outcome: StepOutcome | str,
    seconds: float | None = None,
    words: str = "",
) -> DeploymentStep:
    """Add a step to a running deployment, with secrets in its words masked."""
    outcome = _known_outcome(outcome)
    with transaction.atomic():
        _require_running(deployment)
        return DeploymentStep.objects.create(
            deployment=deployment,
            at=timezone.now(),
            name=name[:64],
            outcome=outcome,
            seconds=seconds,
            words=masked(words)[:4_000],
        )


def note_facts(
    deployment: Deployment,
    *,
    migrations: Mapping[str, Mapping[str, str]] | None = None,
    frontend_version: str | None = None,
    backup_point: str | None = None,
    smoke: Sequence[Mapping[str, Any]] | None = None,
) -> None:
    """Keep what is known by now of a running deployment; what is not given stays as it is."""
    given: dict[str, Any] = {
        "migrations": migrations,
        "frontend_version": frontend_version,
        "backup_point": backup_point,
        "smoke": [_smoke(each) for each in smoke] if smoke is not None else None,
    }
    facts = {name: value for name, value in given.items() if value is not None}
    if not facts:
        return
    with transaction.atomic():
        _require_running(deployment)
        _change(deployment, DeploymentStatus.RUNNING, **facts)


def finish_deployment(deployment: Deployment, *, succeeded: bool, outcome: str, by: str) -> None:
    """End a running deployment. Raises ChecklistNotGreen where production would succeed unseen.

    A rollback that succeeds also marks what it took back, in the same transaction.
    """
    with transaction.atomic():
        is_gated = deployment.stage == Stage.PRODUCTION and deployment.rolls_back_id is None
        if succeeded and is_gated:
            require_green(deployment, Moment.DURING)
            require_green(deployment, Moment.AFTER)
        status = DeploymentStatus.SUCCEEDED if succeeded else DeploymentStatus.FAILED
        _finish(deployment, status, outcome, by=by)
        if succeeded and deployment.rolls_back is not None:
            note_rollback(deployment.rolls_back, rolled_back_by=deployment, by=by)


def note_rollback(deployment: Deployment, *, rolled_back_by: Deployment, by: str) -> None:
    """Mark a deployment as taken back by a later one of its stage that succeeded."""
    if rolled_back_by.stage != deployment.stage or rolled_back_by.pk <= deployment.pk:
        raise NotDone("A deployment is taken back by a later one of the same stage.")
    if rolled_back_by.status != DeploymentStatus.SUCCEEDED:
        raise _elsewhere(rolled_back_by, "succeeded")
    with transaction.atomic():
        done = Deployment.objects.filter(pk=deployment.pk, status__in=_CAN_GO_BACK).update(
            status=DeploymentStatus.ROLLED_BACK, rolled_back_by=rolled_back_by
        )
        if not done:
            deployment.refresh_from_db()
            raise _elsewhere(deployment, "succeeded, failed or observed")
        details = {"rolled_back_by": rolled_back_by.pk}
        _record("deployment.rolled_back", deployment, by=by, details=details)
    deployment.refresh_from_db()


def record_deployment(
    *,
    stage: str,
    version: str,
    by: str,
    started_at: datetime,
    finished_at: datetime,
    succeeded: bool,
    outcome: str,
    commit: str = "",
    frontend_version: str = "",
    backup_point: str = "",
    smoke: Sequence[Mapping[str, Any]] = (),
    exception: str = "",
    takes_back: Deployment | None = None,
) -> Deployment:
    """Put on record what was deployed by other means and is over.

    On production that passes by the checklists: it takes an `exception`, a reason, from a user who
    may give one. `takes_back` is what it rolled back. Raises NotDone and NotPermitted.
    """
    facts = _valid(stage=stage, version=version, commit=commit, by=by)
    _require_order(started_at, finished_at)
    if stage == Stage.PRODUCTION:
        _require_exception(by, exception)
    with transaction.atomic():
        deployment = Deployment.objects.create(
            **facts,
            status=DeploymentStatus.SUCCEEDED if succeeded else DeploymentStatus.FAILED,
            planned_at=started_at,
            started_at=started_at,
            finished_at=finished_at,
            outcome=masked(outcome),
            frontend_version=frontend_version,
            backup_point=backup_point,
            smoke=[_smoke(each) for each in smoke],
            rolls_back=takes_back,
        )
        _record("deployment.recorded", deployment, by=by, why=exception.strip())
        if succeeded and takes_back is not None:
            note_rollback(takes_back, rolled_back_by=deployment, by=by)
        return deployment


def observe_place(*, by: str = BY_ITSELF) -> Deployment | None:
    """Put on record that this place runs something else than the last that is known of it.

    Nobody claims anything of how it came there. The second time nothing is added.
    """
    running = what_runs_here()
    last = standing_deployment(running.stage)
    if last is not None and _runs(last, running):
        return None
    now = timezone.now()
    before = last.version if last else ""
    came = (
        migrations_between(migrations_before(_known_at(last)), running.migrations) if last else {}
    )
    words = f"Found in place of {before}." if before else "The first that is known of this place."
    with transaction.atomic():
        found = Deployment.objects.create(
            stage=running.stage,
            version=running.version,
            commit=running.commit,
            frontend_version=running.frontend_version,
            by=by,
            status=DeploymentStatus.OBSERVED,
            migrations=came,
            planned_at=now,
            started_at=now,
            finished_at=now,
            outcome=words,
        )
        _record("deployment.observed", found, by=by)
        return found


def observe_unless_deploying(*, by: str) -> Deployment | None:
    """The same for whoever is called in the middle of a deployment, which records itself."""
    stage = what_runs_here().stage
    if Deployment.objects.filter(stage=stage, status=DeploymentStatus.RUNNING).exists():
        return None
    return observe_place(by=by)


def standing_deployment(stage: str) -> Deployment | None:
    """Give the latest deployment of a stage that went through and was not taken back."""
    through = [DeploymentStatus.SUCCEEDED, DeploymentStatus.OBSERVED]
    return Deployment.objects.filter(stage=stage, status__in=through).order_by("-id").first()


def _known_at(deployment: Deployment) -> datetime:
    """Since when it stands: what was migrated later came with what was deployed after it."""
    return deployment.finished_at or deployment.planned_at


_CAN_GO_BACK = (
    DeploymentStatus.SUCCEEDED,
    DeploymentStatus.FAILED,
    DeploymentStatus.OBSERVED,
)


def _runs(deployment: Deployment, running: Running) -> bool:
    """Tell whether it says what runs; a commit of which either knows only the beginning counts."""
    one, other = deployment.commit, running.commit
    same_commit = not one or not other or one.startswith(other) or other.startswith(one)
    return deployment.version == running.version and same_commit


def _begin(deployment: Deployment) -> None:
    try:
        with transaction.atomic():
            _change(
                deployment,
                DeploymentStatus.PLANNED,
                status=DeploymentStatus.RUNNING,
                started_at=timezone.now(),
            )
    except IntegrityError:
        raise AlreadyDeploying(deployment.stage) from None


def _finish(deployment: Deployment, status: DeploymentStatus, outcome: str, *, by: str) -> None:
    _change(
        deployment,
        DeploymentStatus.RUNNING,
        status=status,
        finished_at=timezone.now(),
        outcome=masked(outcome.strip()),
    )
    leave_checklists(deployment, by=by)
    _record(f"deployment.{status.value}", deployment, by=by)
    if status == DeploymentStatus.FAILED:
        # A person closes it: that it was taken back says nothing of why it failed.
        open_incident(
            component="deployment",
            title=f"Deployment {deployment.pk} of {deployment.stage} failed",
            words=deployment.outcome or "It said nothing of why.",
            by=by,
        )


def _change(deployment: Deployment, old: DeploymentStatus, **new: Any) -> None:
    """Change exactly this deployment, if it is still as it was."""
    changed = Deployment.objects.filter(pk=deployment.pk, status=old).update(**new)
    deployment.refresh_from_db()
    if not changed:
        raise _elsewhere(deployment, old.label.lower())


def _require_running(deployment: Deployment) -> None:
    now = Deployment.objects.select_for_update().get(pk=deployment.pk)
    if now.status != DeploymentStatus.RUNNING:
        raise _elsewhere(now, "running")


def _elsewhere(deployment: Deployment, needed: str) -> DeploymentIsElsewhere:
    is_now = deployment.get_status_display().lower()
    return DeploymentIsElsewhere(deployment.pk, is_now=is_now, needed=needed)


def _valid(*, stage: str, version: str, commit: str, by: str) -> dict[str, str]:
    if stage not in Stage.values:
        raise NotDone(f"There is no stage {stage!r}: it is one of {', '.join(Stage.values)}.")
    if not _VERSION.fullmatch(version):
        raise NotDone(f"{version!r} is no version: letters, digits and . _ + - alone, at most 64.")
    if not _COMMIT.fullmatch(commit):
        raise NotDone(f"{commit!r} is no commit: 7 to 40 hexadecimal digits, in lower case.")
    if not by.strip() or len(by) > 150:
        raise NotDone("Say who deploys, in at most 150 characters.")
    return {"stage": stage, "version": version, "commit": commit, "by": by.strip()}


def _require_order(started_at: datetime, finished_at: datetime) -> None:
    if timezone.is_naive(started_at) or timezone.is_naive(finished_at):
        raise NotDone("Give times with their zone, such as 2026-03-19T12:00:00+01:00.")
    if finished_at < started_at:
        raise NotDone("It cannot have ended before it began.")
    if finished_at > timezone.now() + _AHEAD:
        raise NotDone("It cannot end in the future: record it when it is over.")


def _require_exception(by: str, exception: str) -> None:
    if not exception.strip():
        raise NotDone(
            "What is recorded afterwards went past production's checklists: plan, begin and finish"
            " it instead, or give the reason for an exception."
        )
    require_may_except(by)


def _require_reason(why: str) -> None:
    if not why.strip():
        raise NotDone("Give a reason: it stays on record.")


def _known_outcome(outcome: str) -> StepOutcome:
    try:
        return StepOutcome(outcome)
    except ValueError:
        known = ", ".join(StepOutcome.values)
        raise NotDone(f"{outcome!r} is no outcome: it is one of {known}.") from None


def _smoke(each: Mapping[str, Any]) -> dict[str, Any]:
    seconds = each.get("seconds")
    return {
        "name": str(each["name"])[:64],
        "outcome": _known_outcome(str(each["outcome"])).value,
        "seconds": None if seconds is None else round(float(seconds), 3),
        "words": masked(str(each.get("words", "")))[:500],
    }


def _record(
    act: str,
    deployment: Deployment,
    *,
    by: str,
    why: str = "",
    details: dict[str, Any] | None = None,
) -> None:
    facts = {
        "stage": deployment.stage,
        "version": deployment.version,
        "commit": deployment.commit,
        **(details or {}),
    }
    audit.record(act, by=by, kind="deployment", key=deployment.pk, why=why, details=facts)
