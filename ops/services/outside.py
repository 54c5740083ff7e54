"""What the checks from outside come to, for whoever deploys or takes back.

A check that could not run has shown nothing: where people depend on the place it counts as failed.
"""

from __future__ import annotations

from collections.abc import Sequence

from ops.choices import Stage, StepOutcome
from ops.errors import DeployFailed
from ops.smoke import SmokeCheck


def require_passed(done: Sequence[SmokeCheck], address: str, *, stage: str) -> str:
    """Say how many checks passed, and by name which did not run. Raises DeployFailed."""
    failed = [each for each in done if each.outcome is StepOutcome.FAILED]
    if failed:
        raise DeployFailed(_told(failed))
    not_run = [each for each in done if each.outcome is not StepOutcome.PASSED]
    passed = len(done) - len(not_run)
    if not passed:
        raise DeployFailed(f"No check ran, so that nobody knows whether it works. {_told(not_run)}")
    if not not_run:
        return f"All {passed} checks of {address} passed."
    if stage != Stage.DEVELOPMENT:
        raise DeployFailed(
            f"{passed} of {len(done)} checks of {address} passed, and {stage} asks for all."
            f" Not run: {_told(not_run)}"
        )
    return f"{passed} of {len(done)} checks of {address} passed; not run: {_told(not_run)}"


def _told(checks: Sequence[SmokeCheck]) -> str:
    return " ".join(f"{each.name}: {each.words}" for each in checks)
