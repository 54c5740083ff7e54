"""Read files again that are on record, after what was wrong with them has been mended."""

from __future__ import annotations

import getpass
import json
import sys
from argparse import ArgumentParser, ArgumentTypeError
from datetime import datetime
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError

from ingestion.choices import RefusalReason, RejectReason
from ingestion.errors import NotCarriedOut, TimeZoneNotSet
from ingestion.management.commands.ingest import printable
from ingestion.management.instants import past_moment
from ingestion.models import FeedFile, Reading
from ingestion.services.quarantine import (
    Replayed,
    fate_of,
    files_to_replay,
    ledger_of,
    left_standing,
    replay_files,
)
from ingestion.storage import LOCAL
from ops.management.manners import MannerlyCommand


class Command(MannerlyCommand):
    """`manage.py replay FILE… --why "…"`, or `--refused`, `--rejected` or `--since` for many."""

    help = (
        "Read files again as attempts of their own, each with its own ledger, by what feeds and"
        " layouts declare now. Exits with 0 if every file was ingested, 1 if any was refused, 2 if"
        " a file is not on record or cannot be replayed as things stand."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare which files, why, and the form of the answer."""
        parser.add_argument("files", nargs="*", metavar="FILE", help="its number or its key")
        parser.add_argument("--refused", action="store_true", help="all refused files")
        parser.add_argument(
            "--rejected", action="store_true", help="all files with rejected rows, not settled"
        )
        parser.add_argument(
            "--since", type=past_moment, metavar="ISO",
            help="all files received from this moment on: what was read wrongly, not only rejected",
        )  # fmt: skip
        parser.add_argument("--feed", default="", help="of these only: a source, a layout or both")
        parser.add_argument(
            "--reason", default="", choices=sorted({*RefusalReason, *RejectReason}), metavar="R",
            help="of these only: the reason of the refusal, or of a rejected row",
        )  # fmt: skip
        parser.add_argument("--why", required=True, help="the reason, for the record")
        parser.add_argument("--by", default="", help="who does it; else the system's user")
        parser.add_argument(
            "--source-time", type=_instant, metavar="ISO",
            help="as of when a file from the future speaks, with an offset",
        )  # fmt: skip
        parser.add_argument("--path", type=Path, help="where the one file lies now")
        parser.add_argument("--line", type=int, help="tell what became of this line")
        parser.add_argument("--json", action="store_true", help="answer in JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        """Replay, report, and exit with what happened."""
        files, left_out = _files(options)
        done: list[Replayed] = []
        try:
            replay_files(
                files,
                by=options["by"] or getpass.getuser(),
                why=options["why"],
                source_time=options["source_time"],
                path=options["path"],
                on_done=done.append,
            )
        except NotCarriedOut as error:
            raise CommandError(f"{error} Nothing was replayed.", returncode=2) from error
        except TimeZoneNotSet as error:
            self._report(done, left_out, options)
            raise CommandError(str(error)) from error
        self._report(done, left_out, options)
        if left_out or not all(one.is_ingested for one in done):
            sys.exit(1)

    def _report(
        self, done: list[Replayed], left_out: list[FeedFile], options: dict[str, Any]
    ) -> None:
        line = options["line"]
        if options["json"]:
            answer = [
                as_dict(one) | ({} if line is None else {"line": fate_of(one, line)})
                for one in done
            ]
            numbers = [one.pk for one in left_out]
            self.stdout.write(json.dumps({"files": answer, "left_out": numbers}))
            return
        for one in done:
            self.stdout.write(f"file {one.file.pk}, {printable(one.file.key)}")
            before = ledger_of(one.before) if one.before else "not read"
            self.stdout.write(f"  before  {before}")
            self.stdout.write(f"  now     {ledger_of(one.after)}")
            if left := left_standing(one):
                self.stdout.write(self.style.WARNING(f"  {left}"))
            if line is not None:
                self.stdout.write(f"  {fate_of(one, line)}")
        for feed_file in left_out:
            self.stdout.write(
                f"file {feed_file.pk}, {printable(feed_file.key)}: left out. It came from the"
                " command line: replay it by itself, with --path."
            )
        taken = sum(one.is_ingested for one in done)
        self.stdout.write(
            f"{taken} ingested, {len(done) - taken} refused" if done else "No files to replay."
        )


def as_dict(replayed: Replayed) -> dict[str, Any]:
    """Describe a replay in the shape that scripts rely on."""
    return {
        "file": replayed.file.pk,
        "key": replayed.file.key,
        "feed": replayed.file.feed.layout if replayed.file.feed else None,
        "status": replayed.after.status,
        "reason": replayed.after.reason or None,
        "reading": replayed.after.number,
        "before": _ledger(replayed.before) if replayed.before else None,
        "now": _ledger(replayed.after),
    }


def _ledger(reading: Reading) -> dict[str, Any]:
    return {"status": reading.status, "reading": reading.number, **reading.ledger}


def _files(options: dict[str, Any]) -> tuple[list[FeedFile], list[FeedFile]]:
    """Find the files, and those that a replay of many must leave out: nobody says where they lie.

    Files that are named are never left out: what cannot be is then refused.
    """
    is_refused, is_rejected, since = options["refused"], options["rejected"], options["since"]
    if bool(options["files"]) + is_refused + is_rejected + (since is not None) != 1:
        raise CommandError(
            "Name files, or say --refused, --rejected or --since: one of the four.", returncode=2
        )
    if options["files"] and (options["feed"] or options["reason"]):
        raise CommandError(
            "--feed and --reason narrow what is many; files are named as they are.",
            returncode=2,
        )
    if since is not None and options["reason"]:
        raise CommandError("--reason goes with --refused or --rejected.", returncode=2)
    if options["files"]:
        return [_file(name) for name in dict.fromkeys(options["files"])], []
    found = files_to_replay(
        is_refused=is_refused, since=since, feed=options["feed"], reason=options["reason"]
    )
    if options["path"] is not None:
        return found, []
    return (
        [one for one in found if one.bucket != LOCAL],
        [one for one in found if one.bucket == LOCAL],
    )


def _file(name: str) -> FeedFile:
    """Find a file by its number, or by its key where only one version bears it."""
    named = FeedFile.objects.filter(key=name).order_by("-pk")
    found = list(FeedFile.objects.filter(pk=int(name)) if name.isdecimal() else named[:2])
    if len(found) > 1:
        numbers = ", ".join(map(str, named.values_list("pk", flat=True)))
        raise CommandError(
            f"Several versions of {printable(name)} are on record: say which of {numbers}.",
            returncode=2,
        )
    if not found:
        raise CommandError(
            f"No file {printable(name)} is on record. Nothing was replayed.", returncode=2
        )
    return found[0]


def _instant(text: str) -> datetime:
    """Read an instant. Raises ArgumentTypeError without an offset."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        at = datetime.min
    if at.tzinfo is None:
        raise ArgumentTypeError("not an instant with an offset, such as 2025-03-20T12:00:00+01:00")
    return at
