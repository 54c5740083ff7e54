"""The hospital as it is found on the first day: most patients well looked after, some not.

Says how many are beyond 48 and 72 hours, nearly so, or without any test; the board that is opened a
minute later must have something on it, and something about to happen.
"""

from simulator.hospital import DAY, HOUR, LIVE, MINUTE, Hospital, OrderedTest, lab_test_row
from simulator.laboratory import HAEMATOLOGY
from simulator.people import Patient

# Hours since the last test, for these shares of the patients; everybody else had one today.
OVERDUE = [(0.05, 74, 110), (0.09, 49, 71), (0.08, 42, 47.5)]


def found(hospital: Hospital, *, now: float) -> None:
    """Fill an empty hospital with patients and their past; the rows leave with the first files."""
    ages = [hospital.rng.uniform(0.2, 30) for _ in range(hospital.size)]
    place = 0
    for share, low, high in OVERDUE:
        for _ in range(max(1, round(hospital.size * share))):
            ages[place % hospital.size] = hospital.rng.uniform(low, high)
            place += 1
    ages[place % hospital.size] = 48 - 3 / 60  # due three minutes from now, before watching eyes
    for age in ages:
        _inpatient(hospital, now=now, last_test=now - age * HOUR)
    for hours in (56, 20, 3):
        _untested(hospital, now=now, admitted_at=now - hours * HOUR)
    for _ in range(hospital.size // 5):
        _gone_home(hospital, now=now)
    _one_number_twice(hospital, now=now)
    hospital.next_arrival_at = now + MINUTE
    hospital.next_transfer_at = now + 3 * MINUTE
    hospital.seen_until = now
    for letter in hospital.outbox:
        # What is in the past is known at once; corrections and late registrations come later.
        letter.after = min(letter.after, now)


def _inpatient(hospital: Hospital, *, now: float, last_test: float) -> Patient:
    patient = hospital.new_patient(now)
    stay = hospital.rng.uniform(4 * HOUR, 7 * DAY)
    hospital.admit(patient, at=last_test - stay)
    _past_tests(hospital, patient, until=last_test)
    is_forgotten = now - last_test > 40 * HOUR
    wait = (4 * MINUTE, 6 * HOUR) if is_forgotten else (0, LIVE.order)
    patient.next_order_at = now + hospital.rng.uniform(*wait)
    return patient


def _untested(hospital: Hospital, *, now: float, admitted_at: float) -> None:
    patient = hospital.new_patient(now)
    hospital.admit(patient, at=admitted_at, department="Neurology")
    patient.next_order_at = now + hospital.rng.uniform(20 * MINUTE, 3 * HOUR)


def _gone_home(hospital: Hospital, *, now: float) -> None:
    released_at = now - hospital.rng.uniform(HOUR, 6 * DAY)
    patient = _inpatient(hospital, now=now, last_test=released_at - 5 * HOUR)
    hospital.discharge(patient, at=released_at)


def _past_tests(hospital: Hospital, patient: Patient, *, until: float) -> None:
    """Orders since the admission, the last of them measured at `until`."""
    step = (2, 5) if patient.department == "Intensive Care" else (6, 15)
    moment = patient.admitted_at + 30 * MINUTE
    while moment < until - 2 * HOUR:
        hospital.order(patient, at=moment, done_by=moment + 40 * MINUTE)
        moment += hospital.rng.uniform(*step) * HOUR
    hospital.order(patient, at=until - HOUR, done_by=until)
    for test in [test for test in hospital.tests if test.patient_id == patient.patient_id]:
        hospital.tests.remove(test)
        hospital.report(test)


def _one_number_twice(hospital: Hospital, *, now: float) -> None:
    """Real laboratories reuse a number: two patients' tests under one, and a result of a laboratory
    that names no patients. It must be given to nobody."""
    first, second = list(hospital.inpatients.values())[:2]
    hospital.report(_numbered_twice(hospital, first, now=now))
    _numbered_twice(hospital, second, now=now)


def _numbered_twice(hospital: Hospital, patient: Patient, *, now: float) -> OrderedTest:
    test = OrderedTest(
        test_id="H99000001",
        patient_id=patient.patient_id,
        source=HAEMATOLOGY,
        name="Haemoglobin",
        ordered_at=patient.admitted_at + HOUR,
        physician=patient.physician,
        due_at=patient.admitted_at + 2 * HOUR,
    )
    hospital.post(HAEMATOLOGY, "lab_tests", lab_test_row(test, status="Ordered"), after=now)
    return test
