"""Who lives at a process id, and as whom a server runs. Knows no server by name."""

import os
import pwd
import shutil
import stat
import subprocess
from collections.abc import Sequence
from enum import Enum
from pathlib import Path
from typing import Any

from hospital.localdb.places import LocalServicesFailed

PROC = Path("/proc/self/stat")


class Occupant(Enum):
    """What is found at the process id that a server left in its pid file."""

    NOBODY = "nobody"
    OURS = "ours"
    ZOMBIE = "zombie"  # dead, but its parent has not looked yet; kill(pid, 0) still succeeds
    STRANGER = "stranger"  # the id was given to somebody else, for example after a reboot


def occupant(pid_file: Path, *, program: str, folder: Path) -> Occupant:
    """Judged by the program's name and its working folder, never by `ps` arguments: those are cut
    to 80 columns without a terminal, and a wrong answer here deletes a living server's pid file."""
    try:
        pid = int(pid_file.read_text().split()[0])
    except (OSError, ValueError, IndexError):
        return Occupant.NOBODY
    state, name = _state_and_name(pid)
    if not state:
        return Occupant.NOBODY
    if state == "Z":
        return Occupant.ZOMBIE
    if name != program[:15] or _works_in(pid, folder) is False:
        return Occupant.STRANGER
    return Occupant.OURS


def survivors_in(folder: Path, *, program: str) -> bool:
    """Whether any process of this program still works in the folder, its parent being dead."""
    if not PROC.exists():
        return False
    pids = [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]
    return any(_is_alive(pid, program) and _works_in(pid, folder) is True for pid in pids)


def _is_alive(pid: int, program: str) -> bool:
    state, name = _state_and_name(pid)
    return state not in {"", "Z", "X"} and name == program[:15]


def _state_and_name(pid: int) -> tuple[str, str]:
    if not PROC.exists():
        found = subprocess.run(
            ["ps", "-o", "stat=,comm=", "-p", str(pid)], capture_output=True, text=True, check=False
        ).stdout.split(None, 1)
        return (found[0][0], Path(found[1].strip()).name[:15]) if len(found) == 2 else ("", "")
    try:
        text = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except OSError:
        return "", ""
    # "12 (name) S …": the name may itself hold blanks and brackets.
    return text.rpartition(")")[2].split()[0], text.partition("(")[2].rpartition(")")[0]


def _works_in(pid: int, folder: Path) -> bool | None:
    """None where the system does not tell; then a process named in a pid file counts as ours."""
    try:
        return Path(f"/proc/{pid}/cwd").samefile(folder)
    except OSError:
        return None


def server_user(folder: Path) -> tuple[int, int] | None:
    """Whom a server runs as in this folder; None: as the caller. PostgreSQL refuses root, so root
    hands over to the folder's owner (a normal user may have made it) or else to `nobody`."""
    if os.geteuid() != 0:
        return None
    found = folder.stat()
    if found.st_uid:
        return found.st_uid, found.st_gid
    nobody = pwd.getpwnam("nobody")
    return nobody.pw_uid, nobody.pw_gid


def own_folder(folder: Path) -> None:
    """Make a folder that belongs to its server alone."""
    folder.mkdir(exist_ok=True, mode=0o700)
    user = server_user(folder)
    if user:
        os.chown(folder, *user)


def run_as_server(command: Sequence[str | Path], *, folder: Path, stdin: str | None = None) -> None:
    """Run one of a server's programs in its folder, as its user; raises CalledProcessError."""
    parts = [str(part) for part in command]
    user = server_user(folder)
    identity: dict[str, Any] = {}
    if user:
        if _is_open_to_all(Path(parts[0])) and _is_open_to_all(folder.parent):
            identity = {"user": user[0], "group": user[1], "extra_groups": []}
        else:
            parts = [*_passing_closed_doors(*user), *parts]
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PG")}
    with (folder / "start.log").open("w+") as said:
        try:
            # Into a file, not a pipe: the server inherits it and would hold a pipe open for ever.
            subprocess.run(
                parts, cwd=folder, env=environment | {"LC_ALL": "C"}, check=True, text=True,
                input=stdin or "", stdout=said, stderr=said, start_new_session=True, **identity,
            )  # fmt: skip
        except subprocess.CalledProcessError as error:
            said.seek(0)
            error.output = said.read().strip()
            raise
        except FileNotFoundError as error:
            raise LocalServicesFailed(
                f"{error.filename} is missing: run make setup, or name a PostgreSQL 17 or later in "
                "PG_BIN_DIR."
            ) from error


def _is_open_to_all(path: Path) -> bool:
    path = path.resolve()
    may_read = path.is_dir() or path.stat().st_mode & stat.S_IROTH
    return bool(may_read) and all(
        step.stat().st_mode & stat.S_IXOTH for step in [path, *path.parents]
    )


def _passing_closed_doors(uid: int, gid: int) -> list[str]:
    """A project inside a 0700 home: the server keeps one capability, to pass folders that are not
    its own. The alternative, opening the home to everybody, is not ours to do."""
    if not shutil.which("setpriv"):
        raise LocalServicesFailed(
            "The project lies in a folder that only root may enter, and PostgreSQL refuses root: "
            "install setpriv (package util-linux), or run as a normal user."
        )
    drop = "-all,+dac_override"
    return [
        "setpriv", f"--reuid={uid}", f"--regid={gid}", "--clear-groups", "--no-new-privs",
        "--securebits=+no_setuid_fixup", f"--inh-caps={drop}", f"--ambient-caps={drop}",
        f"--bounding-set={drop}",
    ]  # fmt: skip
