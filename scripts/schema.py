"""Checks that api/openapi.yaml says what the code does; `--write` writes it.

The board's types are generated from that file: a stale one would let it trust fields that are gone.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
COMMITTED = PROJECT / "api" / "openapi.yaml"


def main(arguments: list[str]) -> int:
    with tempfile.TemporaryDirectory() as folder:
        fresh = Path(folder) / "openapi.yaml"
        command = [sys.executable, "manage.py", "spectacular", "--validate", "--fail-on-warn"]
        # A folder of its own: looking at the schema must not make a var/ in a fresh clone.
        environment = os.environ | {"HOSPITAL_DATA_DIR": str(PROJECT / ".cache" / "checks")}
        subprocess.run([*command, "--file", str(fresh)], cwd=PROJECT, env=environment, check=True)
        if "--write" in arguments:
            COMMITTED.write_text(fresh.read_text())
        if COMMITTED.exists() and COMMITTED.read_text() == fresh.read_text():
            return 0
    print("api/openapi.yaml is not what the code does: .venv/bin/python scripts/schema.py --write")
    return 1


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except subprocess.CalledProcessError:
        sys.exit(1)
