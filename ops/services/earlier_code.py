"""The code of an earlier release, checked out beside ours for as long as it is needed.

What it does, it does in processes of its own, with this stage's configuration.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.conf import settings
from django.db import connection
from django.utils import timezone

from ops.errors import DeployFailed
from ops.evidence import masked
from ops.services.procedure import Say

_LONGEST = 6 * 3600


@contextmanager
def code_of(commit: str) -> Iterator[Path]:
    """Check a commit out into a folder that is gone afterwards. Raises DeployFailed."""
    with tempfile.TemporaryDirectory(prefix="vigil-earlier-") as parent:
        folder = Path(parent) / "code"
        done = _git("worktree", "add", "--detach", "--quiet", str(folder), commit)
        if not commit or done.returncode:
            raise DeployFailed(
                f"The commit {commit[:10] or 'of the release'} is not in this repository: fetch it"
                " (git fetch --unshallow), then try again."
            )
        try:
            yield folder
        finally:
            _git("worktree", "remove", "--force", str(folder))
            shutil.rmtree(folder, ignore_errors=True)


def restore_by(
    commit: str, *, backup: str, at: str, by: str, why: str, say: Say
) -> tuple[str, str]:
    """Restore a backup beside the database by that commit's code, which knows that schema.

    On RDS it is a new instance, as of `at`. Returns its name, and what the last line said. Raises
    DeployFailed.
    """
    if settings.RDS_INSTANCE:
        to = f"{settings.RDS_INSTANCE[:40]}-{timezone.now():%Y%m%dt%H%M%S}"
        source = ["--at", at]
    else:
        to = f"{str(connection.settings_dict['NAME'])[:25]}_{timezone.now():%Y%m%d%H%M%S}"
        source = [backup]
    say(f"restoring into {to}")
    with code_of(commit) as folder:
        done = subprocess.run(
            [
                sys.executable, "manage.py", "restore", *source, "--to", to,
                "--by", by, "--why", why,
            ],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(folder)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=_LONGEST,
            check=False,
        )  # fmt: skip
    said = masked(done.stdout.strip())[-600:]
    if done.returncode:
        raise DeployFailed(f"It could not be restored: {said}")
    return to, said.splitlines()[-1] if said else ""


def _git(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["git", *words], cwd=settings.BASE_DIR, capture_output=True, text=True, check=False
    )
