"""A release is made of the code that lies here: its package, its static files, and its word.

Built once: a release that is kept is taken as it is.
"""

from __future__ import annotations

import io
import re
from pathlib import Path

from django.conf import settings
from django.contrib.staticfiles.management.commands.collectstatic import Command as Collect
from django.contrib.staticfiles.storage import ManifestStaticFilesStorage
from django.core.management import call_command

from ops.aws.frontends import StaticFile, files_below
from ops.aws.releases import (
    Release,
    find_release,
    is_package_kept,
    keep_package,
    sha256_of,
)
from ops.aws.serving import package_that_runs
from ops.aws.trees import Tree
from ops.errors import DeployFailed
from ops.queries.running import frontend_version
from ops.queries.schema import known_migrations, used_columns
from ops.services.ways import Way

# Django serves the page, with this answer's nonce in it; and nobody asks for the list of names.
_NOT_SERVED = re.compile(r"app/index(\.\w+)?\.html|staticfiles\.json")
# What vite has built bears its content's hash already.
_BUILT = "app/assets/"
_LARGEST = 200 << 20


def collect_static(into: Path) -> list[StaticFile]:
    """Collect the static files with hashed names into a folder, and list what is served of them.

    Raises PackageWrong for what is in no commit.
    """
    Tree.look(settings.BASE_DIR).require_own_static()
    storage = ManifestStaticFilesStorage(location=str(into), base_url=settings.STATIC_URL)
    command = Collect()
    command.storage = storage
    call_command(command, interactive=False, verbosity=0, clear=True, stdout=io.StringIO())
    hashed = set(storage.hashed_files.values())
    found = files_below(into, lambda path: path in hashed or path.startswith(_BUILT))
    return [each for each in found if not _NOT_SERVED.fullmatch(each.path)]


def build(way: Way) -> str:
    """Build the package, or take the one that is kept of this very release. Sets `way.release`."""
    kept = find_release(way.handed, way.name)
    if kept is not None and is_package_kept(way.handed, kept.package):
        way.release = kept
        return f"{kept.name} was built before, and is kept: {kept.package[:12]}."
    way.say("building the package")
    way.asked.work.mkdir(parents=True, exist_ok=True)
    path = way.asked.work / f"{way.name}.zip"
    path.unlink(missing_ok=True)
    way.asked.zappa.package(way.asked.stage, path)
    size = path.stat().st_size
    if size > _LARGEST:
        raise DeployFailed(f"The package has {size:,} bytes: Lambda does not take it.")
    way.say("keeping the package")
    way.release = Release(
        name=way.name,
        version=way.version,
        commit=way.commit,
        package=sha256_of(path),
        size=size,
        migrations=known_migrations(),
        columns=used_columns(),
        frontend_version=frontend_version(),
    )
    keep_package(way.handed, path.read_bytes())
    path.unlink()
    return f"{way.name}: {size:,} bytes, {way.release.package[:12]}."


def keep_what_runs(way: Way) -> None:
    """See that the packages that run now are kept, so that they can be put back."""
    for name, code in way.codes.items():
        if code is None or is_package_kept(way.handed, code.sha256):
            continue
        way.say(f"keeping what {name} runs")
        kept = keep_package(way.handed, package_that_runs(way.handed, name))
        if kept != code.sha256:
            raise DeployFailed(
                f"The package that {name} runs is not what Lambda says of it: there would be no way"
                " back. Nothing was changed yet."
            )
