"""The work tree that is deployed: what git tracks of it, and whether it is as it was committed.

One rule for all who deploy: what lies here is a commit's where no tracked file was changed and
nothing lies in the applications' folders that git does not track. Knows git, and nothing of AWS.
"""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

from ops.errors import PackageWrong

APPLICATION = ("alerts", "api", "hospital", "ingestion", "ops")
_UNTRACKED = "?? "
_SECONDS = 30


@dataclass(frozen=True)
class Tree:
    """A work tree. Where git does not know it (`is_known`), nothing can be said of it.

    `changes` are paths that differ from the commit.
    """

    folder: Path
    commit: str = ""
    tracked: frozenset[str] = frozenset()
    changes: tuple[str, ...] = ()

    @classmethod
    def look(cls, folder: Path) -> Tree:
        """Ask git about a folder."""
        commit = _git(folder, "rev-parse", "--verify", "--quiet", "HEAD").strip("\n")
        tracked = frozenset(_paths(_git(folder, "ls-files", "-z")))
        if not commit or not tracked:
            return cls(folder)
        told = _paths(_git(folder, "status", "--porcelain", "--no-renames", "-uall", "-z", "."))
        return cls(folder, commit, tracked, tuple(each[3:] for each in told if _counts(each)))

    @property
    def is_known(self) -> bool:
        """Tell whether git knows this tree."""
        return bool(self.commit)

    def require_committed(self) -> None:
        """Refuse what nobody could fetch again. Raises PackageWrong."""
        if self.changes:
            some = ", ".join(self.changes[:3]) + (", …" if len(self.changes) > 3 else "")
            raise PackageWrong(
                f"The work tree holds changes that are in no commit ({some}): commit or put them"
                " away. Only dev takes what nobody can fetch again."
            )

    def require_own_static(self) -> None:
        """Refuse what would be served to everybody and is none of ours. Raises PackageWrong."""
        folders = [f":(glob){name}/static/**" for name in APPLICATION]
        found = _git(self.folder, "ls-files", "--others", "-z", "--", *folders)
        if self.is_known and (strange := _paths(found)):
            raise PackageWrong(
                f"{strange[0]} is in no commit, and would be served to everybody as a static file:"
                " commit it or put it away."
            )


def _counts(line: str) -> bool:
    return not line.startswith(_UNTRACKED) or line[3:].split("/", 1)[0] in APPLICATION


def _paths(told: str) -> list[str]:
    return [each for each in told.split("\0") if each]


def _git(folder: Path, *words: str) -> str:
    """Ask git; it answers nothing where it is not there, or does not know the folder."""
    try:
        done = subprocess.run(
            ["git", *words], cwd=folder, capture_output=True, timeout=_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return "" if done.returncode else done.stdout.decode(errors="surrogateescape")
