"""manage.py deployments: what was deployed, and in what the stages differ."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError
from django.utils import timezone
from django.utils.timesince import timesince

from ops.choices import Stage
from ops.management.manners import WRONG_ARGUMENTS, MannerlyCommand
from ops.models import Deployment
from ops.queries.deployments import deployment_before, latest_deployments
from ops.services.stages import StageWord, differences, word_of


class Command(MannerlyCommand):
    """`manage.py deployments [NUMBER] [--stage S] [--last N] [--json] | --diff ONE OTHER`."""

    help = (
        "List what was deployed, newest first; or tell all of one, with the way back; or say in"
        " what two stages differ, each by its own word in the storage of the backups. Exits with 1"
        " where a stage is not known."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare what is asked."""
        parser.add_argument("number", nargs="?", type=int, help="tell all of this one")
        parser.add_argument("--stage", choices=Stage.values)
        parser.add_argument("--last", type=int, default=20, metavar="N", help="default: 20")
        parser.add_argument("--json", action="store_true", help="answer in JSON")
        parser.add_argument("--diff", nargs=2, choices=Stage.values, metavar="STAGE")

    def handle(self, *args: Any, **options: Any) -> None:
        """Print the list, or the differences."""
        if options["last"] < 1:
            raise CommandError("--last is a number from 1.", returncode=WRONG_ARGUMENTS)
        if options["diff"]:
            self._differences(*(Stage(name) for name in options["diff"]))
            return
        if options["number"] is not None:
            self._tell(options["number"])
            return
        found = list(latest_deployments(stage=options["stage"] or "", most=options["last"]))
        if options["json"]:
            self.stdout.write(json.dumps([_facts(each) for each in found]))
            return
        for each in found:
            self.stdout.write(_line(each))
        if not found:
            self.stdout.write("No deployment is on record here.")

    def _tell(self, number: int) -> None:
        found = Deployment.objects.filter(pk=number).first()
        if found is None:
            raise CommandError(
                f"There is no deployment {number}: `manage.py deployments` lists them.",
                returncode=WRONG_ARGUMENTS,
            )
        self.stdout.write(_line(found))
        self.stdout.write(f"outcome       {found.outcome or '–'}")
        self.stdout.write(f"backup point  {found.backup_point or 'none is named'}")
        earlier = deployment_before(found)
        if earlier is not None:
            commit = earlier.commit or "no commit is on record"
            self.stdout.write(f"before it     {earlier.version} ({commit})")
        for app, (before, after) in _changes(found).items():
            self.stdout.write(f"migrations    {app}: from {before or 'nothing'} to {after}")
        for app, (before, _) in _changes(found).items():
            self.stdout.write(f"to go back    manage.py migrate {app} {before or 'zero'}")
        if not found.migrations:
            self.stdout.write("migrations    none is on record")

    def _differences(self, one: Stage, other: Stage) -> None:
        words = [word_of(one), word_of(other)]
        for word in words:
            self.stdout.write(f"{word.stage.value:<12} {_age(word)}")
        mine, others = (word.running for word in words)
        if mine is None or others is None:
            raise CommandError("Whether they differ is not known.")
        found = differences(mine, others)
        for each in found:
            self.stdout.write(f"{each.what}: {each.one} | {each.other}")
        if not found:
            self.stdout.write("They do not differ in anything that is told.")


def _changes(found: Deployment) -> dict[str, tuple[str, str]]:
    """Give each application's last migration before and after."""
    return {app: (each["from"], each["to"]) for app, each in found.migrations.items()}


def _age(word: StageWord) -> str:
    if word.running is None or word.said_at is None:
        return f"not known: {word.words}"
    if word.is_here:
        return f"{word.running.version}, {word.words}"
    return f"{word.running.version}, {word.words} {timesince(word.said_at)} ago"


def _line(each: Deployment) -> str:
    at = timezone.localtime(each.started_at or each.planned_at)
    took = f"{each.duration.total_seconds():.0f} s" if each.duration is not None else "–"
    commit = each.short_commit or "no commit"
    back = f", by {each.rolled_back_by_id}" if each.rolled_back_by_id else ""
    return (
        f"{each.pk:>5}  {at:%Y-%m-%d %H:%M %Z}  {each.stage:<11}  {each.version} ({commit})  "
        f"{each.get_status_display().lower()}{back}, {took}, {each.by}"
    )


def _facts(each: Deployment) -> dict[str, Any]:
    times = {
        name: at.isoformat() if (at := getattr(each, name)) else None
        for name in ("planned_at", "started_at", "finished_at")
    }
    return {
        "number": each.pk,
        "stage": each.stage,
        "version": each.version,
        "commit": each.commit,
        "by": each.by,
        "status": each.status,
        **times,
        "seconds": each.duration.total_seconds() if each.duration is not None else None,
        "migrations": each.migrations,
        "frontend_version": each.frontend_version,
        "backup_point": each.backup_point,
        "smoke": each.smoke,
        "outcome": each.outcome,
        "rolls_back": each.rolls_back_id,
        "rolled_back_by": each.rolled_back_by_id,
    }
