"""The part of the runbook for a stage on AWS, typed as it stands there."""

from __future__ import annotations

import contextlib
import io
import shlex
from pathlib import Path

from django.core.management import ManagementUtility

from tests.deploying.places import Place
from tests.deploying.test_rolling_back import two_releases
from tests.runbooks.pages import Ended, Runbook


class Shell:
    """Types a command of manage.py in this process, where the stage is."""

    def type(self, command: str) -> Ended:
        program, script, *words = shlex.split(command)
        assert (program, script) == (".venv/bin/python", "manage.py"), command
        said, status = io.StringIO(), 0
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            try:
                ManagementUtility(["manage.py", *words]).execute()
            except SystemExit as ended:
                status = int(ended.code or 0)
        return Ended(status, said.getvalue())


def test_a_stage_on_aws_is_rolled_back_as_the_page_says(place: Place, seals: Path) -> None:
    book = Runbook.read("roll-back")
    two_releases(place)
    shell = Shell()

    book.do("D1", shell, STAGE="dev")
    assert place.codes() == {"two"}
    book.do("D2", shell, more=" --watch 0", STAGE="dev", YOU="olga")
    book.do("D3", shell)

    assert place.codes() == {"one"}
    assert not {"D1", "D2", "D3"} & set(book.left())
