"""What the two laboratories measure: panels of analytes with units, ranges and plausible values."""

import random
from dataclasses import dataclass


@dataclass(frozen=True)
class Analyte:
    name: str
    unit: str
    low: float
    high: float
    digits: int = 1

    @property
    def reference_range(self) -> str:
        return f"{self.low:.{self.digits}f}-{self.high:.{self.digits}f}"

    def measure(self, rng: random.Random, *, previous: float | None) -> float:
        """The next value of one patient: it wanders, and is drawn back into the range."""
        width = self.high - self.low
        middle = (self.high + self.low) / 2
        if previous is None:
            value = rng.gauss(middle + width * 0.2, width * 0.4)
        else:
            value = previous + rng.gauss(0, width * 0.12) + (middle - previous) * 0.08
        return max(value, self.low * 0.6 + width * 0.05)


@dataclass(frozen=True)
class Panel:
    """One order. The contract knows one result's name by its test, so each analyte is one test."""

    source: str
    analytes: tuple[Analyte, ...]


CHEMISTRY, HAEMATOLOGY = "lis-chemistry", "lis-haematology"

PANELS = (
    Panel(
        CHEMISTRY,
        (
            Analyte("Potassium", "mmol/L", 3.5, 5.1),
            Analyte("Sodium", "mmol/L", 136, 145, 0),
            Analyte("Creatinine", "µmol/L", 59, 104, 0),
        ),
    ),
    Panel(CHEMISTRY, (Analyte("C-reactive protein", "mg/L", 0, 5),)),
    Panel(CHEMISTRY, (Analyte("Glucose", "mmol/L", 3.9, 5.8),)),
    Panel(CHEMISTRY, (Analyte("Troponin T", "ng/L", 0, 14, 0),)),
    Panel(
        HAEMATOLOGY,
        (
            Analyte("Haemoglobin", "g/dL", 12.0, 16.5),
            Analyte("Leucocytes", "10^9/L", 4.0, 10.5),
            Analyte("Platelets", "10^9/L", 150, 400, 0),
        ),
    ),
    Panel(HAEMATOLOGY, (Analyte("INR", "", 0.9, 1.2),)),
)
ANALYTES = {analyte.name: analyte for panel in PANELS for analyte in panel.analytes}


def choose_panel(rng: random.Random) -> Panel:
    return rng.choices(PANELS, [6, 3, 3, 1, 5, 2])[0]
