"""Writes requirements/*.txt anew: every version and hash, for Python 3.11 to 3.13.

What is packed for AWS Lambda, and what plays it, is for Python 3.13 alone: the functions' runtime.

`make lock` keeps the versions that still fit;
`.venv/bin/python scripts/lock.py --upgrade` takes the newest.
"""

import subprocess
import sys
from pathlib import Path

REQUIREMENTS = Path(__file__).resolve().parent.parent / "requirements"

# In this order: the checks are installed beside the application, so they are held to its versions.
# Those after bench are installed each in a folder of its own (scripts/setup.py).
NAMES = (
    "run", "embedded", "dev", "bench", "worker", "package", "emulator", "infra", "checkov", "audit",
)  # fmt: skip
for name in NAMES:
    python = "3.13" if name in {"package", "emulator"} else "3.11"
    command = [sys.executable, "-m", "uv", "pip", "compile", f"{name}.in", "-o", f"{name}.txt"]
    # No index is named in the files: which one is asked is the business of whoever installs.
    command += ["--universal", "--python-version", python, "--generate-hashes", "-q"]
    command += ["--no-emit-index-url", "--no-annotate", "--no-header"]
    # With its extras: pip refuses a package that another one wants with an extra, where the lock
    # names it without, as soon as a newer version is out.
    command += ["--no-strip-extras"]
    command += ["--cache-dir", str(REQUIREMENTS.parent / ".cache" / "uv")]
    subprocess.run([*command, *sys.argv[1:]], cwd=REQUIREMENTS, check=True)
