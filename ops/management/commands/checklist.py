"""manage.py checklist: go through what is to be seen to before, during and after a deployment."""

from __future__ import annotations

import getpass
import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError

from ops.choices import Moment, TickState
from ops.management.manners import WRONG_ARGUMENTS, MannerlyCommand
from ops.models import ChecklistRun, ChecklistTick, Deployment
from ops.queries.checklists import Standing, standings
from ops.services import checklists as services


class Command(MannerlyCommand):
    """`manage.py checklist before|during|after [--deployment N] [--check KEY…|--show|…]`."""

    help = (
        "Run every check of a checklist that a command decides, keep what each came to, and say"
        " what is still to be seen to. Exits with 1 while anything is neither green nor excepted."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare which run, and what is said of it."""
        parser.add_argument("moment", choices=Moment.values)
        parser.add_argument(
            "--deployment", type=int, metavar="N", help="its number; else a run for itself"
        )
        parser.add_argument("--by", default="", help="who does it; else the system's user")
        parser.add_argument("--json", action="store_true", help="answer in JSON")
        act = parser.add_mutually_exclusive_group()
        act.add_argument("--check", nargs="+", metavar="KEY", help="run these checks alone")
        act.add_argument("--show", action="store_true", help="run nothing, show how it stands")
        act.add_argument("--tick", metavar="KEY", help="say that it is seen to, with --note")
        act.add_argument("--except", dest="excepted", metavar="KEY", help="with --why")
        parser.add_argument("--note", default="", help="what was seen")
        parser.add_argument("--why", default="", help="the reason; --by must be a user who may")

    def handle(self, *args: Any, **options: Any) -> None:
        """Act, then show how the run stands."""
        by = options["by"] or getpass.getuser()
        _require_fitting_words(options)
        run = services.open_checklist(
            options["moment"], by=by, deployment=_deployment(options["deployment"])
        )
        self._act(run, by, options)
        found = standings(run)
        missing = [one for one in found if not one.is_settled]
        if options["json"]:
            self.stdout.write(json.dumps(_facts(run, found)))
        else:
            self._show(run, found)
        if missing:
            keys = ", ".join(one.key for one in missing)
            raise CommandError(f"Not green: {keys}.")
        if run.deployment_id is None:
            services.close_checklist(run, by=by)

    def _act(self, run: ChecklistRun, by: str, options: dict[str, Any]) -> None:
        if options["show"]:
            return
        if options["tick"]:
            services.tick_item(run, options["tick"], by=by, note=options["note"])
        elif options["excepted"]:
            services.except_item(run, options["excepted"], by=by, why=options["why"])
        else:
            for tick in services.run_checks(run, by=by, keys=options["check"]):
                self._progress(tick, quiet=options["json"])

    def _progress(self, tick: ChecklistTick, *, quiet: bool) -> None:
        if quiet:
            return
        self.stdout.write(f"{tick.command}  ({tick.seconds:.1f} s)")
        if tick.state != TickState.GREEN:
            self.stdout.write("\n".join(f"    {line}" for line in tick.output.splitlines()))

    def _show(self, run: ChecklistRun, found: list[Standing]) -> None:
        self.stdout.write(f"\nChecklist run {run.pk}: {run}\n")
        for one in found:
            self.stdout.write(f"{one.state.label:<9} {one.key:<18} {one.title}")
            if one.latest is not None and one.latest.note:
                self.stdout.write(f"{'':<29}{one.latest.by}: {one.latest.note}")
            elif not one.is_settled:
                self.stdout.write(f"{'':<29}{_next_step(run, one)}")


def _next_step(run: ChecklistRun, one: Standing) -> str:
    of = f" --deployment {run.deployment_id}" if run.deployment_id else ""
    if one.command:
        return f"manage.py checklist {run.moment}{of} --check {one.key}"
    return f'manage.py checklist {run.moment}{of} --tick {one.key} --note "…"'


def _require_fitting_words(options: dict[str, Any]) -> None:
    """A word without its act would be lost in silence."""
    for word, act in (("note", "tick"), ("why", "excepted")):
        if options[word] and not options[act]:
            name = "--except" if act == "excepted" else f"--{act}"
            raise CommandError(f"--{word} goes with {name} KEY.", returncode=WRONG_ARGUMENTS)


def _deployment(number: int | None) -> Deployment | None:
    if number is None:
        return None
    found = Deployment.objects.filter(pk=number).first()
    if found is None:
        raise CommandError(
            f"There is no deployment {number}: `manage.py deployments` lists them.",
            returncode=WRONG_ARGUMENTS,
        )
    return found


def _facts(run: ChecklistRun, found: list[Standing]) -> dict[str, Any]:
    return {
        "run": run.pk,
        "moment": run.moment,
        "deployment": run.deployment_id,
        "items": {
            one.key: {
                "state": one.state.value,
                "by": one.latest.by if one.latest else None,
                "note": one.latest.note if one.latest else "",
                "command": one.command,
                "exit_status": one.latest.exit_status if one.latest else None,
                "seconds": one.latest.seconds if one.latest else None,
            }
            for one in found
        },
    }
