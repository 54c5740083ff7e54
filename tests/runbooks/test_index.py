"""No runbook without its test and its place in the index; no step that a test could not read."""

from __future__ import annotations

from pathlib import Path

from tests.runbooks.pages import RUNBOOKS, Runbook

PAGES = sorted(page.stem for page in RUNBOOKS.glob("*.md") if page.stem != "README")


def test_every_runbook_stands_in_the_index_and_has_a_test() -> None:
    index = (RUNBOOKS / "README.md").read_text()
    tests = {path.stem for path in Path(__file__).parent.glob("test_*.py")}
    assert [page for page in PAGES if f"({page}.md)" not in index] == []
    assert [page for page in PAGES if f"test_{page.replace('-', '_')}" not in tests] == []


def test_every_command_that_is_typed_stands_in_a_step() -> None:
    for page in PAGES:
        typed = (RUNBOOKS / f"{page}.md").read_text().count("\n```sh")
        steps = Runbook.read(page).steps.values()
        assert typed > 0, page
        assert sum(len(step.commands) for step in steps) >= typed, page
