"""A runbook as a test carries it out: the very commands that stand in the page, in its order.

Knows the form of the pages (docs/runbooks/README.md): each `### N. …` is a step; its `sh` blocks
are what is typed, `exit=N` behind the word `sh` says how it ends (else with 0; ANY where it
depends), and the `text` block behind one is what must be seen, line for line, with `…` for whatever
differs. An `address` block is a page to open in a browser. Words in capitals are placeholders,
which the test fills in.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

RUNBOOKS = Path(__file__).resolve().parent.parent.parent / "docs" / "runbooks"

_STEP = re.compile(r"^### (\w+)\. (.+)$", re.MULTILINE)
_BLOCK = re.compile(r"^```(\w+)(?: exit=(\w+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Ended:
    """How what was typed ended: what stood on the screen, and the exit status."""

    status: int
    said: str


class Terminal(Protocol):
    """Where commands are typed."""

    def type(self, command: str) -> Ended:
        """Type one command and wait until it has ended."""


@dataclass
class Command:
    """What is typed in a step, how it must end, and what must be seen."""

    typed: str
    status: int | None
    seen: str = ""


@dataclass
class Step:
    """One step of a runbook."""

    name: str
    title: str
    commands: list[Command] = field(default_factory=list)
    addresses: list[str] = field(default_factory=list)


@dataclass
class Runbook:
    """One page, and which of its steps have been carried out.

    `instead` says what is done in the place of a command that would not end by itself.
    """

    steps: dict[str, Step]
    done: set[str] = field(default_factory=set)
    instead: dict[str, Callable[[], object]] = field(default_factory=dict)

    @classmethod
    def read(cls, name: str) -> Runbook:
        """Read a page by its name without the ending."""
        pieces = _STEP.split((RUNBOOKS / f"{name}.md").read_text())[1:]
        read = [_step(*pieces[at : at + 3]) for at in range(0, len(pieces), 3)]
        steps = {step.name: step for step in read}
        assert len(steps) == len(read), "two steps bear one name"
        return cls(steps)

    def do(self, name: str, terminal: Terminal, more: str = "", **words: str) -> list[str]:
        """Type what a step says, and hold each answer against what it promises.

        `words` fill in placeholders; `more` is typed behind, where the page says so.
        Returns what was said to each.
        """
        self.done.add(name)
        commands = self.steps[name].commands
        assert commands, f"step {name} has no command: by_hand()"
        return [_typed(each, terminal, words, self.instead, more) for each in commands]

    def by_hand(self, name: str, act: Callable[[], object]) -> None:
        """Do what a step says in words alone."""
        self.done.add(name)
        assert not self.steps[name].commands, f"step {name} has commands: do()"
        act()

    def opened(self, name: str, **words: str) -> list[str]:
        """Give the addresses that a step opens in a browser."""
        self.done.add(name)
        return [_filled(one, words) for one in self.steps[name].addresses]

    def left(self) -> list[str]:
        """Name the steps that nobody has carried out."""
        return [name for name in self.steps if name not in self.done]


def _step(name: str, title: str, text: str) -> Step:
    step = Step(name, title)
    for kind, status, content in _BLOCK.findall(text):
        if kind == "sh":
            ends = None if status == "ANY" else int(status or 0)
            step.commands += [Command(line, ends) for line in _lines(content)]
        elif kind == "text":
            step.commands[-1].seen = content
        elif kind == "address":
            step.addresses += content.split()
    return step


def _lines(content: str) -> list[str]:
    return [line for line in content.replace("\\\n", " ").splitlines() if line.strip()]


def _typed(
    command: Command,
    terminal: Terminal,
    words: Mapping[str, str],
    instead: Mapping[str, Callable[[], object]],
    more: str,
) -> str:
    if command.typed in instead:
        instead[command.typed]()
        return ""
    ended = terminal.type(f"{_filled(command.typed, words)}{more}")
    assert command.status in {None, ended.status}, f"{command.typed}\n{ended.said}"
    for line in command.seen.splitlines():
        pattern = ".*".join(re.escape(piece) for piece in _filled(line.strip(), words).split("…"))
        pattern = re.sub(r"(\\ )+", " +", pattern)
        assert re.search(pattern, ended.said), f"{command.typed}\n{line}\n{ended.said}"
    return ended.said


def _filled(text: str, words: Mapping[str, str]) -> str:
    if not words:
        return text
    names = "|".join(map(re.escape, words))
    return re.sub(rf"(?<!\w)({names})(?![\w=])", lambda found: words[found[1]], text)
