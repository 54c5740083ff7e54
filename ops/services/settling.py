"""After a deployment, an update, a rollback: what Zappa leaves undone is done, all is asserted.

Zappa ends well where it was half done, and goes back with code alone. So whatever a stage needs to
receive files, keep its clock and answer people is looked at here, mended where that is safe, and
told. Writes to AWS alone; a second time it finds nothing to do.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from django.conf import settings

from ops.aws.alarms import alarms_of
from ops.aws.frontends import missing_from
from ops.aws.functions import FAILURES_IN_BATCHES, Function, Functions
from ops.aws.handover import Handover
from ops.aws.packages import TOLD_OF_CHANGES
from ops.errors import NotSettled
from ops.queries.running import running_commit
from ops.queries.schema import unapplied
from ops.services.packing import collect_static

SETTINGS = "zappa_settings.json"
BATCH = {"ingestion": 10, "alerts": 5}
# How many batches of a queue of tasks run at once: the rest of the function's concurrency is the
# clock's. AWS takes no bound below 2. Ingestion has nothing else to do.
MOST_TASKS = 2
# Which queues feed which function; `long` is the container's.
FED_BY = {"ingestion": ("notices",), "alerts": ("celery", "keeping")}
CLOCK = "events.amazonaws.com"
_FORBIDDEN_CALLERS = ("sns.amazonaws.com", "s3.amazonaws.com", "*")


@dataclass(frozen=True)
class Assertion:
    """One thing that has to be so: whether it is, and in words what was found."""

    name: str
    holds: bool
    words: str


def settle(
    handed: Handover, *, tell: Callable[[Assertion], None] = lambda _: None
) -> list[Assertion]:
    """Do what Zappa leaves undone, and assert what runs. Raises CloudRefused, CloudUnreachable.

    The answer holds each assertion, also those that failed: raising is for whoever asked
    (`require_settled`). `tell` hears of each as it is known.
    """
    found: list[Assertion] = []
    for assertion in _assertions(handed):
        found.append(assertion)
        tell(assertion)
    return found


def require_settled(found: list[Assertion]) -> None:
    """Raise NotSettled, naming what does not hold."""
    if failed := [each for each in found if not each.holds]:
        raise NotSettled([f"{each.name}: {each.words}" for each in failed])


def _assertions(handed: Handover) -> Iterator[Assertion]:
    functions = Functions(handed.region)
    wanted = wanted_functions(handed.stage)
    there: dict[str, Function] = {}
    for what, name in handed.functions.items():
        function = functions.find(name)
        if function is None:
            # Updating the first makes the others, from one package.
            verb = "deploy" if what == "api" else "update"
            yield Assertion(name, False, f"there is none: `zappa {verb} {handed.stage}`")
            continue
        there[what] = function
    for what, function in there.items():
        yield from _as_wanted(functions, function, wanted[what])
        if what in FED_BY:
            yield _is_fed(functions, function, handed, what)
        yield _is_on_the_clock(functions, function, wanted[what])
        yield _is_called_by_nobody_else(function)
    if "alerts" in there:
        yield _puts_aside(functions, there["alerts"], handed)
    yield _is_one_package(there)
    commits = set()
    for function in there.values():
        told = functions.call_roll(function.name)
        commits.add(told.get("commit", ""))
        yield _answers(function, told)
    yield _has_static_files(handed, commits - {""})
    yield _has_migrations()
    yield _has_alarms(handed)


def wanted_functions(stage: str) -> dict[str, dict[str, Any]]:
    """Read what each of a stage's functions should be from Zappa's settings."""
    entries = json.loads(Path(settings.BASE_DIR, SETTINGS).read_text(encoding="utf-8"))
    names = {"api": stage, "ingestion": f"{stage}-ingestion", "alerts": f"{stage}-alerts"}
    return {
        what: {**entries[entries[name].get("extends", name)], **entries[name]}
        for what, name in names.items()
    }


def _as_wanted(
    functions: Functions, function: Function, wanted: Mapping[str, Any]
) -> Iterator[Assertion]:
    """Hold a function against its entry in Zappa's settings."""
    is_now = function.configuration
    pairs = {
        "runtime": (is_now.get("Runtime"), wanted["runtime"]),
        "handler": (is_now.get("Handler"), wanted["lambda_handler"]),
        "memory": (is_now.get("MemorySize"), wanted["memory_size"]),
        "time-out": (is_now.get("Timeout"), wanted["timeout_seconds"]),
        "role": (str(is_now.get("Role")).rpartition("/")[2], wanted["role_name"]),
        "concurrency": (function.concurrency, wanted["lambda_concurrency"]),
        "state": (is_now.get("LastUpdateStatus", "Successful"), "Successful"),
    }
    wrong = [
        f"{name} is {now!r}, not {right!r}" for name, (now, right) in pairs.items() if now != right
    ]
    yield Assertion(
        f"{function.name}: configuration", not wrong, "; ".join(wrong) or "as in its settings"
    )
    yield Assertion(
        f"{function.name}: version",
        bool(function.version),
        f"version {function.version} runs, code {function.sha256}"
        if function.version
        else f"its code, {function.sha256}, is no published version's",
    )
    yield _has_no_old_variables(functions, function, wanted)


def _has_no_old_variables(
    functions: Functions, function: Function, wanted: Mapping[str, Any]
) -> Assertion:
    """Remove variables that the settings no longer name: Zappa keeps them for ever."""
    right = dict(wanted.get("aws_environment_variables", {}))
    is_now = dict(function.configuration.get("Environment", {}).get("Variables", {}))
    name = f"{function.name}: variables"
    if is_now == right:
        return Assertion(name, True, f"{len(right)}, as in its settings")
    functions.keep_variables(function.name, right)
    gone = sorted(set(is_now) - set(right))
    return Assertion(name, True, f"set anew; no longer there: {', '.join(gone) or 'none'}")


def _is_fed(functions: Functions, function: Function, handed: Handover, what: str) -> Assertion:
    """Tie a function to its queues, and to no other, with failures told one by one."""
    arns = _queue_arns(handed, what)
    most = (function.concurrency or MOST_TASKS) if what == "ingestion" else MOST_TASKS
    done = [
        f"{arn.rpartition(':')[2]} {did}"
        for arn in arns
        if (did := functions.feed(function.name, arn, batch=BATCH[what], most=most))
    ]
    is_now = functions.mappings(function.name)
    fed = {
        str(each.get("EventSourceArn"))
        for each in is_now
        if FAILURES_IN_BATCHES in (each.get("FunctionResponseTypes") or ())
        and not str(each.get("State", "Enabled")).startswith("Disabl")
    }
    strange = {str(each.get("EventSourceArn")) for each in is_now} - set(arns)
    name = f"{function.name}: queues"
    if strange:
        others = ", ".join(sorted(arn.rpartition(":")[2] for arn in strange))
        return Assertion(name, False, f"it is also fed from {others}: remove that mapping")
    if lacking := set(arns) - fed:
        lost = ", ".join(sorted(arn.rpartition(":")[2] for arn in lacking))
        return Assertion(name, False, f"not fed, or failures not told one by one: {lost}")
    fed_from = ", ".join(arn.rpartition(":")[2] for arn in arns)
    words = f"fed from {fed_from}, failures told one by one"
    return Assertion(name, True, words + (f" ({'; '.join(done)})" if done else ""))


def _queue_arns(handed: Handover, what: str) -> list[str]:
    if what == "ingestion":
        return [handed["application/notice-queue-arn"]]
    arns = handed.task_queue_arns
    return [arns[name] for name in FED_BY[what]]


def _is_on_the_clock(
    functions: Functions, function: Function, wanted: Mapping[str, Any]
) -> Assertion:
    """Compare the rules that call a function with those that its settings name."""
    rules = functions.rules(function.arn)
    on = sorted(
        str(rule.get("ScheduleExpression")) for rule in rules.values() if rule["State"] == "ENABLED"
    )
    right = sorted(event["expression"] for event in wanted.get("events", ()))
    may = {source for principal, source in function.principals if principal == CLOCK}
    name = f"{function.name}: clock"
    if on != right:
        return Assertion(name, False, f"called at {on or 'no time'}, not at {right or 'no time'}")
    if right and not may:
        return Assertion(name, False, "the clock's rules may not call it")
    return Assertion(name, True, ", ".join(right) or "none, as in its settings")


def _is_called_by_nobody_else(function: Function) -> Assertion:
    """Let no topic and no bucket call a function: of some messages it would run what they name."""
    strange = sorted(
        {principal for principal, _ in function.principals if principal in _FORBIDDEN_CALLERS}
    )
    return Assertion(
        f"{function.name}: callers",
        not strange,
        f"may be called by {', '.join(strange)}: remove that permission"
        if strange
        else "neither topics nor buckets",
    )


def _puts_aside(functions: Functions, function: Function, handed: Handover) -> Assertion:
    """Let ticks of the clock that fail for good lie where an alarm sees them."""
    queue = handed.task_queue_arns["celery"] + "-dead"
    is_new = functions.put_aside(function.name, queue)
    return Assertion(
        f"{function.name}: failures",
        True,
        f"put aside in {queue.rpartition(':')[2]}" + (" (set)" if is_new else ""),
    )


def _is_one_package(there: Mapping[str, Function]) -> Assertion:
    """All three run the same code, or one is older than the others."""
    hashes = {function.name: function.sha256 for function in there.values()}
    if len(set(hashes.values())) <= 1:
        return Assertion("one package", bool(hashes), next(iter(hashes.values()), "no function"))
    told = ", ".join(f"{name} {sha256[:12]}" for name, sha256 in hashes.items())
    return Assertion("one package", False, f"the functions run different code: {told}")


def _answers(function: Function, told: Mapping[str, str]) -> Assertion:
    """Start a function before anybody needs it: one that cannot would be found by a patient."""
    name = f"{function.name}: roll call"
    if "error" in told:
        return Assertion(name, False, f"it does not start: {told['error']}; see its log")
    words = f"it starts, and runs commit {told.get('commit', '')[:10]}"
    if changed := TOLD_OF_CHANGES.get(told.get("changed", "")):
        words += f", {changed}"
    return Assertion(name, True, words)


def _has_static_files(handed: Handover, commits: set[str]) -> Assertion:
    """Hold the bucket against what the code names: a board without its files is a blank page.

    Only the code that lies here can be asked for its files.
    """
    if others := {each for each in commits if not each.startswith(running_commit()[:7])}:
        other = ", ".join(sorted(each[:10] for each in others))
        return Assertion(
            "static files", True, f"not asked for: {other} runs, and does not lie here"
        )
    with TemporaryDirectory(prefix="vigil-static-") as folder:
        files = collect_static(Path(folder))
    if missing := missing_from(handed, files):
        words = (
            f"{len(missing)} that the code names are not in the bucket, as {missing[0].key}:"
            f" `manage.py beforedeploy {handed.stage}` adds them"
        )
        return Assertion("static files", False, words)
    return Assertion("static files", True, "all that the code names are in the bucket")


def _has_migrations() -> Assertion:
    names = ", ".join(f"{each.app_label}.{each.name}" for each in unapplied())
    return Assertion(
        "migrations", not names, f"not applied: {names}" if names else "all that this code knows"
    )


def _has_alarms(handed: Handover) -> Assertion:
    """Alarms that tell nobody are none."""
    topic = handed.get("monitoring/alarm-topic")
    armed, all_of_them = alarms_of(handed.stage, topic, region=handed.region)
    is_armed = bool(all_of_them) and armed == all_of_them
    words = f"{armed} of {all_of_them} alarms are armed and tell the topic"
    if handed.stage == "dev" and not is_armed:
        return Assertion("alarms", True, f"{words}; not asked for on dev")
    return Assertion("alarms", is_armed, words)
