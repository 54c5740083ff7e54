"""Asks the public lists whether anything that is locked has a known hole. It needs the internet.

pip-audit, safety and npm audit; each for itself, so that one that cannot ask hides nobody's answer.
What could not be asked counts as failed: no answer is no good answer.
"""

import os
import subprocess
import sys
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
REQUIREMENTS = PROJECT / "requirements"
PROGRAMS = PROJECT / ".cache" / "tools" / "audit" / "bin"
# `--strict`: without it, pip-audit passes what it could not ask about.
PIP_AUDIT = ["pip-audit", "--strict", "--require-hashes", "--disable-pip", "--progress-spinner=off"]
# The one of its commands that needs no account; SAFETY_API_KEY, where it is set, is taken.
SAFETY = ["safety", "--disable-optional-telemetry", "check", "--output", "text"]
NPM_AUDIT = ["npm", "audit", "--package-lock-only", "--audit-level=moderate"]


def main() -> int:
    locks = sorted(REQUIREMENTS.glob("*.txt"))
    folders = [PROJECT / "frontend", *sorted(path.parent for path in REQUIREMENTS.glob("*/*.json"))]
    folders = list(dict.fromkeys(folders))
    failed = [f"pip-audit {lock.name}" for lock in locks if not asks([*PIP_AUDIT, "-r", lock])]
    failed += [f"safety {lock.name}" for lock in locks if not asks([*SAFETY, "--file", lock])]
    failed += [f"npm audit {each.name}" for each in folders if not asks([*NPM_AUDIT], cwd=each)]
    print(f"Failed: {', '.join(failed)}." if failed else "Nothing that is known.")
    return 1 if failed else 0


def asks(command: list[str | Path], *, cwd: Path = PROJECT) -> bool:
    """Run one program, shown with its words, and tell whether its answer was good."""
    words = [str(word) for word in command]
    where = "" if cwd == PROJECT else f" (in {cwd.relative_to(PROJECT)})"
    print(f"── {' '.join(words)}{where}", flush=True)
    environment = os.environ | {"PATH": f"{PROGRAMS}{os.pathsep}{os.environ.get('PATH', '')}"}
    return subprocess.run(words, cwd=cwd, env=environment, check=False).returncode == 0


if __name__ == "__main__":
    sys.exit(main())
