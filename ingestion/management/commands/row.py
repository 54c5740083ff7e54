"""Say where one row of a file is now: every row can be asked for, none is lost."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management import CommandError

from ingestion.models import FeedFile
from ingestion.queries.rows import Spoken, Whereabouts, files_named, row_of
from ops.management.manners import WRONG_ARGUMENTS, MannerlyCommand


class Command(MannerlyCommand):
    """`manage.py row FILE LINE [--raw] [--json]`."""

    help = "Say in which column of its file's ledger a line is, and what became of it."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare file, line and the form of the answer."""
        parser.add_argument("file", help="the object's key, or the file's id")
        parser.add_argument("line", type=int, help="the line on which the row begins; header: 1")
        parser.add_argument(
            "--raw", action="store_true", help="show rejected text and flawed values as they came"
        )
        parser.add_argument("--json", action="store_true", help="answer in JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        """Print where the row is."""
        found = row_of(_file_named(options["file"]), options["line"])
        answer = as_dict(found, with_raw=options["raw"])
        if options["json"]:
            self.stdout.write(json.dumps(answer))
        else:
            for sentence in _sentences(answer):
                self.stdout.write(sentence)


def _file_named(name: str) -> FeedFile:
    found = files_named(name)
    if not found:
        raise CommandError("No file on record has this key or id.", returncode=WRONG_ARGUMENTS)
    if len(found) > 1:
        keys = ", ".join(str(file.pk) for file in found)
        raise CommandError(
            f"Several versions of this object are on record. Name one by its id: {keys}.",
            returncode=WRONG_ARGUMENTS,
        )
    return found[0]


def as_dict(found: Whereabouts, *, with_raw: bool) -> dict[str, Any]:
    """Describe a row, in the shape that scripts rely on."""
    file, rejected = found.file, found.rejected
    return {
        "file": {
            "id": file.pk,
            "key": file.key,
            "feed": str(file.feed) if file.feed else None,
            "status": file.status,
            "source_time": file.source_time.isoformat(),
        },
        "line": found.line,
        "reading": found.reading.number if found.reading else None,
        "column": found.column,
        "records": [_record(one) for one in found.records],
        "waiting": [
            {
                "kind": one.kind,
                "identity": one.identity,
                "reason": one.reason,
                "since": one.waiting_since.isoformat(),
                "applied_at": one.applied_at and one.applied_at.isoformat(),
            }
            for one in found.waiting
        ],
        "rejected": rejected
        and {
            "reason": rejected.reason,
            "column": rejected.column or None,
            "settled_at": rejected.settled_at and rejected.settled_at.isoformat(),
            "settlement": rejected.settlement or None,
            "raw_removed_at": rejected.raw_removed_at and rejected.raw_removed_at.isoformat(),
            **({"raw": rejected.raw} if with_raw else {}),
        },
        "flaws": [
            {
                "column": one.column,
                "reason": one.reason,
                **({"value": one.value} if with_raw else {}),
            }
            for one in found.flaws
        ],
        "late": [
            {"kind": one.kind, "identity": one.identity, "known_at": one.known_at.isoformat()}
            for one in found.late
        ],
    }


def _record(one: Spoken) -> dict[str, Any]:
    known_at, said_at = one.record.known_at, one.record.said_at
    return {
        "kind": one.kind,
        "identity": list(one.identity),
        "began_here": one.has_begun_it,
        "is_latest": one.is_latest,
        "said_in": one.record.said_in_id,
        "said_line": one.record.said_line,
        "said_at": said_at and said_at.isoformat(),
        "known_at": known_at and known_at.isoformat(),
    }


def _sentences(answer: dict[str, Any]) -> list[str]:
    file = answer["file"]
    column = answer["column"] or "in no column of its ledger"
    lines = [f"{file['key']} (file {file['id']}), line {answer['line']}: {column}"]
    for one in answer["records"]:
        name = f"{one['kind'].replace('_', ' ')} {' of patient '.join(one['identity'])}"
        said = (
            "this is still its latest statement"
            if one["is_latest"]
            else f"said since by file {one['said_in']}, line {one['said_line']}"
        )
        lines.append(f"  {name}: {'began here; ' if one['began_here'] else ''}{said}")
    for one in answer["waiting"]:
        end = f"applied at {one['applied_at']}" if one["applied_at"] else "still waiting"
        lines.append(f"  waits for its parent ({one['reason']}) since {one['since']}: {end}")
    if rejected := answer["rejected"]:
        how = rejected["settlement"] or "settled"
        state = f"{how} at {rejected['settled_at']}" if rejected["settled_at"] else "not settled"
        where = f" in {rejected['column']}" if rejected["column"] else ""
        lines.append(f"  rejected: {rejected['reason']}{where}; {state}")
        if rejected["raw_removed_at"]:
            lines.append(f"  its text was removed at {rejected['raw_removed_at']}: see Retention")
        elif "raw" in rejected:
            lines.append(f"  {rejected['raw']}")
    for one in answer["flaws"]:
        value = f": {one['value']}" if "value" in one else ""
        lines.append(f"  flaw in {one['column']}: {one['reason']}{value}")
    for one in answer["late"]:
        lines.append(f"  came late, at {one['known_at']}, and changed nothing: {one['kind']}")
    return lines
