"""What is to be seen to before, during and after a deployment: each item with its reason.

An item is decided by a command's exit status, or ticked by a person with name and note. Higher
applications, and those who run the place otherwise, add items or put others in their place by key.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from ops.choices import Moment
from ops.evidence import Command


@dataclass(frozen=True)
class Item:
    """One thing to be seen to. Without a command it is a person who ticks it."""

    key: str
    moment: Moment
    title: str
    why: str
    command: Command | None = None
    order: int = 100


_items: dict[tuple[Moment, str], Item] = {}


def add_item(item: Item) -> None:
    """Put an item on its list; one of the same key there is replaced."""
    _items[item.moment, item.key] = item


def items(moment: Moment | str) -> list[Item]:
    """List what is to be seen to at a moment, in order."""
    there = [item for item in _items.values() if item.moment == moment]
    return sorted(there, key=lambda item: item.order)


def item_of(moment: Moment | str, key: str) -> Item | None:
    """Find an item by its key."""
    return _items.get((Moment(moment), key))


def _manage(*words: str, seconds: float = 60) -> Command:
    return Command(("manage.py", *words), seconds=seconds)


_BEFORE = (
    Item(
        "review",
        Moment.BEFORE,
        "The change was reviewed",
        "A second pair of eyes finds what the first one is blind to. Name the review.",
    ),
    Item(
        "integration-tests",
        Moment.BEFORE,
        "The integration tests passed on this commit",
        "What works piece by piece may not work together. Name the run.",
    ),
    Item(
        "dependencies",
        Moment.BEFORE,
        "What is installed is what is locked",
        "Another version than the tested one is another program.",
        _manage("dependencies"),
    ),
    Item(
        "advisories",
        Moment.BEFORE,
        "No locked package has a known hole",
        "It asks the advisory database, so that it needs the internet: not run is not green.",
        Command(
            (
                "pip-audit",
                "--requirement",
                "requirements/run.txt",
                "--require-hashes",
                "--disable-pip",
                # Without it, what could not be asked about passes.
                "--strict",
            ),
            seconds=120,
        ),
    ),
    Item(
        "migrations",
        Moment.BEFORE,
        "No change of a model lacks its migration",
        "The new code would ask for columns that nobody made.",
        _manage("makemigrations", "--check", "--dry-run"),
    ),
    Item(
        "migrations-linted",
        Moment.BEFORE,
        "The migrations break no version that runs beside them",
        "While a deployment lasts, two versions work on one schema.",
        Command(("scripts/migrations.py",), seconds=180, needs="django_migration_linter"),
    ),
    Item(
        "docs",
        Moment.BEFORE,
        "Changelog and papers tell of the change",
        "Whoever is woken at night reads them. Name what was written.",
    ),
    Item(
        "books",
        Moment.BEFORE,
        "The books balance before anything is touched",
        "A difference that was there before must not look like one that the deployment made.",
        _manage("books", "--strict", seconds=300),
    ),
    Item(
        "backups",
        Moment.BEFORE,
        "There is a way back: a recent backup, and a recent restore that was proven",
        "A backup that nobody has restored is a hope.",
        _manage("wayback"),
    ),
)

_DURING = (
    Item(
        "migrate",
        Moment.DURING,
        "Every migration is applied",
        "Code that runs ahead of its schema fails at the first question.",
        _manage("migrate", "--plan", "--check"),
    ),
    Item(
        "backend",
        Moment.DURING,
        "The application answers and finds its database",
        "A process that was not started again serves the old code, or none.",
        _manage("smoke", "alive", "ready"),
    ),
    Item(
        "frontend",
        Moment.DURING,
        "The board that is served is the board that was built",
        "A stale bundle asks a new API in old words.",
        _manage("smoke", "frontend"),
    ),
    Item(
        "configuration",
        Moment.DURING,
        "The configuration is fit for a hospital",
        "Cookies without TLS or debug pages would give patients away.",
        _manage("check", "--deploy", "--fail-level", "WARNING"),
    ),
    Item(
        "monitoring",
        Moment.DURING,
        "Alarms are armed and reach somebody",
        "What fails tonight must wake a person. Say which alarm was seen to arrive.",
    ),
)

_AFTER = (
    Item(
        "smoke",
        Moment.AFTER,
        "The smoke tests pass",
        "Alive, ready, sign-in and the board's files, asked from outside.",
        _manage("smoke", "alive", "ready", "sign-in", "frontend"),
    ),
    Item(
        "error-rate",
        Moment.AFTER,
        "Requests do not fail more often than they may",
        "A fault that only some requests meet shows in no smoke test.",
        _manage("errorrate"),
    ),
    Item(
        "performance",
        Moment.AFTER,
        "Answers come as quickly as they must",
        "A board that hangs is a board that nobody looks at.",
        _manage("smoke", "pace"),
    ),
    Item(
        "feeds",
        Moment.AFTER,
        "Every feed is alive",
        "While a feed is silent, nobody can be said to be well.",
        _manage("probe", "feeds"),
    ),
    Item(
        "alerts",
        Moment.AFTER,
        "Alerts are evaluated",
        "Without the sweep, no patient who has waited too long is ever told of.",
        _manage("probe", "alerts"),
    ),
    Item(
        "books",
        Moment.AFTER,
        "The books balance",
        "Every row of every file is still accounted for.",
        _manage("books", "--strict", seconds=300),
    ),
    Item(
        "status-page",
        Moment.AFTER,
        "The status page answers",
        "When everything else is down, it is where people look.",
        _manage("smoke", "status-page"),
    ),
)

_ARMED = Item(
    "monitoring",
    Moment.DURING,
    "Alarms are armed and reach the stage's topic",
    "What fails tonight must wake a person: an alarm without an action tells nobody.",
    _manage("alarms"),
)


def add_items_of_aws() -> None:
    """On AWS a command decides what a person sees to elsewhere. Its place on the list stays."""
    there = _items[_ARMED.moment, _ARMED.key]
    add_item(replace(_ARMED, order=there.order))


for _number, _item in enumerate((*_BEFORE, *_DURING, *_AFTER), start=1):
    add_item(Item(**{**_item.__dict__, "order": _number * 10}))
