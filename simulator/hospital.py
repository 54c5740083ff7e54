"""The life of the simulated hospital: who comes, moves, goes, what is ordered and measured.

`Hospital.live_until` plays every event between the last look and now, in order, and leaves one row
for each in the outbox. Two paces: a *live* hour is busier than life, so that somebody who watches
sees things happen; time that passed while the simulator was off goes by at a real hospital's pace.
"""

import random
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

from simulator.laboratory import ANALYTES, CHEMISTRY, HAEMATOLOGY, choose_panel
from simulator.people import (
    STAFF,
    Patient,
    choose_department,
    free_bed,
    invent_patient,
)

MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0
# Longer than this between two looks, and nobody was watching.
PAUSE = 10 * MINUTE
FORMER_PATIENTS_KEPT = 40

Row = dict[str, Any]


@dataclass(frozen=True)
class Pace:
    """Mean seconds between two orders of a patient, two arrivals, two transfers; and the share of
    orders after which nobody thinks of the next one for days."""

    order: float
    arrival: float
    transfer: float
    forgotten: float


LIVE = Pace(order=40 * MINUTE, arrival=20 * MINUTE, transfer=15 * MINUTE, forgotten=0.003)
UNWATCHED = Pace(order=9 * HOUR, arrival=2 * HOUR, transfer=8 * HOUR, forgotten=0.06)


@dataclass
class OrderedTest:
    """One ordered analyte whose result is still to come."""

    test_id: str
    patient_id: str
    source: str
    name: str
    ordered_at: float
    physician: str
    due_at: float


@dataclass
class Letter:
    """A row on its way to a file of one feed, from `after` on."""

    source: str
    layout: str
    after: float
    row: Row


@dataclass
class Hospital:
    """Everything that a second start needs to go on with the same hospital."""

    seed: int
    size: int
    seen_until: float = 0.0
    numbers: dict[str, int] = field(default_factory=lambda: {"patient": 0, "case": 0, "test": 0})
    inpatients: dict[str, Patient] = field(default_factory=dict)
    former: dict[str, Patient] = field(default_factory=dict)
    tests: list[OrderedTest] = field(default_factory=list)
    outbox: list[Letter] = field(default_factory=list)
    next_arrival_at: float = 0.0
    next_transfer_at: float = 0.0
    files: dict[str, float] = field(default_factory=dict)  # feed: stamp of its newest file

    def __post_init__(self) -> None:
        self.rng = random.Random(f"{self.seed} {self.seen_until}")
        self.pace = LIVE

    # --- Time --------------------------------------------------------------------------------

    def live_until(self, now: float) -> None:
        if now <= self.seen_until:
            return
        was_away = now - self.seen_until > PAUSE
        self.pace = UNWATCHED if was_away else LIVE
        while (moment := self._next_moment()) <= now:
            self._let_happen(moment)
        self.seen_until = now
        if was_away:
            self._wake_up(now)

    def _next_moment(self) -> float:
        return min(
            [self.next_arrival_at, self.next_transfer_at]
            + [patient.next_order_at for patient in self.inpatients.values()]
            + [test.due_at for test in self.tests]
        )

    def _let_happen(self, moment: float) -> None:
        """Everything that is due at this moment."""
        for test in [test for test in self.tests if test.due_at <= moment]:
            self.tests.remove(test)
            self.report(test)
        for patient in [p for p in self.inpatients.values() if p.next_order_at <= moment]:
            self.order(patient, at=moment)
            patient.next_order_at = moment + self._time_until_next_order(patient)
        if self.next_transfer_at <= moment:
            self.transfer(self.rng.choice(list(self.inpatients.values())), at=moment)
            self.next_transfer_at = moment + self.rng.expovariate(1 / self.pace.transfer)
        if self.next_arrival_at <= moment:
            self._let_somebody_arrive(moment)
            self.next_arrival_at = moment + self.rng.expovariate(1 / self.pace.arrival)

    def _let_somebody_arrive(self, moment: float) -> None:
        self.admit(self._somebody(moment), at=moment)
        if len(self.inpatients) > self.size:
            # Whoever is forgotten by the laboratory is mostly forgotten by the discharge as well.
            anybody = list(self.inpatients.values())
            attended = [p for p in anybody if p.next_order_at < moment + 24 * HOUR]
            likely = attended if attended and self.rng.random() < 0.9 else anybody
            self.discharge(self.rng.choice(likely), at=moment)

    def _time_until_next_order(self, patient: Patient) -> float:
        if self.rng.random() < self.pace.forgotten and patient.department != "Intensive Care":
            return self.rng.uniform(49 * HOUR, 96 * HOUR)
        usual = self.pace.order * (0.4 if patient.department == "Intensive Care" else 1)
        return max(5 * MINUTE, self.rng.expovariate(1 / usual))

    def _wake_up(self, now: float) -> None:
        """Back at the live pace: what a real hospital would do tonight is spread over the hour."""
        for patient in self.inpatients.values():
            if patient.next_order_at < now + 12 * HOUR:
                patient.next_order_at = now + self.rng.uniform(0, LIVE.order)
        self.next_arrival_at = now + self.rng.uniform(0, LIVE.arrival)
        self.next_transfer_at = now + self.rng.uniform(0, LIVE.transfer)

    # --- Acts --------------------------------------------------------------------------------

    def admit(self, patient: Patient, *, at: float, department: str = "") -> None:
        patient.case_number = f"C{self._number('case'):08d}"
        patient.admitted_at, patient.released_at = at, None
        self.inpatients[patient.patient_id] = patient
        self._move(patient, department or choose_department(self.rng))
        patient.next_order_at = at + self.rng.uniform(5 * MINUTE, 2 * HOUR)
        # The registration sometimes comes after the first order: that row has to wait for it.
        late = self.rng.choice([0.0, 0.0, 0.0, 2 * MINUTE])
        self.post("pms", "patients", patient_row(patient), after=at + late)
        self.post("pms", "admissions", admission_row(patient), after=at)

    def transfer(self, patient: Patient, *, at: float) -> None:
        self._move(patient, choose_department(self.rng))
        self.post("pms", "admissions", admission_row(patient), after=at)

    def discharge(self, patient: Patient, *, at: float) -> None:
        patient.released_at = at
        self.post("pms", "admissions", admission_row(patient), after=at)
        del self.inpatients[patient.patient_id]
        self.former[patient.patient_id] = patient
        while len(self.former) > FORMER_PATIENTS_KEPT:
            del self.former[next(iter(self.former))]

    def order(self, patient: Patient, *, at: float, done_by: float | None = None) -> None:
        """Order one panel; its results come some minutes later, or all at `done_by`."""
        panel = choose_panel(self.rng)
        physician = self.rng.choice(STAFF)
        for analyte in panel.analytes:
            test = OrderedTest(
                test_id=f"{'K' if panel.source == CHEMISTRY else 'H'}{self._number('test'):08d}",
                patient_id=patient.patient_id,
                source=panel.source,
                name=analyte.name,
                ordered_at=at,
                physician=physician,
                due_at=done_by or at + self.rng.uniform(1.5 * MINUTE, 9 * MINUTE),
            )
            self.post(test.source, "lab_tests", lab_test_row(test, status="Ordered"), after=at)
            arrived = (at + test.due_at) / 2
            in_progress = lab_test_row(test, status="In Progress")
            self.post(test.source, "lab_tests", in_progress, after=arrived)
            if self.rng.random() < 0.02:
                # The sample was lost: cancelled, and it no longer counts as a test.
                cancelled = lab_test_row(test, status="Cancelled")
                self.post(test.source, "lab_tests", cancelled, after=test.due_at)
            else:
                self.tests.append(test)

    def report(self, test: OrderedTest) -> None:
        patient = self.inpatients.get(test.patient_id) or self.former.get(test.patient_id)
        if not patient:
            return
        analyte = ANALYTES[test.name]
        value = analyte.measure(self.rng, previous=patient.baseline.get(test.name))
        patient.baseline[test.name] = value
        row = {
            "result_id": f"R{test.test_id}",
            "test_id": test.test_id,
            "patient_id": test.patient_id,
            "result_value": f"{value:.{analyte.digits}f}",
            "result_unit": analyte.unit,
            "reference_range": analyte.reference_range,
            "performed": test.due_at,
            "result_status": self.rng.choice(["Final", "Final", "Preliminary"]),
            "reviewing_physician": self.rng.choice([*STAFF, "", ""]),
        }
        self.post(test.source, "lab_results", row, after=test.due_at)
        if row["result_status"] == "Preliminary":
            final = row | {"result_status": "Final"}
            self.post(test.source, "lab_results", final, after=test.due_at + 4 * MINUTE)
        completed = lab_test_row(test, status="Completed")
        self.post(test.source, "lab_tests", completed, after=test.due_at)

    def post(self, source: str, layout: str, row: Row, *, after: float) -> None:
        self.outbox.append(Letter(source, layout, after, row))

    def _somebody(self, at: float) -> Patient:
        """Somebody new, or one in five times somebody who was here before."""
        if self.former and self.rng.random() < 0.2:
            return self.former.pop(self.rng.choice(list(self.former)))
        return self.new_patient(at)

    def new_patient(self, at: float) -> Patient:
        today = datetime.fromtimestamp(at, UTC).date()
        return invent_patient(self.rng, number=self._number("patient"), today=today)

    def _move(self, patient: Patient, department: str) -> None:
        taken = {other.room for other in self.inpatients.values()}
        patient.department = department
        patient.room = free_bed(self.rng, department, taken=taken)

    def _number(self, kind: str) -> int:
        self.numbers[kind] += 1
        return self.numbers[kind]

    # --- Remembering ---------------------------------------------------------------------------

    def remember(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def recall(cls, kept: dict[str, Any]) -> "Hospital":
        for name in ("inpatients", "former"):
            kept[name] = {key: Patient(**value) for key, value in kept[name].items()}
        kept["tests"] = [OrderedTest(**value) for value in kept["tests"]]
        kept["outbox"] = [Letter(**value) for value in kept["outbox"]]
        return cls(**kept)


def patient_row(patient: Patient) -> Row:
    return {
        "patient_id": patient.patient_id,
        "first_name": patient.first_name,
        "last_name": patient.last_name,
        "date_of_birth": patient.date_of_birth,
        "gender": patient.gender,
        "primary_physician": patient.physician,
        "insurance_provider": patient.insurer,
        "blood_type": patient.blood_type,
        "allergies": patient.allergies,
    }


def admission_row(patient: Patient) -> Row:
    return {
        "patient_id": patient.patient_id,
        "hospitalization_case_number": patient.case_number,
        "admission": patient.admitted_at,
        "release": patient.released_at,
        "department": patient.department,
        "room_number": patient.room,
    }


def lab_test_row(test: OrderedTest, *, status: str) -> Row:
    return {
        "test_id": test.test_id,
        "patient_id": test.patient_id,
        "test_name": test.name,
        "order": test.ordered_at,
        "ordering_physician": test.physician,
        "status": status,
    }


SOURCES = {
    "pms": ("patients", "admissions"),
    CHEMISTRY: ("lab_tests", "lab_results"),
    HAEMATOLOGY: ("lab_tests", "lab_results"),
}
