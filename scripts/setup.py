"""Makes what a clone needs before it can run: virtual environment, locked packages, built board.

Standard library alone: it runs before anything is installed. Each step leaves a stamp of its inputs
and is skipped while they are unchanged; an interrupted step has no stamp and is made again. Writes
only below the project (.venv, .cache, frontend/).

    setup.py run     what `make run` needs
    setup.py all     that, and what `make test` needs, with the tools for AWS, each in .cache/tools/
    setup.py bench   what `make run` needs, and what `make bench` does
    setup.py audit   after `all`: what asks the lists of known holes
    setup.py plan    after `all`: what tells what a change of the infrastructure would do
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
import time
from collections import deque
from collections.abc import Iterable, Iterator
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
VENV = PROJECT / ".venv"
CACHE = PROJECT / ".cache"
STAMPS = CACHE / "stamps"
FRONTEND = PROJECT / "frontend"
TOOLS = CACHE / "tools"
# Tools that are held to versions of their own: each lives in a folder of its own. Python's are
# locked in requirements/NAME.txt, Node's in requirements/NAME/package-lock.json.
TOOL_NAMES = ("package", "emulator", "infra", "checkov", "actionlint")
# What is packed for AWS Lambda, and what plays it.
OF_FUNCTIONS = ("package", "emulator")
SELDOM_USED = {"audit": ("audit",), "plan": ("cdk",)}
REQUIREMENTS = {
    "run": ("run", "embedded"),
    "all": ("run", "embedded", "dev"),
    "bench": ("run", "embedded", "bench"),
}

PYTHON_SENTENCE = (
    "Vigil needs Python 3.11, 3.12 or 3.13 with venv: install one of them and run make again."
)
NODE_SENTENCE = (
    "Vigil needs Node.js with npm, version 20.19 or a later 20, or 22.12 or any later: "
    "install one (https://nodejs.org) and run make again."
)


class CannotSetUp(Exception):
    """Said to the person in one sentence; set-up stops."""


def main(kind: str) -> None:
    check_python()
    node = check_node()
    CACHE.mkdir(exist_ok=True)
    STAMPS.mkdir(exist_ok=True)
    with one_at_a_time():
        if kind in SELDOM_USED:
            for name in SELDOM_USED[kind]:
                install_tool(name, node)
            return
        make_venv()
        install_python_packages(kind)
        install_board_packages(node)
        build_board(node)
        if kind == "all":
            for name in TOOL_NAMES:
                install_tool(name, node)


def check_python() -> None:
    if not (3, 11) <= sys.version_info[:2] <= (3, 13):
        raise CannotSetUp(PYTHON_SENTENCE)


def check_node() -> str:
    """The version of a Node that can build the board."""
    if not shutil.which("npm"):
        raise CannotSetUp(NODE_SENTENCE)
    try:
        said = subprocess.run(
            ["node", "--version"], capture_output=True, text=True, check=True
        ).stdout
    except (OSError, subprocess.CalledProcessError):
        raise CannotSetUp(NODE_SENTENCE) from None
    version = re.match(r"v(\d+)\.(\d+)", said)
    major, minor = (int(version[1]), int(version[2])) if version else (0, 0)
    if not ((major == 20 and minor >= 19) or (major, minor) >= (22, 12)):
        raise CannotSetUp(f"{NODE_SENTENCE[:-1]} (found {said.strip() or 'none'}).")
    return said.strip()


@contextlib.contextmanager
def one_at_a_time() -> Iterator[None]:
    """Two `make` in one clone would take each other's half-made .venv for an interrupted one."""
    with (CACHE / "setup.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("Another make is setting this folder up; waiting for it …")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def make_venv() -> None:
    # The path is part of the stamp: scripts in a venv name their interpreter, so that a moved
    # project needs a new one.
    stamp = digest([], extra=f"{sys.version} {sys.base_prefix} {VENV}")
    if (
        is_done("venv", stamp)
        and (VENV / "bin" / "python").exists()
        and not (VENV / "installing").exists()
    ):
        return
    for name in ("venv", *(f"python-{kind}" for kind in REQUIREMENTS)):
        (STAMPS / name).unlink(missing_ok=True)
    shutil.rmtree(VENV, ignore_errors=True)
    run_step("Virtual environment", [sys.executable, "-m", "venv", VENV])
    # So that pytest, celery and lint-imports find the project from wherever they are started.
    packages = next(VENV.glob("lib/python3*/site-packages"))
    (packages / "vigil.pth").write_text(f"{PROJECT}\n")
    mark_done("venv", stamp)


def install_python_packages(kind: str) -> None:
    files = requirement_files(kind)
    stamp = digest(files)
    # A venv that has the packages of the checks has those of the run as well.
    if is_done(f"python-{kind}", stamp) or (
        kind == "run" and is_done("python-all", digest(requirement_files("all")))
    ):
        return
    # pip takes a package for installed once its folder is there, even if it was killed before
    # the last file: hence the mark.
    unfinished = VENV / "installing"
    unfinished.touch()
    command: list[str | Path] = [
        VENV / "bin" / "python",
        "-m",
        "pip",
        "install",
        "--require-hashes",
        "--no-color",
        "--progress-bar",
        "off",
    ]
    for file in files:
        command += ["-r", file]
    total = sum(line[:1].isalnum() for file in files for line in file.read_text().splitlines())
    run_step("Python packages", command, count=("Collecting ", total))
    unfinished.unlink()
    mark_done(f"python-{kind}", stamp)


def requirement_files(kind: str) -> list[Path]:
    return [PROJECT / "requirements" / f"{name}.txt" for name in REQUIREMENTS[kind]]


def install_tool(name: str, node: str) -> None:
    """Install one of the tools into .cache/tools/NAME, from its lock."""
    if (PROJECT / "requirements" / name).is_dir():
        install_node_tool(name, node)
    else:
        install_python_tool(name)


def install_node_tool(name: str, node: str) -> None:
    locks = [
        PROJECT / "requirements" / name / each for each in ("package.json", "package-lock.json")
    ]
    folder = TOOLS / name
    stamp = digest(locks, extra=f"{node} {folder}")
    if is_done(f"tool-{name}", stamp) and (folder / "node_modules").is_dir():
        return
    (STAMPS / f"tool-{name}").unlink(missing_ok=True)
    folder.mkdir(parents=True, exist_ok=True)
    for lock in locks:
        shutil.copy(lock, folder)
    run_step(f"Tools: {name}", ["npm", "ci", "--no-audit", "--no-fund"], cwd=folder)
    mark_done(f"tool-{name}", stamp)


def install_python_tool(name: str) -> None:
    """Install a tool of Python's; uv does it in seconds."""
    python = functions_python() if name in OF_FUNCTIONS else str(VENV / "bin" / "python")
    if python is None:
        say(
            f"Tools: {name} needs Python 3.13, the runtime of AWS Lambda, and there is none: what"
            " needs it is not run. Install it, or name it in PYTHON313, and run make again."
        )
        return
    lock = PROJECT / "requirements" / f"{name}.txt"
    folder = TOOLS / name
    stamp = digest([lock], extra=f"{python} {sys.version} {folder}")
    if is_done(f"tool-{name}", stamp) and (folder / "bin" / "python").exists():
        return
    (STAMPS / f"tool-{name}").unlink(missing_ok=True)
    shutil.rmtree(folder, ignore_errors=True)
    run_step(f"Tools: {name}, its environment", [python, "-m", "venv", "--without-pip", folder])
    install: list[str | Path] = [
        VENV / "bin" / "python",
        "-m",
        "uv",
        "pip",
        "install",
        "--require-hashes",
    ]
    install += ["--python", folder / "bin" / "python", "-r", lock, "--cache-dir", CACHE / "uv"]
    run_step(f"Tools: {name}", install)
    mark_done(f"tool-{name}", stamp)


def functions_python() -> str | None:
    """A Python 3.13 with venv, the runtime of the functions: on the path, or one of pyenv's."""
    kept = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    of_pyenv = sorted(str(path) for path in kept.glob("3.13*/bin/python3.13"))
    for candidate in (os.environ.get("PYTHON313"), sys.executable, "python3.13", *of_pyenv):
        if candidate and _is_of_functions(candidate):
            return candidate
    return None


def _is_of_functions(candidate: str) -> bool:
    asks = "import sys, venv; sys.exit(sys.version_info[:2] != (3, 13))"
    try:
        done = subprocess.run([candidate, "-c", asks], capture_output=True, check=False)
    except OSError:
        return False
    return done.returncode == 0


def install_board_packages(node: str) -> None:
    stamp = digest(
        [FRONTEND / "package.json", FRONTEND / "package-lock.json"], extra=f"{node} {FRONTEND}"
    )
    if is_done("npm", stamp) and (FRONTEND / "node_modules").is_dir():
        return
    run_step("Packages of the board", ["npm", "ci", "--no-audit", "--no-fund"], cwd=FRONTEND)
    mark_done("npm", stamp)


def build_board(node: str) -> None:
    stamp = digest(board_sources(), extra=node)
    if is_done("board", stamp) and (FRONTEND / "dist" / "index.html").exists():
        return
    run_step("Building the board", ["npm", "run", "build"], cwd=FRONTEND)
    mark_done("board", stamp)


def board_sources() -> list[Path]:
    made = {"node_modules", "dist", "coverage"}
    return sorted(
        path
        for top in FRONTEND.iterdir()
        if top.name not in made
        for path in ([top] if top.is_file() else top.rglob("*"))
        if path.is_file() and path.suffix != ".tsbuildinfo"
    )


def digest(files: Iterable[Path], *, extra: str = "") -> str:
    total = hashlib.sha256(extra.encode())
    for file in files:
        total.update(f"{file.relative_to(PROJECT)}\0".encode())
        total.update(hashlib.sha256(file.read_bytes()).digest())
    return total.hexdigest()


def is_done(name: str, stamp: str) -> bool:
    try:
        return (STAMPS / name).read_text() == stamp
    except OSError:
        return False


def mark_done(name: str, stamp: str) -> None:
    (STAMPS / name).write_text(stamp)


def run_step(
    label: str,
    command: list[str | Path],
    *,
    cwd: Path = PROJECT,
    count: tuple[str, int] | None = None,
) -> None:
    """Run one step: its output into a log, its progress on one line, on failure the log's end."""
    progress = Progress(label)
    log_path = CACHE / "setup.log"
    env = os.environ | {
        "PIP_CACHE_DIR": str(CACHE / "pip"),
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "npm_config_cache": str(CACHE / "npm"),
        "npm_config_update_notifier": "false",
        # scripts/chromium.py looks for a browser; no installation fetches one by the way.
        "PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD": "1",
    }
    with log_path.open("a") as log:
        log.write(f"\n== {label}\n")
        process = subprocess.Popen(
            [str(part) for part in command],
            cwd=cwd,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        tail: deque[str] = deque(maxlen=25)
        assert process.stdout
        for line in process.stdout:
            log.write(line)
            tail.append(line)
            if count and line.startswith(count[0]):
                progress.advance(count[1])
        code = process.wait()
    if code:
        progress.finish("failed")
        sys.stderr.writelines(tail)
        raise CannotSetUp(
            f"{label} failed; the lines above say why, {log_path.relative_to(PROJECT)} holds all "
            "of them, and make goes on where it stopped."
        )
    progress.finish("done")


class Progress:
    """One line per step: moving on a terminal, said at its start and its end elsewhere."""

    def __init__(self, label: str) -> None:
        self.label = label
        self.started = time.monotonic()
        self.done = 0
        self.moving = sys.stdout.isatty()
        print(f"{label} …", end="" if self.moving else "\n", flush=True)

    def advance(self, total: int) -> None:
        self.done += 1
        if self.moving:
            print(
                f"\r{self.label} … {self.done} of {max(total, self.done)}\033[K", end="", flush=True
            )

    def finish(self, outcome: str) -> None:
        seconds = time.monotonic() - self.started
        before, after = ("\r", "\033[K") if self.moving else ("", "")
        print(f"{before}{self.label}: {outcome} in {seconds:.0f} s{after}", flush=True)


def say(sentence: str) -> None:
    print(sentence, flush=True)


if __name__ == "__main__":
    try:
        main(sys.argv[1] if sys.argv[1:] else "all")
    except CannotSetUp as sentence:
        sys.exit(str(sentence))
    except KeyboardInterrupt:
        sys.exit("\nStopped; `make` goes on from here.")
