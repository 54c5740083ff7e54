"""What is packed for AWS Lambda: which files, how large, and always the same for the same commit.

Zappa packs the whole folder that it is started in, with whatever lies there, under the time and the
name of whoever packs. Here the package is written anew from what the project has committed, the
built board and the collected static files.
"""

from __future__ import annotations

import base64
import hashlib
import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ops.aws.trees import APPLICATION, Tree
from ops.errors import PackageWrong

FILES = ("LICENSE", "NOTICE", "manage.py")
BOARD = "frontend/dist"
# RDS's roots: fetched by whoever deploys first, and committed.
ROOTS = "hospital/certificates/rds.pem"
# What Zappa adds and nothing of ours needs: its entry point runs whatever an event names.
NOT_OURS = ("handler.py", "package_info.json", "zappa_settings.py", "django_zappa_app.py")
TOLD_OF_CHANGES = {
    "yes": "with changes that are in no commit",
    "not known": "not held against git, which is not here",
}
LARGEST = 200 * 1024 * 1024
_MOMENT = (2020, 1, 1, 0, 0, 0)
_ELF_X86_64 = (b"\x7fELF\x02\x01", b"\x3e\x00")


@dataclass(frozen=True)
class Package:
    """A package: its file, sizes in bytes, and its SHA-256 as AWS writes it.

    `changed` is empty where it is what was committed, else `yes` or `not known`.
    """

    path: Path
    packed: int
    unpacked: int
    sha256: str
    commit: str
    changed: str = ""

    def __str__(self) -> str:
        told = f" ({TOLD_OF_CHANGES[self.changed]})" if self.changed else ""
        return (
            f"{self.packed / 1e6:.1f} MB, unpacked {self.unpacked / 1e6:.1f} MB, of commit"
            f" {self.commit[:10]}{told}, SHA-256 {self.sha256}"
        )


def finish(path: Path, *, project: Path, takes_changes: bool = False) -> Package:
    """Write a package of Zappa's anew, with the static files. Raises PackageWrong.

    `takes_changes` tells whether what is in no commit may be packed, as on dev.
    """
    tree = Tree.look(project)
    if not takes_changes:
        tree.require_committed()
    _require_own_roots(tree)
    tree.require_own_static()
    commit = commit_of(tree)
    aside = path.with_suffix(".part")
    with tempfile.TemporaryDirectory() as folder, zipfile.ZipFile(path) as whole:
        static = Path(folder) / "static-root"
        collect_static(project, static)
        wanted = {name: whole.read(name) for name in whole.namelist() if is_wanted(name, tree)}
        wanted |= {
            f"static-root/{each.relative_to(static)}": each.read_bytes()
            for each in static.rglob("*")
            if each.is_file()
        }
        wanted["commit"] = f"{commit}\n".encode()
        if told := _changed(tree):
            wanted["changed"] = f"{told}\n".encode()
    _require_usable(wanted)
    with zipfile.ZipFile(aside, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as written:
        for name in sorted(wanted):
            entry = zipfile.ZipInfo(name, _MOMENT)
            entry.create_system, entry.external_attr = 3, 0o644 << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            written.writestr(entry, wanted[name])
    aside.replace(path)
    return describe(path)


def describe(path: Path) -> Package:
    """Tell what a package is. Raises PackageWrong where it is none of ours."""
    content = path.read_bytes()
    with zipfile.ZipFile(path) as whole:
        unpacked = sum(each.file_size for each in whole.infolist())
        try:
            commit = whole.read("commit").decode().strip()
        except KeyError:
            raise PackageWrong(
                f"{path.name} is no package of Vigil's: make one with `zappa package STAGE`."
            ) from None
        changed = whole.read("changed").decode().strip() if "changed" in whole.namelist() else ""
    return Package(path, len(content), unpacked, sha256_of(content), commit, changed)


def sha256_of(content: bytes) -> str:
    """Give the hash as Lambda tells it: base64."""
    return base64.b64encode(hashlib.sha256(content).digest()).decode()


def is_wanted(name: str, tree: Tree) -> bool:
    """Tell whether an entry belongs into the package.

    Of the project only what runs and is tracked; of the packages everything that Zappa left in.
    Where git knows nothing, whatever lies in the applications' folders.
    """
    top = name.split("/", 1)[0]
    if name.startswith(f"{BOARD}/"):
        return True
    if top in APPLICATION or name in FILES:
        return name in tree.tracked if tree.is_known else "__pycache__" not in name
    if name in NOT_OURS or name == "__init__.py":
        return False
    return not (tree.folder / top).exists()


def collect_static(project: Path, into: Path) -> None:
    """Collect the static files under their hashed names. Raises PackageWrong."""
    if not (project / BOARD / "index.html").is_file():
        raise PackageWrong("The board is not built: run `make setup`, then pack again.")
    environment = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    environment |= {
        "HOSPITAL_STATIC_ROOT": str(into),
        "HOSPITAL_SECRET_KEY": "only to collect static files",  # pragma: allowlist secret
        "DATABASE_URL": "postgres://unset@127.0.0.1:1/unset",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    done = subprocess.run(
        [sys.executable, "manage.py", "collectstatic", "--no-input", "--verbosity", "0"],
        cwd=project, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise PackageWrong(f"The static files could not be collected: {done.stderr[-500:]}")


def commit_of(tree: Tree) -> str:
    """Name the commit that is packed. Raises PackageWrong where it is not known."""
    told = tree.commit or os.environ.get("HOSPITAL_COMMIT", "")
    if not told:
        raise PackageWrong(
            "It is not known which commit is packed: pack in the repository, or set"
            " HOSPITAL_COMMIT."
        )
    return told


def _changed(tree: Tree) -> str:
    if not tree.is_known:
        return "not known"
    return "yes" if tree.changes else ""


def _require_own_roots(tree: Tree) -> None:
    if tree.is_known and (tree.folder / ROOTS).is_file() and ROOTS not in tree.tracked:
        raise PackageWrong(
            f"{ROOTS} is in no commit, and only what is committed is packed: without it no function"
            f" finds its database. Commit it (git add {ROOTS}), then pack again."
        )


def _require_usable(wanted: dict[str, bytes]) -> None:
    size = sum(map(len, wanted.values()))
    if size > LARGEST:
        raise PackageWrong(
            f"The package is {size / 1e6:.0f} MB unpacked, and may be {LARGEST / 1e6:.0f}: AWS"
            " takes 250. Leave out what is not needed (exclude in zappa_settings.json)."
        )
    for needed in ("manage.py", "hospital/functions/api.py", f"{BOARD}/index.html"):
        if needed not in wanted:
            raise PackageWrong(f"{needed} is missing in the package: see exclude in its settings.")
    if strange := next(_of_another_machine(wanted), ""):
        raise PackageWrong(
            f"{strange} is not for the functions' machine: pack on Linux on x86_64, or by the"
            " pipeline."
        )


def _of_another_machine(wanted: dict[str, bytes]) -> Iterator[str]:
    for name, content in wanted.items():
        if name.endswith(".so") or ".so." in name:
            is_fit = content[:6] == _ELF_X86_64[0] and content[18:20] == _ELF_X86_64[1]
            if not is_fit or ("cpython-31" in name and "cpython-313" not in name):
                yield name
        elif name.endswith((".pyd", ".dylib")):
            yield name
