"""Prints the path of a Chromium for the browser's journeys: the machine's own if there is one.

On Debian and its kin, as root, a missing one is installed with apt-get; elsewhere Playwright
fetches its own into .cache/. Standard library alone. Exit 1 with one sentence where there is none.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
BROWSERS = PROJECT / ".cache" / "browsers"
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
MAC = Path("/Applications/Google Chrome.app/Contents/MacOS/Google Chrome")


def main() -> None:
    found = on_this_machine() or from_debian() or from_playwright()
    if not found:
        sys.exit("No Chromium was found and none could be installed: install the package chromium.")
    print(found)


def on_this_machine() -> str | None:
    if named := os.environ.get("CHROMIUM_PATH"):
        return named
    # Ubuntu's chromium-browser is a stand-in that only says how to install a snap: hence asked.
    candidates = [path for name in NAMES if (path := shutil.which(name))]
    return next(filter(answers, [*candidates, *([str(MAC)] if MAC.exists() else [])]), None)


def answers(path: str) -> bool:
    try:
        done = subprocess.run([path, "--version"], capture_output=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def from_debian() -> str | None:
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        return None
    waiting = ["apt-get", "-q", "-o", "DPkg::Lock::Timeout=300"]
    install = ["install", "-y", "--no-install-recommends", "chromium", "fonts-dejavu-core"]
    for command in ([*waiting, "update"], [*waiting, *install]):
        log("Installing Chromium: " + " ".join(command))
        environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
        subprocess.run(
            command, env=environment, stdin=subprocess.DEVNULL, stdout=sys.stderr, check=False
        )
    return on_this_machine()


def from_playwright() -> str | None:
    client = PROJECT / "frontend" / "node_modules" / "playwright-core" / "cli.js"
    if not client.exists() or not shutil.which("node"):
        return None
    log("Fetching Playwright's Chromium into .cache/browsers …")
    environment = os.environ | {"PLAYWRIGHT_BROWSERS_PATH": str(BROWSERS)}
    subprocess.run(
        ["node", str(client), "install", "chromium"],
        env=environment, stdin=subprocess.DEVNULL, stdout=sys.stderr, check=False,
    )  # fmt: skip
    names = ("chrome", "Chromium", "Google Chrome for Testing")
    programs = (path for name in names for path in BROWSERS.glob(f"chromium-*/**/{name}"))
    return next((str(path) for path in programs if path.is_file() and answers(str(path))), None)


def log(sentence: str) -> None:
    print(sentence, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
