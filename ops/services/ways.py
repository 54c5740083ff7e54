"""One way of a release to a stage: what was asked for, what was found, and what was done so far.

Filled by the steps of a deployment as they go; knows nothing of how a step is taken.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from ops.aws.frontends import StaticFile
from ops.aws.handover import STAGE_NAMES, Handover
from ops.aws.releases import Release
from ops.aws.serving import Code
from ops.aws.zappa import Zappa
from ops.models import Deployment
from ops.services.migrating import Schema
from ops.services.procedure import Say


@dataclass(frozen=True)
class Asked:
    """What somebody asked for. Reasons are empty where nothing of the kind was asked."""

    stage: str
    by: str
    zappa: Zappa
    work: Path
    despite_lint: str = ""
    take_over: str = ""
    runs_checks: bool = True


@dataclass
class Way:
    """A deployment on its way. `touched` names what was changed of the stage, before it is."""

    asked: Asked
    handed: Handover
    name: str
    version: str
    commit: str
    is_clean: bool
    say: Say
    codes: dict[str, Code | None]
    schema: Schema
    standing: Deployment | None = None
    standing_release: Release | None = None
    deployment: Deployment | None = None
    release: Release | None = None
    files: list[StaticFile] = field(default_factory=list)
    backup_point: str = ""
    touched: list[str] = field(default_factory=list)

    @property
    def stage(self) -> str:
        """The stage as the settings and the record call it."""
        return STAGE_NAMES[self.asked.stage]

    @property
    def is_first(self) -> bool:
        """Tell whether the function that serves the API is not there yet."""
        return self.codes[self.handed.functions["api"]] is None
