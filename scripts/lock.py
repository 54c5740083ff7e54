"""Writes requirements/*.txt anew: every version and hash, for Python 3.11 to 3.13.

`make lock` keeps the versions that still fit;
`.venv/bin/python scripts/lock.py --upgrade` takes the newest.
"""

import subprocess
import sys
from pathlib import Path

REQUIREMENTS = Path(__file__).resolve().parent.parent / "requirements"

# In this order: the checks are installed beside the application, so they are held to its versions.
for name in ("run", "embedded", "dev", "bench"):
    command = [sys.executable, "-m", "uv", "pip", "compile", f"{name}.in", "-o", f"{name}.txt"]
    # No index is named in the files: which one is asked is the business of whoever installs.
    command += ["--universal", "--python-version", "3.11", "--generate-hashes", "-q"]
    command += ["--no-emit-index-url", "--no-annotate", "--no-header"]
    # With its extras: pip refuses a package that another one wants with an extra, where the lock
    # names it without, as soon as a newer version is out.
    command += ["--no-strip-extras"]
    command += ["--cache-dir", str(REQUIREMENTS.parent / ".cache" / "uv")]
    subprocess.run([*command, *sys.argv[1:]], cwd=REQUIREMENTS, check=True)
