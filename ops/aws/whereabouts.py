"""On which stage of AWS this process is, if on any: its environment tells."""

from __future__ import annotations

import os


def stage_here() -> str:
    """Name the stage as AWS's resources call it; nothing where this is no stage on AWS."""
    return os.environ.get("HOSPITAL_AWS_STAGE", "")
