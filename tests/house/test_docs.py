"""The papers tell the truth where a machine can check it: links, settings, commands, and no
word about the places where the project was written.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.core.management import get_commands

PROJECT = Path(__file__).resolve().parent.parent.parent
OPERATING = PROJECT / "docs" / "operating.md"

_LINK = re.compile(r"(?<!\\)\[([^\]]*)\]\(([^)\s]+)\)")
_SETTING_ROW = re.compile(r"^\| `([A-Z][A-Z_]+)` \|", re.MULTILINE)
# Read by the project, and no setting of the application: Django's own, and what AWS itself sets.
_NO_SETTINGS = {
    "AWS_DEFAULT_REGION",
    "AWS_LAMBDA_FUNCTION_NAME",
    "DJANGO_SETTINGS_MODULE",
    "LAMBDA_TASK_ROOT",
}
# Written in parts, so that this file does not mention what it looks for.
_OTHER_PLACES = re.compile(
    "|".join((r"(?<![\w@.-])shared" + "/", *(f"/{top}/" for top in ("work", "root", "home"))))
)


def tracked(pattern: str = "*") -> list[Path]:
    """The repository's files, also those that are about to be added."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", pattern]
    try:
        listed = subprocess.check_output(command, cwd=PROJECT, text=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("not in a git repository")
    return [path for name in listed.split("\0") if name and (path := PROJECT / name).is_file()]


def papers() -> list[Path]:
    return tracked("*.md")


def without_code(text: str) -> str:
    """The text without its code blocks, in which brackets are no links."""
    return re.sub(r"^(```.*?^```|(?: {4}|\t).*?$)", "", text, flags=re.MULTILINE | re.DOTALL)


def links() -> Iterator[tuple[Path, str, str]]:
    """Each relative link of each paper: where it stands, its words, and where it leads."""
    for paper in papers():
        for words, target in _LINK.findall(without_code(paper.read_text())):
            if "://" not in target and not target.startswith("mailto:"):
                yield paper, words, target


def anchors(paper: Path) -> set[str]:
    """The anchors of a paper's headings, as they are made on the pages of git servers."""
    headings = re.findall(r"^#+ (.+)$", without_code(paper.read_text()), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in headings}


def test_every_relative_link_leads_somewhere() -> None:
    broken = [
        f"{paper.relative_to(PROJECT)}: {target}"
        for paper, _, target in links()
        if not (paper.parent / target.partition("#")[0]).exists()
    ]
    assert broken == []


def test_every_anchor_is_a_heading() -> None:
    broken = []
    for paper, _, target in links():
        name, _, anchor = target.partition("#")
        there = paper.parent / name if name else paper
        if anchor and there.suffix == ".md" and anchor not in anchors(there):
            broken.append(f"{paper.relative_to(PROJECT)}: {target}")
    assert broken == []


def test_a_name_that_links_to_a_file_is_defined_there() -> None:
    astray = []
    for paper, words, target in links():
        named = re.fullmatch(r"`([A-Za-z_]+)`", words)
        file = paper.parent / target.partition("#")[0]
        if named and file.suffix in {".py", ".ts", ".tsx"}:
            defined = rf"\b(def|class|function|const|type) {named[1]}\b|^(app\.conf\.)?{named[1]} ="
            if not re.search(defined, file.read_text(), flags=re.MULTILINE):
                astray.append(f"{paper.relative_to(PROJECT)}: {named[1]} in {target}")
    assert astray == []


def settings_read() -> set[str]:
    """The environment variables that the project's own rooms read."""
    reading = re.compile(
        r'(?:env\.\w+|_number|_whole|_switch|environ(?:\.get)?)[\[(]\s*"([A-Z][A-Z_]+)"'
    )
    code = [PROJECT / "manage.py"]
    for room in ("hospital", "api", "alerts", "ingestion", "ops", "simulator"):
        code += (PROJECT / room).rglob("*.py")
    found = {name for path in code for name in reading.findall(path.read_text())}
    return found - _NO_SETTINGS


def test_every_setting_is_told_to_operators() -> None:
    assert settings_read() - set(_SETTING_ROW.findall(OPERATING.read_text())) == set()


def test_operators_are_told_of_no_setting_that_is_not_read() -> None:
    assert set(_SETTING_ROW.findall(OPERATING.read_text())) - settings_read() == set()


def test_no_setting_is_told_of_twice() -> None:
    told = _SETTING_ROW.findall(OPERATING.read_text())
    assert sorted(told) == sorted(set(told))


def test_every_setting_that_a_paper_names_is_read() -> None:
    named = {
        f"{paper.relative_to(PROJECT)}: {name}"
        for paper in papers()
        for name in re.findall(r"\bHOSPITAL_[A-Z_]+\b", paper.read_text())
        if name not in settings_read()
    }
    assert named == set()


def test_every_command_that_a_paper_names_exists() -> None:
    commands = {*get_commands(), "help"}
    named = {
        f"{paper.relative_to(PROJECT)}: {name}"
        for paper in papers()
        for name in re.findall(r"manage\.py ([a-z_][a-z0-9_]*)", paper.read_text())
        if name not in commands
    }
    assert named == set()


def test_everything_that_a_paper_says_can_be_made_can_be_made() -> None:
    makefile = (PROJECT / "Makefile").read_text()
    targets = set(re.findall(r"^([a-z-]+):", makefile, flags=re.MULTILINE))
    named = {
        f"{paper.relative_to(PROJECT)}: {name}"
        for paper in papers()
        for name in re.findall(r"(?:`|^ {4}|=\S* )make ([a-z-]+)", paper.read_text(), re.MULTILINE)
        if name not in targets
    }
    assert named == set()


def test_every_script_that_a_paper_names_is_there() -> None:
    missing = {
        f"{paper.relative_to(PROJECT)}: {name}"
        for paper in papers()
        for name in re.findall(r"\b(scripts/[\w.-]+\w)", paper.read_text())
        if not (PROJECT / name).exists()
    }
    assert missing == set()


def test_no_file_tells_of_the_place_where_it_was_written() -> None:
    telling = []
    for path in tracked():
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue  # pictures and fonts
        if _OTHER_PLACES.search(text):
            telling.append(str(path.relative_to(PROJECT)))
    assert telling == []
