"""What each stage says of itself, told through the storage of the backups.

Each stage has a database of its own, so that none can look into another's. Each leaves a word below
`deployments/STAGE/` where the others read it: the newest counts, and its age is part of it. Names
of settings are told, and of those that hold no secret a mark that tells values apart; no value is.
"""

from __future__ import annotations

import json
import logging
import uuid
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from django.conf import settings
from django.core.files.base import ContentFile
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from ops.choices import Stage
from ops.queries.running import Running, migrations_between, what_runs_here
from ops.storage import AlreadyKept, backup_storage

log = logging.getLogger(__name__)

FOLDER = "deployments"
_FORM = 1
_NOT_KNOWN = "not known"
_FAULTS = (OSError, BotoCoreError, ClientError, AlreadyKept)


@dataclass(frozen=True)
class StageWord:
    """What is known of one stage. `running` is None where nothing is, and `words` say why."""

    stage: Stage
    running: Running | None
    said_at: datetime | None
    words: str

    @property
    def is_here(self) -> bool:
        """Tell whether it is this very place."""
        return str(settings.STAGE) == self.stage.value


@dataclass(frozen=True)
class Difference:
    """One thing in which two stages differ."""

    what: str
    one: str
    other: str


def tell_stages() -> bool:
    """Leave this place's word for the other stages. False, and in the log, where it cannot be.

    Nothing is overwritten, so that each word has a name of its own, sorted by time.
    """
    now = timezone.now()
    word = {"form": _FORM, "said_at": now.isoformat(), **asdict(what_runs_here())}
    name = f"{FOLDER}/{settings.STAGE}/{now:%Y%m%dT%H%M%S.%fZ}-{uuid.uuid4().hex[:8]}.json"
    try:
        backup_storage().save(name, ContentFile(json.dumps(word, indent=1).encode()))
    except _FAULTS as error:
        log.warning(
            "the other stages were not told what runs here",
            extra={"error": type(error).__name__},
        )
        return False
    return True


def word_of(stage: Stage) -> StageWord:
    """Give what is known of a stage: of this place by looking, of another by its newest word."""
    if stage.value == settings.STAGE:
        return StageWord(stage, what_runs_here(), timezone.now(), "this place, as it is now")
    try:
        return _heard(stage)
    except FileNotFoundError:
        return _not_known(stage, "it has left no word in the storage of the backups")
    except _FAULTS as error:
        return _not_known(stage, f"the storage of the backups failed ({type(error).__name__})")
    except (ValueError, KeyError, TypeError, AttributeError):
        return _not_known(stage, "its word cannot be read: another version may have written it")


def words_of_stages() -> list[StageWord]:
    """Give what is known of all stages."""
    return [word_of(stage) for stage in Stage]


def differences(one: Running, other: Running) -> list[Difference]:
    """Give in what two stages differ: version, commit, board, migrations, settings by name."""
    found = [
        Difference(what, mine or "none", others or "none")
        for what, mine, others in (
            ("version", one.version, other.version),
            ("commit", one.commit[:10], other.commit[:10]),
            ("frontend", one.frontend_version, other.frontend_version),
        )
        if mine != others
    ]
    found += [
        Difference(f"migrations of {app}", each["from"] or "none", each["to"] or "none")
        for app, each in migrations_between(one.migrations, other.migrations).items()
    ]
    return found + [
        Difference(f"setting {name}", _told(one, name), _told(other, name))
        for name in sorted({*one.settings, *other.settings})
        if one.settings.get(name) != other.settings.get(name)
    ]


@dataclass(frozen=True)
class Row:
    """One thing, as each stage has it; `is_different` among those that are known."""

    what: str
    cells: list[str]
    is_different: bool
    words: str = "differs"


@dataclass(frozen=True)
class Glance:
    """The stages beside each other: what each runs, and the settings in which they differ."""

    runs: list[Row]
    settings: list[Row]


def glance(words: list[StageWord]) -> Glance:
    """Hold all stages beside each other, as far as they are known."""
    known = [word.running for word in words if word.running is not None]
    names = {name for running in known for name in running.settings}
    apps = {app for running in known for app in running.migrations}
    rows = [
        _row(words, "Version", lambda running: running.version),
        _row(words, "Commit", lambda running: running.commit[:10]),
        _row(words, "Frontend", lambda running: running.frontend_version),
    ]
    more = [_row(words, f"Migrations of {app}", _last_of(app)) for app in sorted(apps)]
    set_there = [_setting(words, name) for name in sorted(names)]
    return Glance(
        rows + [row for row in more if row.is_different],
        [row for row in set_there if row.is_different],
    )


def _row(words: list[StageWord], what: str, read: Callable[[Running], str]) -> Row:
    cells = [read(word.running) or "none" if word.running else _NOT_KNOWN for word in words]
    found = {cell for cell, word in zip(cells, words, strict=True) if word.running}
    return Row(what, cells, len(found) > 1)


def _last_of(app: str) -> Callable[[Running], str]:
    return lambda running: running.migrations.get(app, "")


def _setting(words: list[StageWord], name: str) -> Row:
    """Tell whether a setting is set; never its value, nor the mark of it."""
    marks = {word.running.settings.get(name, "") for word in words if word.running}
    cells = [_told(word.running, name) if word.running else _NOT_KNOWN for word in words]
    by_name = len({cell for cell in cells if cell != _NOT_KNOWN}) > 1
    return Row(name, cells, len(marks) > 1, "differs" if by_name else "differs in value")


def _told(running: Running, name: str) -> str:
    return "set" if name in running.settings else "not set"


def _heard(stage: Stage) -> StageWord:
    folder = f"{FOLDER}/{stage.value}"
    storage = backup_storage()
    names = sorted(name for name in storage.listdir(folder)[1] if name.endswith(".json"))
    if not names:
        raise FileNotFoundError(folder)
    with storage.open(f"{folder}/{names[-1]}") as kept:
        word = json.loads(kept.read())
    said_at = parse_datetime(word["said_at"])
    if word["form"] != _FORM or word["stage"] != stage.value or said_at is None:
        raise ValueError("another form, or another stage's word")
    return StageWord(stage, _read(word), said_at, "as it said itself")


def _read(word: dict[str, Any]) -> Running:
    texts = {name: str(word[name]) for name in ("stage", "version", "commit", "frontend_version")}
    return Running(
        **texts, migrations=_names(word["migrations"]), settings=_names(word["settings"])
    )


def _names(value: dict[str, Any]) -> dict[str, str]:
    return {str(name): str(text) for name, text in value.items()}


def _not_known(stage: Stage, words: str) -> StageWord:
    return StageWord(stage, None, None, words)
