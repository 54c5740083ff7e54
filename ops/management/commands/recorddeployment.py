"""manage.py recorddeployment: what whoever deploys by other means says of it."""

from __future__ import annotations

import getpass
from argparse import ArgumentParser, ArgumentTypeError
from datetime import datetime
from typing import Any

from django.core.management.base import CommandError
from django.utils import timezone

from ops.choices import Stage, StepOutcome
from ops.management.manners import WRONG_ARGUMENTS, MannerlyCommand
from ops.models import Deployment
from ops.services import deployments as services
from ops.services.stages import tell_stages


class Command(MannerlyCommand):
    """`manage.py recorddeployment plan|begin|step|finish|drop|past|observe …`."""

    help = (
        "Put a deployment on record as it goes: plan, begin, step, finish (or drop); or afterwards:"
        " past. `observe` looks whether this place runs something else than the last that is known."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare each act with what it needs."""
        acts = parser.add_subparsers(dest="act", required=True, metavar="ACT")
        plan = acts.add_parser("plan", help="what is to be deployed; prints its number")
        _facts(plan)
        begin = acts.add_parser("begin", help="begin what was planned")
        _number(begin)
        step = acts.add_parser("step", help="one step of what is running")
        _number(step)
        step.add_argument("name")
        step.add_argument("outcome", choices=StepOutcome.values)
        step.add_argument("--seconds", type=float)
        step.add_argument("--words", default="")
        finish = acts.add_parser("finish", help="end what is running")
        _number(finish)
        _end(finish)
        drop = acts.add_parser("drop", help="give up what was planned")
        _number(drop)
        drop.add_argument("--why", required=True)
        past = acts.add_parser("past", help="what went past these commands and is over")
        _facts(past)
        _end(past)
        past.add_argument("--started", type=_instant, required=True, metavar="ISO")
        past.add_argument("--finished", type=_instant, required=True, metavar="ISO")
        past.add_argument(
            "--takes-back", type=int, metavar="NUMBER", help="the deployment that it rolled back"
        )
        past.add_argument(
            "--except", dest="exception", default="", metavar="WHY",
            help="why it went past production's checklists; --by must be a user who may say so",
        )  # fmt: skip
        acts.add_parser("observe", help="look what runs here, and keep it if it is new")
        for act in (begin, step, finish, drop):
            act.add_argument("--by", default="", help="who does it; else the system's user")

    def handle(self, *args: Any, **options: Any) -> None:
        """Carry out one act, and say what came of it."""
        options["by"] = options.get("by") or getpass.getuser()
        getattr(self, f"_{options['act']}")(options)

    def _plan(self, options: dict[str, Any]) -> None:
        planned = services.plan_deployment(**_given(options))
        self.stdout.write(f"Deployment {planned.pk} is planned: {planned}.")

    def _begin(self, options: dict[str, Any]) -> None:
        deployment = _found(options["number"])
        services.begin_deployment(deployment, by=options["by"])
        self.stdout.write(f"Deployment {deployment.pk} is running: {deployment}.")

    def _step(self, options: dict[str, Any]) -> None:
        if options["seconds"] is not None and options["seconds"] < 0:
            raise CommandError("--seconds is not below 0.", returncode=WRONG_ARGUMENTS)
        step = services.note_step(
            _found(options["number"]),
            options["name"],
            outcome=options["outcome"],
            seconds=options["seconds"],
            words=options["words"],
        )
        self.stdout.write(f"{step}.")

    def _finish(self, options: dict[str, Any]) -> None:
        deployment = _found(options["number"])
        if options["smoke"]:
            services.note_facts(deployment, smoke=options["smoke"])
        services.finish_deployment(
            deployment,
            succeeded=options["outcome"] == "succeeded",
            outcome=options["words"],
            by=options["by"],
        )
        self._say_what_became(deployment)

    def _drop(self, options: dict[str, Any]) -> None:
        deployment = _found(options["number"])
        services.drop_plan(deployment, by=options["by"], why=options["why"])
        self.stdout.write(f"Deployment {deployment.pk} is given up.")

    def _past(self, options: dict[str, Any]) -> None:
        taken_back = _found(options["takes_back"]) if options["takes_back"] else None
        deployment = services.record_deployment(
            **_given(options),
            started_at=options["started"],
            finished_at=options["finished"],
            succeeded=options["outcome"] == "succeeded",
            outcome=options["words"],
            smoke=options["smoke"],
            exception=options["exception"],
            takes_back=taken_back,
        )
        self._say_what_became(deployment)

    def _observe(self, options: dict[str, Any]) -> None:
        found = services.observe_place(by=options["by"])
        if found is None:
            self.stdout.write("This place runs what is on record.")
        else:
            self._say_what_became(found)

    def _say_what_became(self, deployment: Deployment) -> None:
        status = deployment.get_status_display().lower()
        self.stdout.write(f"Deployment {deployment.pk} is on record: {deployment}, {status}.")
        if not tell_stages():
            self.stderr.write(
                "The other stages were not told what runs here: the storage of the backups"
                " failed. What is on record here stands."
            )


def _facts(act: ArgumentParser) -> None:
    act.add_argument("--stage", required=True, choices=Stage.values)
    act.add_argument("--release", required=True, metavar="VERSION", help="such as 0.2.0")
    act.add_argument("--by", required=True, help="who deploys")
    act.add_argument("--commit", default="")
    act.add_argument("--frontend", default="", metavar="VERSION")
    act.add_argument("--backup", default="", metavar="ID", help="the backup to go back to")


def _number(act: ArgumentParser) -> None:
    act.add_argument("number", type=int, help="of the deployment")


def _end(act: ArgumentParser) -> None:
    act.add_argument("--outcome", required=True, choices=["succeeded", "failed"])
    act.add_argument("--words", default="", help="what came of it")
    act.add_argument(
        "--smoke", type=_smoke, action="append", default=[], metavar="NAME=OUTCOME[:SECONDS]"
    )


def _given(options: dict[str, Any]) -> dict[str, str]:
    return {
        "stage": options["stage"],
        "version": options["release"],
        "by": options["by"],
        "commit": options["commit"],
        "frontend_version": options["frontend"],
        "backup_point": options["backup"],
    }


def _found(number: int) -> Deployment:
    found = Deployment.objects.filter(pk=number).first()
    if found is None:
        raise CommandError(
            f"There is no deployment {number}: `manage.py deployments` lists them.",
            returncode=WRONG_ARGUMENTS,
        )
    return found


def _instant(text: str) -> datetime:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise ArgumentTypeError(f"{text!r} is no time: 2026-03-19T12:00:00+01:00") from None
    return at if timezone.is_aware(at) else timezone.make_aware(at)


def _smoke(text: str) -> dict[str, Any]:
    name, _, rest = text.partition("=")
    outcome, _, seconds = rest.partition(":")
    try:
        if not name or outcome not in StepOutcome.values or float(seconds or 0) < 0:
            raise ValueError
        return {"name": name, "outcome": outcome, "seconds": float(seconds) if seconds else None}
    except ValueError:
        known = "|".join(StepOutcome.values)
        raise ArgumentTypeError(f"{text!r} is no check: NAME={known}[:SECONDS]") from None
