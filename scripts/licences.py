"""Checks that everything Vigil ships may be shipped under Apache-2.0.

Tools of the checks do not count: they are never given to anybody.
"""

import json
import re
import subprocess
import sys
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent

# LGPL (psycopg2) and MPL bind changes to their own files, not what is built on them.
ACCEPTED = re.compile(
    r"\b(MIT|MIT-0|BSD|0BSD|BSD-[23]-Clause|ISC|Apache|PSF-2\.0|Python Software Foundation|MPL|"
    r"Mozilla|LGPL|Unlicense|CC0-1\.0|OFL-1\.1|PostgreSQL|HPND)\b"
)


# Stated in no field, but in the licence file that the package carries: read in this version.
READ_BY_A_PERSON = {"pyrage": "MIT"}


def main() -> int:
    refused = [
        f"{name}: {licence}"
        for name, licence in sorted([*python_packages(), *board_packages()])
        if not ACCEPTED.search(licence)
    ]
    for line in refused:
        print(f"not accepted: {line}")
    return 1 if refused else 0


def python_packages() -> list[tuple[str, str]]:
    shipped = {
        re.split(r"[=\[ ]", line)[0].lower()
        for name in ("run", "embedded")
        for line in (PROJECT / "requirements" / f"{name}.txt").read_text().splitlines()
        if line[:1].isalnum()
    }
    program = [str(Path(sys.executable).parent / "pip-licenses"), "--format=json", "--from=mixed"]
    found = json.loads(subprocess.check_output(program, text=True))
    return [
        (p["Name"], READ_BY_A_PERSON.get(p["Name"].lower(), p["License"]))
        for p in found
        if p["Name"].lower() in shipped
    ]


def board_packages() -> list[tuple[str, str]]:
    lock = json.loads((PROJECT / "frontend" / "package-lock.json").read_text())
    return [
        (path.rpartition("node_modules/")[2], str(package.get("license", "none stated")))
        for path, package in lock["packages"].items()
        if path and not package.get("dev") and not package.get("devOptional")
    ]


if __name__ == "__main__":
    sys.exit(main())
