"""The simulated hospital's files: valid, fresh, atomic, and continuing over a restart."""

import csv
import io
import itertools
import json
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from simulator.exports import open_hospital, tick
from simulator.files import DIALECTS

BERLIN = ZoneInfo("Europe/Berlin")
NOON = datetime(2025, 3, 20, 11, 0, tzinfo=UTC).timestamp()
FEEDS = {(source, layout) for source, dialect in DIALECTS.items() for layout in dialect.columns}

Rows = list[dict[str, str]]


def run(inbox: Path, *, start: float, minutes: float = 0, step: float = 3) -> None:
    hospital = open_hospital(inbox, seed=7, size=60)
    for second in range(0, int(minutes * 60) + 1, int(step)):
        tick(hospital, inbox, now=start + second, zone=BERLIN)


def read(path: Path) -> Rows:
    dialect = DIALECTS[path.parent.name]
    text = path.read_bytes().decode(dialect.encoding)
    assert text.endswith(dialect.line_end)
    return list(csv.DictReader(io.StringIO(text, newline=""), delimiter=dialect.delimiter))


def files(inbox: Path, source: str = "*", layout: str = "*") -> list[Path]:
    return sorted(inbox.glob(f"{source}/{layout}-*.csv"), key=stamp)


def stamp(path: Path) -> datetime:
    return datetime.strptime(path.stem.partition("-")[2], "%Y-%m-%dT%H-%M-%SZ").replace(tzinfo=UTC)


def rows_of(inbox: Path, source: str, layout: str) -> Rows:
    return [row for path in files(inbox, source, layout) for row in read(path)]


def hours_without_a_test(inbox: Path, *, now: float) -> dict[str, float | None]:
    """By open admission: hours since its latest test that is not cancelled; None without any."""
    last: dict[str, float] = {}
    for source, shape in (
        ("lis-chemistry", "%Y-%m-%d %H:%M:%S"),
        ("lis-haematology", "%m/%d/%Y %H:%M"),
    ):
        statuses = {}
        performed = {}
        for row in rows_of(inbox, source, "lab_tests"):
            statuses[row["test_id"], row["patient_id"]] = row
        for row in rows_of(inbox, source, "lab_results"):
            performed[row["test_id"]] = moment(row, "performed", shape)
        for (test_id, patient_id), row in statuses.items():
            if row["status"] != "Cancelled" and "13/45" not in row["order_date"]:
                at = max(moment(row, "order", shape), performed.get(test_id, 0))
                last[patient_id] = max(at, last.get(patient_id, 0))
    admissions = {
        row["hospitalization_case_number"]: row for row in rows_of(inbox, "pms", "admissions")
    }
    return {
        row["patient_id"]: (now - last[row["patient_id"]]) / 3600
        if row["patient_id"] in last
        else None
        for row in admissions.values()
        if not row["release_date"]
    }


def moment(row: dict[str, str], what: str, shape: str) -> float:
    if "13/45" in row[f"{what}_date"]:
        return 0
    text = f"{row[f'{what}_date']} {row[f'{what}_time']}"
    return datetime.strptime(text, shape).replace(tzinfo=BERLIN).timestamp()


def test_the_first_look_writes_one_file_for_every_feed(tmp_path: Path) -> None:
    run(tmp_path, start=NOON)

    assert {(path.parent.name, path.name) for path in files(tmp_path)} == {
        (source, f"{layout}-2025-03-20T11-00-00Z.csv") for source, layout in FEEDS
    }
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == [".simulator.json"]


def test_the_first_day_finds_somebody_in_every_degree_of_neglect(tmp_path: Path) -> None:
    run(tmp_path, start=NOON)

    hours = list(hours_without_a_test(tmp_path, now=NOON).values())
    known = [value for value in hours if value is not None]
    assert len(hours) == 63
    assert hours.count(None) == 3
    assert len([value for value in known if value > 72]) >= 3
    assert len([value for value in known if 48 < value <= 72]) >= 5
    assert len([value for value in known if 40 < value <= 48]) >= 5
    assert len([value for value in known if value <= 40]) >= 40


def test_rows_hold_the_columns_of_their_layout_and_no_time_to_come(tmp_path: Path) -> None:
    run(tmp_path, start=NOON, minutes=10)

    for path in files(tmp_path):
        latest = stamp(path).timestamp()
        for row in read(path):
            usable = None not in row  # a spoiled row has a field too many
            assert set(row) - {None} == set(DIALECTS[path.parent.name].columns[layout_of(path)])
            if usable and path.parent.name == "lis-chemistry":
                what = "order" if "order_date" in row else "performed"
                assert moment(row, what, "%Y-%m-%d %H:%M:%S") <= latest


def layout_of(path: Path) -> str:
    return path.name.partition("-")[0]


def test_every_feed_writes_at_least_every_two_minutes(tmp_path: Path) -> None:
    run(tmp_path, start=NOON, minutes=15)

    for source, layout in FEEDS:
        stamps = [stamp(path).timestamp() for path in files(tmp_path, source, layout)]
        gaps = [after - before for before, after in itertools.pairwise(stamps)]
        assert max(gaps) <= 120
        assert len(set(stamps)) == len(stamps)


def test_people_of_many_scripts_lie_in_beds_of_several_departments(tmp_path: Path) -> None:
    run(tmp_path, start=NOON)

    names = "".join(row["last_name"] for row in rows_of(tmp_path, "pms", "patients"))
    admissions = rows_of(tmp_path, "pms", "admissions")
    assert any("א" <= letter <= "ת" for letter in names)
    assert any("ا" <= letter <= "ي" for letter in names)
    assert any("α" <= letter <= "ω" for letter in names)
    assert len({row["department"] for row in admissions}) == 6
    in_beds = [row["room_number"] for row in admissions if not row["release_date"]]
    assert len(set(in_beds)) == len(in_beds)


def test_a_second_start_continues_the_same_hospital(tmp_path: Path) -> None:
    run(tmp_path, start=NOON)
    before = json.loads((tmp_path / ".simulator.json").read_text())

    run(tmp_path, start=NOON + 60, minutes=1)

    after = json.loads((tmp_path / ".simulator.json").read_text())
    assert after["seed"] == before["seed"]
    assert len(set(after["inpatients"]) & set(before["inpatients"])) >= 60
    assert after["numbers"]["case"] >= before["numbers"]["case"]
    assert files(tmp_path, "pms", "patients")[0].name == "patients-2025-03-20T11-00-00Z.csv"


def test_after_a_pause_of_days_the_files_are_current_and_most_patients_had_their_tests(
    tmp_path: Path,
) -> None:
    run(tmp_path, start=NOON)
    later = NOON + 4 * 86400

    run(tmp_path, start=later)

    newest = {(p.parent.name, layout_of(p)): stamp(p).timestamp() for p in files(tmp_path)}
    assert newest == dict.fromkeys(FEEDS, later)
    hours = hours_without_a_test(tmp_path, now=later)
    fine = [value for value in hours.values() if value is not None and value < 48]
    assert len(fine) >= len(hours) * 0.75


def test_two_hours_of_life_bring_arrivals_discharges_results_and_spoiled_rows(
    tmp_path: Path,
) -> None:
    run(tmp_path, start=NOON, minutes=120, step=15)

    first, *others = files(tmp_path, "pms", "admissions")
    moves = [row for path in others for row in read(path)]
    known = {row["hospitalization_case_number"] for row in read(first)}
    assert [row for row in moves if row["hospitalization_case_number"] not in known]
    assert [row for row in moves if row["release_date"]]
    results = [row for p in files(tmp_path, "lis-*", "lab_results")[2:] for row in read(p)]
    assert {"Final", "Preliminary"} <= {row["result_status"] for row in results}
    every = [row for path in files(tmp_path) for row in read(path)]
    spoiled = [row for row in every if None in row or "13/45/2025" in row.values()]
    assert 0 < len(spoiled) < len(every) * 0.01


def test_a_file_appears_whole_under_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[list[str]] = []
    replace = Path.replace

    def watch(part: Path, target: Path) -> Path:
        seen.append([part.name, str(target.exists())])
        return replace(part, target)

    monkeypatch.setattr(Path, "replace", watch)
    run(tmp_path, start=NOON)

    csvs = [entry for entry in seen if "simulator" not in entry[0]]
    assert len(csvs) == len(FEEDS)
    assert all(name.endswith(".csv.part") and existed == "False" for name, existed in csvs)
    assert not list(tmp_path.rglob("*.part"))
