"""One running hospital for all runbooks: whoever breaks it brings it back, as his page promises.

Where a test failed on the way, the next one gets a new hospital.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.runbooks.places import Hospital

_running: list[Hospital] = []


@pytest.fixture(name="hospital")
def _hospital(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hospital]:
    if not _running:
        place = Hospital(tmp_path_factory.mktemp("runbook") / "data")
        _running.append(place)
        place.manage("backup", "daily")  # last night's: else the keeper makes up for it now
        place.start()
        place.make_user("olga")
    failed_before = len(_failed)
    yield _running[0]
    if len(_failed) > failed_before:
        _running.pop().end()


_failed: list[str] = []


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    report = yield
    if report.failed:  # type: ignore[attr-defined]
        _failed.append(item.nodeid)
    return report


@pytest.fixture(autouse=True, scope="session")
def nothing_left_running() -> Iterator[None]:
    """Whatever came of the tests, no server of theirs goes on."""
    yield
    while _running:
        _running.pop().end()
