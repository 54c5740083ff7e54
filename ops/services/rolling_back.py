"""A stage is brought back to an earlier release: code, board and database together.

Code first, since the release before works on the grown schema. Then migrations are gone back over
where nothing is lost by it. Where something would be, they stay if the earlier release works with
them; else the backup point is restored into a database of its own, if that is asked for. Nothing is
ever lost in silence.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial

from django.conf import settings
from django.db import DatabaseError, InterfaceError
from django.db.migrations.migration import Migration
from django.utils import timezone

from ops.aws.frontends import find_frontend, require_files
from ops.aws.handover import STAGE_NAMES, Handover
from ops.aws.serving import Code, running_codes
from ops.aws.watching import failures_since
from ops.catalogue import manifest_of
from ops.choices import Health, StepOutcome
from ops.errors import (
    AlreadyDeploying,
    BackupAltered,
    DeployFailed,
    DeployRefused,
    OpsError,
    WouldLose,
)
from ops.instances import snapshot
from ops.models import Deployment
from ops.queries.answers import FEWEST, Answers
from ops.queries.running import applied_migrations, migrations_between
from ops.queries.schema import (
    beyond,
    counted_rows,
    judged,
    lost_by_reversing,
    strangers,
)
from ops.registry import probes
from ops.services import migrating
from ops.services.deploying import alone
from ops.services.deployments import begin_rollback, finish_deployment, note_facts
from ops.services.earlier_code import restore_by
from ops.services.going_back import put_code, put_frontend
from ops.services.outside import require_passed
from ops.services.procedure import Came, NotRun, Say, Steps, Stopped
from ops.services.readiness import handover_of, require_database
from ops.services.releases import Target, target_of
from ops.services.settling import settle
from ops.services.stages import tell_stages
from ops.services.verifying import verify_trail
from ops.smoke import smoke
from ops.storage import backup_storage

_SECONDS_BETWEEN_LOOKS = 30.0
_MINUTE = timedelta(minutes=1)
_RECENTLY = timedelta(days=2)
# The earlier release lacks the migrations that this code knows, names other static files, and is
# started as it was then: that is what going back means.
_NOT_ASKED = re.compile(r"migrations|static files|.*: configuration")


@dataclass(frozen=True)
class Asked:
    """What somebody asked for. `most` is how many percent of the calls may fail."""

    stage: str
    by: str
    why: str
    to: str = ""
    restores: bool = False
    watch: timedelta = timedelta(minutes=5)
    most: float = 1.0


@dataclass
class WayBack:
    """A way back: what was found, and what was done so far."""

    asked: Asked
    handed: Handover
    say: Say
    target: Target
    codes: dict[str, Code | None]
    beyond: list[Migration]
    lost: list[str]
    misfits: list[str]
    backup_point: str
    rows: dict[str, int]
    deployment: Deployment | None = None
    left: list[str] = field(default_factory=list)

    @property
    def stage(self) -> str:
        """The stage as the record calls it."""
        return STAGE_NAMES[self.asked.stage]

    @property
    def reverses(self) -> bool:
        """Tell whether migrations are gone back over."""
        return bool(self.beyond) and not self.lost


@dataclass(frozen=True)
class Step:
    """One step: what it does, and what it would do."""

    name: str
    act: Callable[[WayBack], str]
    would: Callable[[WayBack], str]


def roll_back(asked: Asked, *, say: Say, tell: Callable[[Came], None]) -> Deployment:
    """Bring a stage back. Returns the deployment that did it.

    Raises DeployRefused where nothing was changed, and DeployFailed, which says how it stands.
    """
    steps = Steps(say, tell)
    handover_of(asked.stage)
    require_database()
    with alone(STAGE_NAMES[asked.stage]):
        way = look(asked, say)
        way.deployment = begin_rollback(
            way.target.takes_back,
            version=way.target.deployment.version,
            commit=way.target.deployment.commit,
            by=asked.by,
            why=asked.why,
        )
        steps.record_in(way.deployment)
        return _finish(way, steps, _taken(way, steps))


def rehearse(asked: Asked, *, say: Say, tell: Callable[[Came], None]) -> None:
    """Tell each step with what it would do. Changes nothing. Raises as `roll_back` does."""
    way = look(asked, say)
    for step in STEPS:
        tell(Came(step.name, StepOutcome.NOT_RUN, 0.0, step.would(way)))


def look(asked: Asked, say: Say) -> WayBack:
    """Look what there is to go back to, and what stands in the way. Raises DeployRefused."""
    handed = handover_of(asked.stage)
    require_database()
    if not asked.why.strip():
        raise DeployRefused("Give a reason with --why: it stays on record.")
    say("looking for the way back")
    codes = running_codes(handed)
    target = target_of(STAGE_NAMES[asked.stage], handed, codes, to=asked.to)
    if unknown := strangers():
        raise DeployRefused(
            f"The database has migrations that this code does not know: {', '.join(unknown)}. Check"
            " out the release that runs, and roll back with its code."
        )
    if (frontend := find_frontend(handed, target.release.name)) is not None:
        require_files(handed, frontend.files)
    since = beyond(target.release.migrations)
    way = WayBack(
        asked=asked,
        handed=handed,
        say=say,
        target=target,
        codes=codes,
        beyond=since,
        lost=lost_by_reversing(since, target.release.columns).words if since else [],
        misfits=[
            f"{each}: {'; '.join(each.refusals)}"
            for each in judged(since, target.release.columns)
            # What was declared of the version before need not hold for one further back.
            if not each.fits or each.missing
        ],
        backup_point=target.takes_back.backup_point,
        rows=counted_rows(),
    )
    _require_a_way(way)
    return way


def _require_a_way(way: WayBack) -> None:
    """Refuse what would lose something, or leave code on tables on which it does not work."""
    if way.asked.restores:
        _require_backup_point(way)
        return
    if way.lost and way.misfits:
        raise DeployRefused(
            f"Going back over migrations would lose {'; '.join(way.lost)}; and"
            f" {way.target.release.name} does not work with them ({'; '.join(way.misfits)})."
            f" Roll back with --restore: that restores {way.backup_point or 'the backup point'}"
            " into a database of its own, beside this one. What people did since is not in it."
        )


def _require_backup_point(way: WayBack) -> None:
    if not way.backup_point:
        raise DeployRefused(
            f"No backup point is on record for deployment {way.target.takes_back.pk}: nothing can"
            " be restored by it. manage.py backups lists what is kept."
        )
    try:
        _kept_point(way)
    except OpsError as error:
        raise DeployRefused(f"The backup point cannot be used: {error}") from error


def _backup_point(way: WayBack) -> str:
    """Look whether the backup point is kept. Code and board go back without one all the same."""
    if not way.backup_point:
        raise NotRun("No backup point is on record for what is taken back.")
    try:
        return _kept_point(way)
    except OpsError as error:
        raise NotRun(f"It cannot be used, and is not needed: {error}") from error


def _kept_point(way: WayBack) -> str:
    if settings.RDS_INSTANCE:
        found = snapshot(way.backup_point)
        if found["Status"] != "available":
            raise DeployFailed(f"The snapshot {way.backup_point} is {found['Status']}.")
        return f"The snapshot {way.backup_point} is available."
    kept = manifest_of(way.backup_point)["object"]
    storage = backup_storage()
    if not storage.exists(kept["path"]) or storage.size(kept["path"]) != kept["bytes"]:
        raise BackupAltered(f"{way.backup_point} is not as large as it was made, or gone.")
    return f"{way.backup_point} is kept: {kept['bytes']:,} bytes."


def _functions(way: WayBack) -> str:
    release = way.target.release
    wanted = {
        name: Code(release.package, "", dict(release.starts.get(name, {}))) for name in way.codes
    }
    return put_code(way.handed, wanted)


def _would_set(way: WayBack) -> str:
    runs = {name: code.sha256[:12] if code else "nothing" for name, code in way.codes.items()}
    told = ", ".join(f"{name} {what}" for name, what in runs.items())
    release = way.target.release
    return f"Let all run {release.package[:12]} ({release.name}); now {told}."


def _frontend(way: WayBack) -> str:
    return put_frontend(way.handed, way.target.release.name)


def _migrations(way: WayBack) -> str:
    if not way.beyond:
        raise NotRun("No migration came since.")
    before = applied_migrations()
    try:
        words = migrating.reverse(way.beyond, way.say, way.target.release.columns)
    except WouldLose as error:
        way.lost = [str(error)]
        if way.misfits and not way.asked.restores:
            raise DeployFailed(_written_meanwhile(way)) from error
        raise NotRun(_stays(way)) from error
    way.lost = []
    _note(way, migrations=migrations_between(before, applied_migrations()))
    return words


def _would_reverse(way: WayBack) -> str:
    names = ", ".join(str(each) for each in way.beyond)
    if not names:
        return "No migration came since."
    return f"Go back over {names}; nothing is lost by it." if way.reverses else _stays(way)


def _stays(way: WayBack) -> str:
    names = ", ".join(str(each) for each in way.beyond)
    if way.misfits:
        return f"{names} stay in this database; the backup point is restored beside it."
    return (
        f"{names} stay, since going back would lose {'; '.join(way.lost)}."
        f" {way.target.release.name} works with them."
    )


def _written_meanwhile(way: WayBack) -> str:
    return (
        f"Until its code was switched, the version that ran wrote what going back would lose:"
        f" {'; '.join(way.lost)}. Nothing was gone back over, and {way.target.release.name} does"
        f" not work with what stays ({'; '.join(way.misfits)}). Next: the same with --restore:"
        f" it restores {way.backup_point or 'the backup point'} beside this database; or manage.py"
        f" deploy {way.asked.stage} from the commit that ran."
    )


def _restore(way: WayBack) -> str:
    """Restore the backup point beside, by the earlier release's own code: it knows its schema."""
    if not way.asked.restores:
        raise NotRun("Not asked for.")
    name, said = restore_by(
        way.target.deployment.commit,
        backup=way.backup_point,
        at=_moment_of_backup(way),
        by=way.asked.by,
        why=way.asked.why,
        say=way.say,
    )
    way.left.append(
        f"{name} is restored and muted. Set /vigil/{way.asked.stage}/database/name (or host) to it"
        " in Terraform, apply, then manage.py unmute."
    )
    return f"{name}: {said}"


def _would_restore(way: WayBack) -> str:
    if not way.asked.restores:
        return "Not asked for."
    return f"Restore {way.backup_point} into a database of its own, beside this one."


def _moment_of_backup(way: WayBack) -> str:
    step = way.target.takes_back.steps.filter(name="backup-point").first()
    at = step.at if step else way.target.takes_back.started_at
    return at.isoformat() if at else ""


def _settle(way: WayBack) -> str:
    found = [
        each
        for each in settle(way.handed, tell=lambda each: way.say(each.name))
        if not _NOT_ASKED.fullmatch(each.name)
    ]
    if wrong := [f"{each.name}: {each.words}" for each in found if not each.holds]:
        raise DeployFailed("; ".join(wrong))
    return f"{len(found)} assertions hold."


def _smoke(way: WayBack) -> str:
    done = smoke(way.handed.address, ("alive", "ready", "sign-in", "status-page"))
    _note(way, smoke=[each.as_facts() for each in done])
    return require_passed(done, way.handed.address, stage=way.stage)


def _integrity(way: WayBack) -> str:
    """Hold the record against what it was before: books, trail, and rows of every table."""
    found = []
    counted = counted_rows()
    fewer = {
        table: (count, was)
        for table, was in way.rows.items()
        # A table that is gone has none.
        if (count := counted.get(table, 0)) < was
    }
    found += [f"{table} has {now:,} rows, {was:,} before" for table, (now, was) in fewer.items()]
    books = next((each for each in probes() if each.name == "books"), None)
    finding = books.ask() if books else None
    if finding is not None and finding.health is Health.DOWN:
        found.append(f"the books: {finding.words}")
    trail = verify_trail(by=way.asked.by, since=(timezone.now() - _RECENTLY).date())
    found += [f"the trail: {each}" for each in trail.findings[:3]]
    if found:
        raise DeployFailed("; ".join(found) + ".")
    told = finding.words if finding is not None else "There are no books here."
    return f"No table lost a row; the trail is as sealed. {told}"


def _watch(way: WayBack) -> str:
    """Watch how often calls fail, for as long as was asked.

    CloudWatch counts by the minute: the one in which the code was changed belongs to neither.
    """
    now = timezone.now()
    until = now + way.asked.watch
    since = now + _MINUTE if way.asked.watch > 2 * _MINUTE else now
    while True:
        found = failures_since(way.handed, since, timezone.now())
        words = _require_few(way, found)
        left = (until - timezone.now()).total_seconds()
        if left <= 0:
            break
        way.say(f"watching for {left:.0f} more seconds: {words}")
        time.sleep(min(left, _SECONDS_BETWEEN_LOOKS))
    few = [what for what, one in found.items() if not one.is_enough]
    if len(few) == len(found):
        raise NotRun(
            f"{words} Fewer than {FEWEST} calls say nothing: ask again later with manage.py"
            " errorrate."
        )
    return f"{words} Too few to judge: {', '.join(few)}." if few else words


def _require_few(way: WayBack, found: dict[str, Answers]) -> str:
    """Say how many calls failed. Raises DeployFailed where too many did."""
    words = ", ".join(f"{what} {one.failed} of {one.count}" for what, one in found.items())
    if wrong := [what for what, one in found.items() if one.is_beyond(way.asked.most)]:
        raise DeployFailed(
            f"More than {way.asked.most:g} % of the calls fail at {', '.join(wrong)}: {words}."
        )
    return f"Failed: {words}."


def _would_watch(way: WayBack) -> str:
    minutes = way.asked.watch.total_seconds() / 60
    return f"Watch for {minutes:g} minutes that at most {way.asked.most:g} % of the calls fail."


def _taken(way: WayBack, steps: Steps) -> list[Stopped]:
    """Take the steps. One that fails keeps others from being tried only where they need it."""
    trouble: list[Stopped] = []
    for step in STEPS:
        try:
            steps.take(step.name, partial(step.act, way))
        except BaseException as error:  # pylint: disable=broad-exception-caught
            # Who is stopped between two steps ends as who is stopped in one.
            stopped = error if isinstance(error, Stopped) else Stopped(step.name, error)
            trouble.append(stopped)
            # The code that runs still needs its tables.
            if stopped.is_by_hand or step.name == "functions":
                break
    return trouble


def _finish(way: WayBack, steps: Steps, trouble: list[Stopped]) -> Deployment:
    assert way.deployment is not None
    name = way.target.release.name
    if trouble:
        told = " ".join(str(each) for each in trouble)
        words = (
            f"{name} is not wholly back. {told} Mend that, then manage.py rollback"
            f" {way.asked.stage} --to {name} --why “…” once more: what is done already is left."
        )
    else:
        words = " ".join([f"{name} runs again.", *way.left])
    try:
        finish_deployment(way.deployment, succeeded=not trouble, outcome=words, by=way.asked.by)
    except (DatabaseError, InterfaceError) as error:
        raise DeployFailed(
            f"{words} It is not on record, since the database does not answer: manage.py"
            f" recorddeployment finish {way.deployment.pk} --outcome"
            f" {'failed' if trouble else 'succeeded'} --words “…”."
        ) from error
    tell_stages()
    if trouble:
        raise DeployFailed(words)
    steps.tell(Came("finish", StepOutcome.PASSED, 0.0, words))
    return way.deployment


def _note(way: WayBack, **facts: object) -> None:
    assert way.deployment is not None
    note_facts(way.deployment, **facts)  # type: ignore[arg-type]


STEPS = (
    Step("backup-point", _backup_point, lambda way: f"Look whether {way.backup_point} is kept."),
    Step("functions", _functions, _would_set),
    Step("frontend", _frontend, lambda way: f"Serve the board of {way.target.release.name}."),
    Step("migrations", _migrations, _would_reverse),
    Step("restore", _restore, _would_restore),
    Step("settle", _settle, lambda _: "Assert what ties functions to queues and API."),
    Step("smoke", _smoke, lambda way: f"Ask {way.handed.address}."),
    Step("integrity", _integrity, lambda _: "Hold rows, books and trail against before."),
    Step("error-rate", _watch, _would_watch),
)

__all__ = ["AlreadyDeploying", "Asked", "look", "rehearse", "roll_back"]
