"""Going through a checklist: opened, ticked with evidence, closed; each act with its audit line.

A tick is added, never changed: the latest of an item counts. What a command decides no person
ticks; an item that cannot be green is excepted by somebody who may, with a reason.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.utils import timezone

from ops import audit, checklists
from ops.choices import DeploymentStatus, Moment, TickState
from ops.errors import (
    ChecklistClosed,
    ChecklistNotGreen,
    DeploymentIsElsewhere,
    NotDone,
    NotPermitted,
)
from ops.evidence import Evidence, gather
from ops.models import ChecklistRun, ChecklistTick, Deployment
from ops.queries.checklists import Standing, standings

# What was checked before a deployment says nothing of a deployment next week.
HOLDS_FOR = timedelta(hours=24)
MAY_EXCEPT = "ops.except_checklist_item"
_NEEDED = {
    Moment.BEFORE: DeploymentStatus.PLANNED,
    Moment.DURING: DeploymentStatus.RUNNING,
    Moment.AFTER: DeploymentStatus.RUNNING,
}


def open_checklist(
    moment: Moment | str, *, by: str, deployment: Deployment | None = None
) -> ChecklistRun:
    """Open a run, or give the one that there is: of this deployment, or the open free-standing one.

    Raises DeploymentIsElsewhere: what comes before is seen to while it is planned, the rest while
    it runs, or evidence could be made up afterwards.
    """
    moment = Moment(moment)
    if found := _found(moment, deployment):
        return found
    try:
        with transaction.atomic():
            if deployment is not None:
                _require_status(deployment, _NEEDED[moment])
            return _open(moment, deployment, by)
    except IntegrityError:
        # Somebody was first, between our look and our writing.
        return ChecklistRun.objects.get(deployment=deployment, moment=moment, closed_at=None)


def run_check(run: ChecklistRun, key: str, *, by: str) -> ChecklistTick:
    """Run an item's command and keep what it came to: green by exit status 0 alone.

    A command that could not be run leaves the item open, with the word of it as evidence.
    """
    _require_open(run)
    _of_run(run, key)
    item = checklists.item_of(run.moment, key)
    if item is None or item.command is None:
        raise NotDone(f"No command decides {key}: a person ticks it, with a note.")
    evidence = gather(item.command)
    return _keep(run, key, "checklist.checked", by=by, **_of_evidence(evidence))


def run_checks(
    run: ChecklistRun, *, by: str, keys: Iterable[str] | None = None
) -> Iterable[ChecklistTick]:
    """Run the commands of these items, or of all that have one; gives each tick when it is made."""
    wanted = [item["key"] for item in run.items if item["command"]] if keys is None else keys
    for key in wanted:
        yield run_check(run, key, by=by)


def tick_item(run: ChecklistRun, key: str, *, by: str, note: str) -> ChecklistTick:
    """Say in one's own name that an item is seen to. Raises NotDone where a command decides."""
    if _of_run(run, key)["command"]:
        raise NotDone(f"{key} is decided by a command: run it, or except it with a reason.")
    if not note.strip():
        raise NotDone(f"A tick of {key} needs a note: say what was seen.")
    return _keep(run, key, "checklist.ticked", by=by, state=TickState.GREEN, note=note.strip())


def except_item(run: ChecklistRun, key: str, *, by: str, why: str) -> ChecklistTick:
    """Let an item pass that is not green. `by` is a user who may; raises NotPermitted."""
    _of_run(run, key)
    require_may_except(by)
    if not why.strip():
        raise NotDone(f"An exception for {key} needs a reason.")
    return _keep(run, key, "checklist.excepted", by=by, state=TickState.EXCEPTED, note=why.strip())


def require_may_except(by: str) -> None:
    """Raise NotPermitted unless this user may let something pass that is not green."""
    user = User.objects.filter(username=by, is_active=True).first()
    if user is None or not user.has_perm(MAY_EXCEPT):
        raise NotPermitted(
            f"{by or 'Nobody'} may not except items of a checklist: it takes a user of Vigil with"
            f" the permission {MAY_EXCEPT}."
        )


def close_checklist(run: ChecklistRun, *, by: str) -> None:
    """Close a run of its own in which everything is settled.

    One of a deployment closes with its moment: until then a check may have to be made again.
    Raises ChecklistNotGreen, ChecklistClosed, NotDone.
    """
    if run.deployment_id is not None:
        raise NotDone("The checklist of a deployment is closed by the deployment itself.")
    with transaction.atomic():
        _lock(run)
        if missing := unsettled(run):
            raise ChecklistNotGreen(run.moment, missing)
        _close(run, by=by)


def leave_checklists(deployment: Deployment, *, by: str) -> None:
    """Close a deployment's runs as they stand: their moment is over.

    In the caller's transaction.
    """
    for run in ChecklistRun.objects.select_for_update().filter(
        deployment=deployment, closed_at=None
    ):
        _close(run, by=by)


def require_green(deployment: Deployment, moment: Moment) -> None:
    """Raise ChecklistNotGreen unless all of this moment is green or excepted, and fresh.

    What the run asked and what is asked today both count: a run that was opened before an item
    was added does not pass for it. In the caller's transaction; nobody ticks meanwhile.
    """
    run = (
        ChecklistRun.objects.select_for_update()
        .filter(deployment=deployment, moment=moment)
        .first()
    )
    asked = [item.key for item in checklists.items(moment)]
    if run is None:
        raise ChecklistNotGreen(moment, asked or ["it was never gone through"])
    known = {item["key"] for item in run.items}
    missing = unsettled(run, since=timezone.now() - HOLDS_FOR)
    missing += [key for key in asked if key not in known]
    if missing:
        raise ChecklistNotGreen(moment, missing)


def unsettled(run: ChecklistRun, *, since: datetime | None = None) -> list[str]:
    """Name the items that are neither green nor excepted, or whose word is older than `since`."""
    return [one.key for one in standings(run) if not one.is_settled or _is_old(one, since)]


def _is_old(one: Standing, since: datetime | None) -> bool:
    return since is not None and one.latest is not None and one.latest.at < since


def _found(moment: Moment, deployment: Deployment | None) -> ChecklistRun | None:
    runs = ChecklistRun.objects.filter(moment=moment, deployment=deployment)
    return (runs.filter(closed_at=None) if deployment is None else runs).first()


def _open(moment: Moment, deployment: Deployment | None, by: str) -> ChecklistRun:
    run = ChecklistRun.objects.create(
        deployment=deployment,
        moment=moment,
        items=[
            {
                "key": item.key,
                "title": item.title,
                "why": item.why,
                "command": str(item.command or ""),
            }
            for item in checklists.items(moment)
        ],
        opened_at=timezone.now(),
        opened_by=by,
    )
    details = {"moment": moment, "deployment": deployment.pk if deployment else None}
    audit.record("checklist.opened", by=by, kind="checklist run", key=run.pk, details=details)
    return run


def _require_status(deployment: Deployment, needed: DeploymentStatus) -> None:
    now = Deployment.objects.select_for_update().get(pk=deployment.pk)
    if now.status != needed:
        raise DeploymentIsElsewhere(
            now.pk, is_now=now.get_status_display().lower(), needed=needed.label.lower()
        )


def _of_evidence(evidence: Evidence) -> dict[str, Any]:
    state = TickState.OPEN
    if evidence.is_judged:
        state = TickState.GREEN if evidence.is_good else TickState.RED
    return {
        "state": state,
        "command": evidence.command[:255],
        "exit_status": evidence.exit_status,
        "output": evidence.output,
        "seconds": evidence.seconds,
    }


def _keep(run: ChecklistRun, key: str, act: str, *, by: str, **said: Any) -> ChecklistTick:
    with transaction.atomic():
        _lock(run)
        tick = ChecklistTick.objects.create(run=run, key=key, by=by, at=timezone.now(), **said)
        details = {"item": key, "state": tick.state, "exit_status": tick.exit_status}
        audit.record(act, by=by, kind="checklist run", key=run.pk, why=tick.note, details=details)
        return tick


def _lock(run: ChecklistRun) -> None:
    locked = ChecklistRun.objects.select_for_update().filter(pk=run.pk, closed_at=None)
    if not locked.exists():
        raise ChecklistClosed(run.pk)


def _require_open(run: ChecklistRun) -> None:
    if not ChecklistRun.objects.filter(pk=run.pk, closed_at=None).exists():
        raise ChecklistClosed(run.pk)


def _of_run(run: ChecklistRun, key: str) -> dict[str, str]:
    for item in run.items:
        if item["key"] == key:
            found: dict[str, str] = item
            return found
    known = ", ".join(item["key"] for item in run.items)
    raise NotDone(f"The checklist {run.moment} has no item {key!r}. It has: {known}.")


def _close(run: ChecklistRun, *, by: str) -> None:
    closed = ChecklistRun.objects.filter(pk=run.pk, closed_at=None).update(
        closed_at=timezone.now(), closed_by=by
    )
    if not closed:
        raise ChecklistClosed(run.pk)
    details = {"unsettled": unsettled(run)}
    audit.record("checklist.closed", by=by, kind="checklist run", key=run.pk, details=details)
    run.refresh_from_db()
