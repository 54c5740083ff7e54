"""Before Zappa as typed brings code: what `manage.py deploy` would have done or asked by then.

Code that names files which nobody can fetch, or tables that are not there, is broken from its first
answer: to assert it afterwards is too late. Going back needs neither, and a stage of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from ops.aws.frontends import add_files, require_files
from ops.aws.handover import STAGE_NAMES, Handover
from ops.errors import DeployRefused
from ops.queries.schema import has_tables, pending
from ops.services.deploying import alone
from ops.services.packing import collect_static


def require_alone(stage: str) -> None:
    """Refuse while somebody else deploys to a stage or takes back there. Raises AlreadyDeploying.

    Two at once would undo each other.
    """
    with alone(STAGE_NAMES[stage]):
        return


def prepare(handed: Handover, *, say: Callable[[str], None]) -> int:
    """Add the static files that the code here names; returns how many were new.

    Raises AlreadyDeploying, DeployRefused, PackageWrong, CloudRefused.
    """
    with alone(STAGE_NAMES[handed.stage]):
        _require_migrated(handed.stage)
        with TemporaryDirectory(prefix="vigil-static-") as folder:
            files = collect_static(Path(folder))
            put = add_files(handed, files, Path(folder), say)
        require_files(handed, files)
    return put


def _require_migrated(stage: str) -> None:
    there = has_tables()
    left = [str(each) for each in pending()] if there else []
    if there and not left:
        return
    lacks = f"lacks migrations that this code needs ({', '.join(left)})" if there else "is empty"
    raise DeployRefused(
        f"The database of {stage} {lacks}: `manage.py deploy {stage}` brings both. To bring the"
        f" schema alone: `HOSPITAL_AWS_STAGE={stage} manage.py migrate`, then Zappa again."
    )
