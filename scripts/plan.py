"""Shows what the infrastructure's code would change of a stage, and changes nothing.

    plan.py STAGE

Terraform's plan of network and database, then CDK's difference of the application layer. It reads
with whatever credentials it finds: give it some that may only read. A part whose program is missing
is not run, and that is a failure: what was not looked at must not look unchanged.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
TOOLS = PROJECT / ".cache" / "tools"
STAGES = ("dev", "staging", "production")


def main(arguments: list[str]) -> int:
    if len(arguments) != 1 or arguments[0] not in STAGES:
        sys.exit(f"Say which stage: one of {', '.join(STAGES)}.")
    (stage,) = arguments
    failed = [name for name, command in parts(stage).items() if not went_well(name, command)]
    print(f"Failed: {', '.join(failed)}." if failed else "Nothing was changed.")
    return 1 if failed else 0


def parts(stage: str) -> dict[str, list[str]]:
    cdk = str(TOOLS / "cdk" / "node_modules" / ".bin" / "cdk")
    app = f"{TOOLS / 'infra' / 'bin' / 'python'} infra/cdk/app.py"
    output = str(PROJECT / ".cache" / "cdk" / stage)
    return {
        "terraform": [sys.executable, "scripts/terraform.py", "plan", stage],
        # Without a change set: making one is already a right to change.
        "cdk": [
            cdk, "diff", "--app", app, "--output", output, "-c", f"stage={stage}",
            "--no-change-set", "--no-version-reporting",
        ],
    }  # fmt: skip


def went_well(name: str, command: list[str]) -> bool:
    print(f"── {name}", flush=True)
    if shutil.which(command[0]) is None:
        print(f"Not run: {command[0]} is missing.", flush=True)
        return False
    return subprocess.run(command, cwd=PROJECT, check=False).returncode == 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
