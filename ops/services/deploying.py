"""A release is brought to a stage on AWS: one list of steps, and back by itself if one fails.

The order keeps two versions working side by side at every moment: static files are added before
anything names them, the schema grows before the code that needs it, and nothing is taken away.
Going back: `ops.services.going_back`. Looking beforehand: `ops.services.readiness`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from django.conf import settings
from django.db import transaction

from ops import audit
from ops.aws.frontends import (
    Frontend,
    add_files,
    invalidate,
    keep_frontend,
    missing_from,
    require_files,
    switch_to,
)
from ops.aws.releases import keep_release, package_key
from ops.aws.serving import running_codes
from ops.aws.zappa import trouble_in
from ops.checklists import items
from ops.choices import BackupKind, DeploymentStatus, Moment, Stage, StepOutcome, TickState
from ops.databases import held_lock
from ops.errors import (
    AlreadyDeploying,
    ChecklistNotGreen,
    DeployFailed,
    DeployRefused,
)
from ops.models import Deployment
from ops.queries.checklists import standings
from ops.queries.running import applied_migrations, frontend_version, migrations_between
from ops.queries.schema import has_tables, pending, strangers
from ops.services import migrating
from ops.services.backup_kinds import back_up_kind
from ops.services.checklists import open_checklist, run_checks
from ops.services.deployments import (
    begin_deployment,
    finish_deployment,
    note_facts,
    plan_deployment,
)
from ops.services.going_back import go_back
from ops.services.outside import require_passed
from ops.services.packing import build, collect_static, keep_what_runs
from ops.services.procedure import Came, Say, Steps, Stopped
from ops.services.rds import take_snapshot
from ops.services.readiness import look
from ops.services.settling import require_settled, settle
from ops.services.stages import tell_stages
from ops.services.ways import Asked, Way
from ops.smoke import CHECKS, smoke

# Held while a deployment or its way back is at work: it ends with its process, so that one that
# died is told from one that goes on.
LOCK = 0x5649_4749_4C50


@dataclass(frozen=True)
class Step:
    """One step: what it does, and what it would do."""

    name: str
    act: Callable[[Way], str]
    would: Callable[[Way], str]


def deploy(asked: Asked, *, say: Say, tell: Callable[[Came], None]) -> Deployment:
    """Bring what lies here to a stage. Returns the deployment, which succeeded or waits for a tick.

    Raises DeployRefused and other NotDone where nothing was changed, and DeployFailed, which says
    what was set back and how it stands.
    """
    way = look(asked, say)
    steps = Steps(say, tell)
    with alone(way.stage):
        _prepare(way, steps)
        try:
            for step in STEPS:
                steps.take(step.name, partial(step.act, way))
            return _finish(way, steps)
        except BaseException as error:
            stopped = error if isinstance(error, Stopped) else Stopped("finish", error)
            raise go_back(way, stopped, steps) from error


def _prepare(way: Way, steps: Steps) -> None:
    """Put the deployment on record and begin it, as soon as its checklist allows."""
    try:
        _make_first_tables(way, steps)
        _require_none_on_record(way)
        way.deployment = _planned(way)
        steps.take("checklist-before", partial(_checklist, way, Moment.BEFORE))
    except Stopped as stopped:
        raise DeployFailed(f"It was not begun: {stopped}") from stopped
    _begin(way)
    steps.record_in(way.deployment)


def rehearse(asked: Asked, *, say: Say, tell: Callable[[Came], None]) -> None:
    """Tell each step with what it would do. Changes nothing. Raises as `deploy` does."""
    way = look(asked, say)
    for name, would in _REHEARSED:
        say(name)
        tell(Came(name, StepOutcome.NOT_RUN, 0.0, would(way)))


@contextmanager
def alone(stage: str) -> Iterator[None]:
    """Be the only one who deploys to a stage or takes back there. Raises AlreadyDeploying."""
    with held_lock(LOCK) as is_ours:
        if not is_ours:
            raise AlreadyDeploying(stage)
        yield


def running_on_record(stage: str) -> Deployment | None:
    """Give the deployment that is on record as running."""
    return Deployment.objects.filter(stage=stage, status=DeploymentStatus.RUNNING).first()


def _make_first_tables(way: Way, steps: Steps) -> None:
    """The very first time there is nothing that could keep a record, and nothing to lose."""
    if has_tables():
        return
    steps.take("first-tables", partial(migrating.migrate, way.schema, way.say))
    way.schema = migrating.schema_now()


def _require_none_on_record(way: Way) -> None:
    """Get past a deployment whose process died: we hold the lock that it would hold."""
    running = running_on_record(way.stage)
    if running is None:
        return
    last = running.steps.order_by("-id").first()
    where = f" after the step {last.name}" if last else ""
    if not way.asked.take_over.strip():
        raise DeployRefused(
            f"Deployment {running.pk} to {way.stage} is on record as running, and its process is"
            f" gone{where}. See what it left (manage.py deployments {running.pk}). Then set it back"
            f" with manage.py rollback {way.asked.stage}, or deploy over it with --take-over and a"
            " reason."
        )
    why = way.asked.take_over.strip()
    words = f"Its process ended{where}. Taken over by {way.asked.by}: {why}"
    with transaction.atomic():
        finish_deployment(running, succeeded=False, outcome=words, by=way.asked.by)
        audit.record(
            "deployment.taken_over", by=way.asked.by, kind="deployment", key=running.pk, why=why
        )


def _planned(way: Way) -> Deployment:
    """Go on with a plan of this very release: its checklist may have been seen to already."""
    plans = Deployment.objects.filter(
        stage=way.stage,
        status=DeploymentStatus.PLANNED,
        version=way.version,
        commit=way.commit,
    )
    return plans.first() or plan_deployment(
        stage=way.stage, version=way.version, commit=way.commit, by=way.asked.by
    )


def _begin(way: Way) -> None:
    assert way.deployment is not None
    try:
        begin_deployment(way.deployment, by=way.asked.by)
    except ChecklistNotGreen as error:
        raise DeployRefused(
            f"{error} It is deployment {way.deployment.pk}: manage.py checklist before --deployment"
            f" {way.deployment.pk} shows how it stands, --tick KEY --note “…” says what a person"
            " saw. Then deploy again: it goes on from there."
        ) from error


def _checklist(way: Way, moment: Moment) -> str:
    """Go through a list. On production what is red stops; elsewhere all is told alone."""
    assert way.deployment is not None
    run = open_checklist(moment, by=way.asked.by, deployment=way.deployment)
    if way.asked.runs_checks or way.stage == Stage.PRODUCTION:
        for tick in run_checks(run, by=way.asked.by):
            way.say(f"{moment}: {tick.key} {tick.state}")
    found = standings(run)
    red = [one.key for one in found if one.state == TickState.RED]
    left = [one.key for one in found if not one.is_settled]
    if not left:
        return f"All {len(found)} items are settled."
    words = f"Not settled: {', '.join(left)}."
    if way.stage != Stage.PRODUCTION:
        return f"{words} Told alone: only production waits for them."
    if red and moment != Moment.BEFORE:
        raise DeployFailed(f"On the checklist {moment} are red: {', '.join(red)}.")
    return words


def _would_check(moment: Moment, way: Way) -> str:
    there = items(moment)
    persons = [one.key for one in there if one.command is None]
    gate = "must be green" if way.stage == Stage.PRODUCTION else "told alone"
    told = f"{len(there)} items, {len(there) - len(persons)} decided by commands; {gate}."
    return f"{told} A person ticks {', '.join(persons)}." if persons else told


def _build(way: Way) -> str:
    keep_what_runs(way)
    return build(way)


def _would_build(way: Way) -> str:
    if not way.is_clean:
        return f"Build {way.name} from a work tree with changes, and keep it."
    return f"Build {way.name}, or take it where it is kept already, and keep what runs now."


def _require_fit(way: Way) -> str:
    """Show the migrations and refuse those beside which the version before could not go on."""
    words, refused = _plan_of(way)
    if not refused:
        return words
    why = way.asked.despite_lint.strip()
    if not why:
        raise DeployFailed(
            f"{words} The version that runs could not go on beside them: divide the change in two"
            " releases, or deploy with --despite-lint and a reason."
        )
    assert way.deployment is not None
    with transaction.atomic():
        audit.record(
            "deployment.despite_lint",
            by=way.asked.by,
            kind="deployment",
            key=way.deployment.pk,
            why=why,
            details={"migrations": refused},
        )
    return f"{words} Let pass by {way.asked.by}: {why}"


def _plan_of(way: Way) -> tuple[str, list[str]]:
    if not has_tables():
        return "The database is empty: all tables are made first.", []
    if unknown := strangers():
        raise DeployRefused(
            f"The database has migrations that this code does not know: {', '.join(unknown)}. It is"
            " of a later version: deploy that, or roll it back first."
        )
    columns = way.standing_release.columns if way.standing_release else None
    plan = pending(columns)
    if not plan:
        return "No migration is to be applied.", []
    lines = [f"{each}" + (f" ({each.declared})" if each.declared else "") for each in plan]
    refused = [f"{each}: {'; '.join(each.refusals)}" for each in plan if not each.fits]
    words = f"To be applied: {', '.join(lines)}."
    return (f"{words} Refused: {'. '.join(refused)}." if refused else words), refused


def _back_up(way: Way) -> str:
    why = f"Before {way.name} goes to {way.asked.stage}."
    if settings.RDS_INSTANCE:
        way.backup_point = take_snapshot(by=way.asked.by, why=why, say=way.say).name
    else:
        way.backup_point = back_up_kind(
            BackupKind.POINT, by=way.asked.by, why=why, say=way.say
        ).name
    _note(way, backup_point=way.backup_point)
    return way.backup_point


def _would_back_up(way: Way) -> str:
    if settings.RDS_INSTANCE:
        return f"Take a snapshot of {settings.RDS_INSTANCE}."
    return "Make a backup of the kind point."


def _add_files(way: Way) -> str:
    """Add static files: nothing names them yet, and nothing that is served changes."""
    with TemporaryDirectory(prefix="vigil-static-") as folder:
        way.files = collect_static(Path(folder))
        put = add_files(way.handed, way.files, Path(folder), way.say)
    way.say("holding the files against what was sent")
    require_files(way.handed, way.files)
    return f"{put} added, {len(way.files)} there and whole."


def _would_add_files(way: Way) -> str:
    with TemporaryDirectory(prefix="vigil-static-") as folder:
        files = collect_static(Path(folder))
    missing = missing_from(way.handed, files)
    lasting = sum(each.is_lasting for each in files)
    return f"Add {len(missing)} of {lasting} static files; delete none."


def _migrate(way: Way) -> str:
    before = applied_migrations()
    way.touched.append("migrations")
    words = migrating.migrate(way.schema, way.say)
    _note(way, migrations=migrations_between(before, applied_migrations()))
    return words


def _would_migrate(way: Way) -> str:
    names = [str(each) for each in pending()] if has_tables() else ["everything"]
    return f"Apply {', '.join(names)}, as the owner." if names else "Nothing to apply."


def _bring(way: Way) -> str:
    """Let Zappa bring the package, and see for ourselves what runs then."""
    assert way.release is not None
    package = f"s3://{way.handed.release_bucket}/{package_key(way.release.package)}"
    way.touched.append("functions")
    said = way.asked.zappa.bring(way.asked.stage, package, is_first=way.is_first)
    other = _running_others(way)
    if other:
        trouble = trouble_in(said) or said[-300:]
        raise DeployFailed(
            f"Zappa ended with 0, and {', '.join(other)} {'does' if len(other) == 1 else 'do'} not"
            f" run {way.release.package[:12]}. It said: {trouble}"
        )
    return f"All {len(way.codes)} functions run {way.release.package[:12]}."


def _running_others(way: Way) -> list[str]:
    assert way.release is not None
    now = running_codes(way.handed)
    return [
        name for name, code in now.items() if code is None or code.sha256 != way.release.package
    ]


def _would_bring(way: Way) -> str:
    runs = {name: code.sha256[:12] if code else "nothing" for name, code in way.codes.items()}
    told = ", ".join(f"{name} runs {what}" for name, what in runs.items())
    act = "deploy" if way.is_first else "update"
    return f"zappa {act} {way.asked.stage} --zip s3://…; now {told}."


def _settle(way: Way) -> str:
    """Zappa's callback has done it already, unless Zappa ended before it came to that."""
    found = settle(way.handed, tell=lambda each: way.say(each.name))
    require_settled(found)
    return f"{len(found)} assertions hold."


def _switch(way: Way) -> str:
    """Let the release's few files without a hash be served, and its list tell that it is whole."""
    assert way.release is not None
    frontend = Frontend(way.name, way.files)
    way.touched.append("frontend")
    changed = switch_to(way.handed, frontend)
    keep_frontend(way.handed, frontend)
    starts = {name: code.start for name, code in running_codes(way.handed).items() if code}
    way.release = replace(way.release, starts=starts)
    keep_release(way.handed, way.release)
    _note(way, frontend_version=way.release.frontend_version)
    made = invalidate(way.handed, way.name)
    return f"{changed} changed in place; invalidation {made or 'not needed: no distribution'}."


def _would_switch(way: Way) -> str:
    where = way.handed.distribution or "no distribution"
    return f"Serve the board {frontend_version()}, keep its list, invalidate {where}."


def _require_what_runs(way: Way) -> str:
    """Look once more: code, migrations and files, each for itself."""
    if other := _running_others(way):
        raise DeployFailed(f"{', '.join(other)} do not run this release.")
    if left := [str(each) for each in pending()]:
        raise DeployFailed(f"Not applied: {', '.join(left)}.")
    require_files(way.handed, way.files)
    return "Functions, migrations and static files are this release's."


def _smoke(way: Way) -> str:
    done = smoke(way.handed.address)
    _note(way, smoke=[each.as_facts() for each in done])
    return require_passed(done, way.handed.address, stage=way.stage)


def _note(way: Way, **facts: object) -> None:
    assert way.deployment is not None
    note_facts(way.deployment, **facts)  # type: ignore[arg-type]


def _finish(way: Way, steps: Steps) -> Deployment:
    assert way.deployment is not None
    words = f"{way.name} runs; {len(steps.taken)} steps."
    try:
        finish_deployment(way.deployment, succeeded=True, outcome=words, by=way.asked.by)
    except ChecklistNotGreen as error:
        steps.tell(Came("finish", StepOutcome.NOT_RUN, 0.0, str(error)))
        return way.deployment
    told = "It left its word." if tell_stages() else "It could not leave its word."
    steps.tell(Came("finish", StepOutcome.PASSED, 0.0, f"{words} {told}"))
    return way.deployment


STEPS = (
    Step("package", _build, _would_build),
    Step("migration-plan", _require_fit, lambda way: _plan_of(way)[0]),
    Step("backup-point", _back_up, _would_back_up),
    Step("static-files", _add_files, _would_add_files),
    Step("migrate", _migrate, _would_migrate),
    Step("functions", _bring, _would_bring),
    Step("settle", _settle, lambda _: "Assert what ties functions to queues and API."),
    Step("frontend", _switch, _would_switch),
    Step("what-runs", _require_what_runs, lambda _: "Look at functions, migrations and files."),
    Step("smoke", _smoke, lambda way: f"Ask {way.handed.address}: {', '.join(CHECKS)}."),
    Step(
        "checklist-during",
        partial(_checklist, moment=Moment.DURING),
        partial(_would_check, Moment.DURING),
    ),
    Step(
        "checklist-after",
        partial(_checklist, moment=Moment.AFTER),
        partial(_would_check, Moment.AFTER),
    ),
)
_REHEARSED: tuple[tuple[str, Callable[[Way], str]], ...] = (
    ("checklist-before", partial(_would_check, Moment.BEFORE)),
    *((step.name, step.would) for step in STEPS),
    ("finish", lambda way: f"Put {way.name} on record as standing, and tell the other stages."),
)
