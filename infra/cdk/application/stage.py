"""What tells one stage from another, as `infra/stages.json` has it."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FILE = Path(__file__).resolve().parents[2] / "stages.json"


@dataclass(frozen=True)
class Stage:
    """One stage: `dev`, `staging` or `production`."""

    name: str
    values: dict[str, Any]

    @classmethod
    def read(cls, name: str) -> "Stage":
        """Read it. Raises SystemExit, naming the stages that there are."""
        stages = json.loads(FILE.read_text())
        if name not in stages:
            raise SystemExit(f"There is no stage {name!r}: say one of {', '.join(stages)}.")
        return cls(name, stages[name])

    def __getitem__(self, name: str) -> Any:
        """Give one of its values."""
        return self.values[name]

    def called(self, what: str = "") -> str:
        """Name something of this stage, by the convention of infra/README.md."""
        return f"vigil-{self.name}-{what}" if what else f"vigil-{self.name}"

    @property
    def functions(self) -> list[str]:
        """The names of the three functions."""
        return [self.called(), self.called("ingestion"), self.called("alerts")]

    @property
    def is_protected(self) -> bool:
        """Tell whether nothing of it may be removed by accident."""
        return bool(self["database"]["protected"])

    @property
    def settings(self) -> dict[str, str]:
        """Settings of the application that are no secret.

        The mode of the locks stands here once: buckets and application must agree on it.
        """
        return {**self["settings"], "HOSPITAL_OBJECT_LOCK_MODE": self["object_lock"]}
