"""Looks for secrets in everything that is tracked, with detect-secrets, and asks nobody outside.

A finding that is none carries `pragma: allowlist secret` in a comment on its line; there is no list
of accepted findings that nobody reads. Tests invent passwords all the time, and a check that is
silenced by habit finds nothing: there, what merely looks like one by its name does not count, but
keys, tokens and whatever is random do.
"""

import subprocess
import sys
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
PROGRAM = Path(sys.executable).parent / "detect-secrets-hook"
# Their hashes are no secrets, and there are thousands.
LOCKS = ("requirements/*.txt", "package-lock.json", "**/package-lock.json", "*.lock.hcl")
# What papers and code write where a password goes, and paths: words of letters alone.
NO_SECRETS = ["^(password|made-up)$", "^[A-Za-z-]+(/[A-Za-z_-]+)+$"]
ONLY_BY_NAME = ["--disable-plugin", "KeywordDetector", "--disable-plugin", "BasicAuthDetector"]


def main() -> int:
    files = tracked()
    tests = [name for name in files if name.startswith("tests/")]
    rest = [name for name in files if not name.startswith("tests/")]
    # Both at once: each takes long enough.
    running = [start(rest, []), start(tests, ONLY_BY_NAME)]
    said = [process.communicate()[0].strip() for process in running]
    if any(process.returncode for process in running):
        print("\n".join(filter(None, said)))
        print(
            "A secret that was committed is known: withdraw it first, then take it out. If it is"
            " none, say so on its line: pragma: allowlist secret"
        )
        return 1
    print(f"{len(files)} files, no secret")
    return 0


def tracked() -> list[str]:
    """List the repository's files, also those that are about to be added."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", "."]
    command += [f":(exclude,glob){pattern}" for pattern in LOCKS]
    listed = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)
    if listed.returncode:
        sys.exit(f"What is tracked cannot be told: {listed.stderr.strip()}")
    return [name for name in listed.stdout.split("\0") if name and (PROJECT / name).is_file()]


def start(files: list[str], options: list[str]) -> subprocess.Popen[str]:
    known = [word for each in NO_SECRETS for word in ("--exclude-secrets", each)]
    return subprocess.Popen(
        [PROGRAM, "--no-verify", *known, *options, *files],
        cwd=PROJECT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
