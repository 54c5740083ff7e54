"""Invented people, wards and staff. Every name is put together at random; nobody here exists."""

import random
from dataclasses import dataclass, field
from datetime import date, timedelta

# Given names with a gender, and family names, by script: a board must hold them all.
NAMES: list[tuple[list[tuple[str, str]], list[str]]] = [
    (
        [("Anna", "F"), ("Jonas", "M"), ("Greta", "F"), ("Emil", "M"), ("Frieda", "F")],
        ["Müller", "Großmann", "Weiß", "Schäfer", "von der Aue", "Krüger"],
    ),
    (
        [("Siobhán", "F"), ("Owen", "M"), ("Harriet", "F"), ("Desmond", "M")],
        ["O'Rourke", "Smith-Whyte", "Featherstonehaugh", "Null", "Obi"],
    ),
    (
        [("נועה", "F"), ("יוסף", "M"), ("תמר", "F"), ("אורי", "M")],
        ["לוי", "כהן-אלון", "ביטון", "שפירא"],
    ),
    (
        [("ليلى", "F"), ("يوسف", "M"), ("مريم", "F"), ("سامر", "M")],
        ["الخطيب", "حداد", "منصور", "العلي"],
    ),
    (
        [("Ελένη", "F"), ("Γιώργος", "M"), ("Σοφία", "F"), ("Νίκος", "M")],
        ["Παπαδοπούλου", "Γεωργίου", "Οικονόμου"],
    ),
    (
        [("Łucja", "F"), ("Bogusław", "M"), ("Živa", "F"), ("Ján", "M")],
        ["Wójcik", "Brzęczyszczykiewicz", "Horvátová", "Dvořák"],
    ),
    (
        [("Inês", "F"), ("Joaquín", "M"), ("Zoë", "F"), ("Thiago", "M")],
        ["Núñez", "de Araújo", "Peña", "Gonçalves"],
    ),
    ([("Оксана", "F"), ("Тарас", "M")], ["Шевченко", "Ковальчук"]),
    ([("美咲", "F"), ("健太", "M")], ["高橋", "佐藤"]),
    ([("Thị Hương", "F"), ("Na", "F"), ("Minh", "M")], ["Nguyễn", "Trần"]),
    ([("Elif", "F"), ("Çağrı", "M")], ["Özdemir", "Yıldız"]),
]

STAFF = [
    "Dr. Amara Lindqvist", "Dr. Paweł Zieliński", "Dr. Noor Rahimi", "Dr. Chiara Bellini",
    "Dr. Tobias Hartmann", "Dr. Yael Stern", "Dr. Kwame Asante", "Dr. Maite Etxeberria",
]  # fmt: skip
INSURERS = ["Harbour Mutual", "Lindenkasse", "Northlight Health", "Copperfield Care", "NULL"]
BLOOD_TYPES = ["A+", "A-", "B+", "B-", "AB+", "AB-", "0+", "0-", ""]
ALLERGIES = ["None", "None", "None", "Penicillin", "Latex, nuts", "Sulfonamides", "N/A", ""]

# Department: the floor of its rooms and its share of the beds.
DEPARTMENTS = {
    "Cardiology": (3, 12),
    "Surgery": (2, 12),
    "Oncology": (5, 10),
    "Neurology": (4, 9),
    "Internal Medicine": (6, 11),
    "Intensive Care": (1, 6),
}


@dataclass
class Patient:
    """Somebody in a bed, or who once was. `baseline` holds the analytes measured so far."""

    patient_id: str
    first_name: str
    last_name: str
    date_of_birth: str
    gender: str
    physician: str
    insurer: str
    blood_type: str
    allergies: str
    case_number: str = ""
    department: str = ""
    room: str = ""
    admitted_at: float = 0.0
    released_at: float | None = None
    next_order_at: float = 0.0
    baseline: dict[str, float] = field(default_factory=dict)


def invent_patient(rng: random.Random, *, number: int, today: date) -> Patient:
    given, family = rng.choice(NAMES)
    first_name, gender = rng.choice(given)
    born = today - timedelta(days=round(rng.triangular(18, 97, 72) * 365.25))
    return Patient(
        patient_id=f"{number:07d}",
        first_name=first_name,
        last_name=rng.choice(family),
        date_of_birth=born.isoformat(),
        gender=gender,
        physician=rng.choice(STAFF),
        insurer=rng.choice(INSURERS),
        blood_type=rng.choice(BLOOD_TYPES),
        allergies=rng.choice(ALLERGIES),
    )


def choose_department(rng: random.Random) -> str:
    shares = [share for _, share in DEPARTMENTS.values()]
    return rng.choices(list(DEPARTMENTS), shares)[0]


def free_bed(rng: random.Random, department: str, *, taken: set[str]) -> str:
    """A bed like 305A in which nobody lies; rooms are added as they are needed."""
    floor, _ = DEPARTMENTS[department]
    beds = [f"{floor}{room:02d}{bed}" for room in range(1, 100) for bed in "AB"]
    free = [bed for bed in beds if bed not in taken]
    return rng.choice(free[:14])
