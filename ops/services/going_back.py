"""What a deployment that failed has changed of its stage is set back: code, board, schema.

Code first: the version before works on the grown schema, while the new one would not work on the
old. What going back over migrations would lose stays. A way back that fails itself is an incident
with the exact next step.
"""

from __future__ import annotations

from functools import partial

from django.db import DatabaseError, InterfaceError, connection

from ops.aws.frontends import find_frontend, invalidate, switch_to
from ops.aws.handover import Handover
from ops.aws.serving import Code, running_codes, set_code
from ops.choices import StepOutcome
from ops.errors import DeployFailed, OpsError
from ops.models import Deployment
from ops.services import migrating
from ops.services.deployments import begin_rollback, finish_deployment
from ops.services.outside import require_passed
from ops.services.procedure import NotRun, Steps, Stopped
from ops.services.ways import Way
from ops.smoke import smoke

_ANSWERS = ("alive", "ready")


def go_back(way: Way, stopped: Stopped, steps: Steps) -> DeployFailed:
    """Set back what was changed, put both on record, and give the error that tells of it."""
    failed = f"It failed at {stopped.step}: {stopped.words}"
    if not way.touched:
        return _told(way, steps, failed, "Nothing of the stage was changed.")
    back = _begin(way, failed)
    backwards = Steps(steps.say, steps.tell, unrecorded=[] if back else list(steps.unrecorded))
    if back is not None:
        backwards.record_in(back)
    trouble = []
    for name, act in (
        ("functions-back", _functions),
        ("frontend-back", _frontend),
        ("migrations-back", _migrations),
        ("what-runs", _answers),
    ):
        try:
            backwards.take(name, partial(act, way))
        except Stopped as error:
            trouble.append(str(error))
            # The code that runs still needs its files and its tables. Else the others are tried
            # all the same: each thing that is back is one less to do by hand.
            if error.is_by_hand or name == "functions-back":
                break
    state = _state(way, backwards, trouble)
    return _told(way, steps, failed, state, back=back, is_back=not trouble)


def put_code(handed: Handover, wanted: dict[str, Code]) -> str:
    """Let functions run kept packages, started as they were then, and see that they do.

    Raises DeployFailed.
    """
    others = _others(handed, wanted)
    failed = set_code(handed, others)
    wrong = _others(handed, wanted)
    if wrong:
        told = " ".join(failed.values())
        raise DeployFailed(f"{', '.join(wrong)} could not be set back. {told}".strip())
    hashes = ", ".join(sorted({code.sha256[:12] for code in wanted.values()}))
    return f"{len(others)} of {len(wanted)} functions were set; all run {hashes}."


def _others(handed: Handover, wanted: dict[str, Code]) -> dict[str, Code]:
    """Give those of the wanted that do not run yet, or are started in another way."""
    now = running_codes(handed)
    return {
        name: code
        for name, code in wanted.items()
        if (runs := now[name]) is None
        or runs.sha256 != code.sha256
        or any(runs.start.get(part) != value for part, value in code.start.items())
    }


def put_frontend(handed: Handover, name: str) -> str:
    """Let a release's files be served that bear no hash. Raises NotRun where there is no list."""
    frontend = find_frontend(handed, name)
    if frontend is None:
        raise NotRun(f"No list of the files of {name} is kept; those with hashes are all there.")
    changed = switch_to(handed, frontend)
    made = invalidate(handed, name)
    return f"{changed} changed in place; invalidation {made or 'not needed: no distribution'}."


def _functions(way: Way) -> str:
    if "functions" not in way.touched:
        raise NotRun("The functions were not touched.")
    wanted = {name: code for name, code in way.codes.items() if code is not None}
    if not wanted:
        raise NotRun("This was the first deployment: there is no code to go back to.")
    return put_code(way.handed, wanted)


def _frontend(way: Way) -> str:
    if "frontend" not in way.touched:
        raise NotRun("Nothing of the board that is served was changed.")
    if way.standing_release is None:
        raise NotRun("The release before is not kept; files with hashes are all there.")
    return put_frontend(way.handed, way.standing_release.name)


def _migrations(way: Way) -> str:
    if "migrations" not in way.touched:
        raise NotRun("No migration was applied.")
    return migrating.go_back_to(way.schema, way.say)


def _answers(way: Way) -> str:
    if way.is_first:
        raise NotRun("Nothing ran there before.")
    address = way.handed.address
    require_passed(smoke(address, _ANSWERS), address, stage=way.stage)
    return "The version before answers and finds its database."


def _begin(way: Way, failed: str) -> Deployment | None:
    """Put the way back on record, if there is something on record to go back to."""
    if way.standing is None or way.deployment is None:
        return None
    try:
        return begin_rollback(
            way.deployment,
            version=way.standing.version,
            commit=way.standing.commit,
            by=way.asked.by,
            why=failed,
        )
    except (DatabaseError, InterfaceError, OpsError):
        connection.close()
        return None


def _state(way: Way, backwards: Steps, trouble: list[str]) -> str:
    done = "; ".join(
        f"{came.name}: {came.words}"
        for came in backwards.taken
        if came.outcome is StepOutcome.PASSED
    )
    if way.is_first and "functions" in way.touched:
        done += " Nothing ran there before, so that what was brought stays: nobody should use it."
    before = way.standing.version if way.standing else "what was there before"
    if not trouble:
        return f"It went back to {before}. {done}".strip()
    return (
        f"It could not go back wholly. {' '.join(trouble)} Set back was: {done or 'nothing'}. Next:"
        f" manage.py rollback {way.asked.stage} --why “…”, as soon as that is mended; the backup"
        f" point is {way.backup_point or 'not made'}."
    )


def _told(
    way: Way,
    steps: Steps,
    failed: str,
    state: str,
    *,
    back: Deployment | None = None,
    is_back: bool = True,
) -> DeployFailed:
    words = f"{failed} {state}"
    try:
        _finish(way, words, state, back=back, is_back=is_back)
    except (DatabaseError, InterfaceError, OpsError):
        number = way.deployment.pk if way.deployment else "?"
        words += (
            f" The database does not answer, so that deployment {number} is still on record as"
            " running: as soon as it does, manage.py recorddeployment finish"
            f" {number} --outcome failed --words “…”."
        )
    return DeployFailed(words)


def _finish(way: Way, words: str, state: str, *, back: Deployment | None, is_back: bool) -> None:
    if back is not None:
        finish_deployment(back, succeeded=is_back, outcome=state, by=way.asked.by)
    elif way.deployment is not None:
        finish_deployment(way.deployment, succeeded=False, outcome=words, by=way.asked.by)
