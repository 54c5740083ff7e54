"""A storm of alerts: a threshold by mistake, dates turned round, a wrong zone, empty files."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from tests.runbooks.pages import Runbook
from tests.runbooks.places import (
    ZONE,
    Browser,
    Hospital,
    feed_form,
    feed_number,
    local,
)
from tests.stage.test_run import eventually

BOOK = Runbook.read("alert-storm")
RULE = "/admin/alerts/alertrule/1/change/"


@pytest.fixture(name="browser")
def _browser(hospital: Hospital) -> Browser:
    browser = Browser(hospital)
    assert browser.sign_in("olga")
    return browser


def test_a_threshold_set_by_mistake_is_found_and_set_right_and_nobody_is_forgotten(
    hospital: Hospital, browser: Browser
) -> None:
    wards = [f"A{n}" for n in range(20)]
    hospital.admit(*wards, hours=30)
    hospital.admit("A-due", hours=60)
    assert eventually(lambda: "A-due" in hospital.alerts())
    due = hospital.alerts()
    browser.send(RULE, {"threshold_hours": "4", "second_tier_hours": "72"})
    hospital.order("lab", *wards, hours=20)  # whoever is touched is evaluated at once
    assert eventually(lambda: {*wards} <= hospital.alerts().keys())

    BOOK.do("1", hospital)
    (told,) = BOOK.do("2", hospital)
    assert "other department: 4 h" in told
    assert "until " in told.splitlines()[1]
    assert told.splitlines()[1].endswith("rule 1: 48 h, second tier 72 h")
    BOOK.do("3", hospital)
    BOOK.do("4", hospital)
    (rules,) = BOOK.opened("A1")
    assert "No new lab test, every other department" in browser.get(rules)
    browser.send(RULE, {"threshold_hours": "48", "second_tier_hours": "72"})
    BOOK.do("A2", hospital, HOURS="48")

    assert eventually(lambda: not {*wards} & hospital.alerts().keys(), seconds=70)
    assert hospital.alerts() == due
    nobody_is_forgotten(hospital)


def other_way_round(hours: float) -> tuple[str, str]:
    """Write a date with the day first, as the laboratory does since tonight."""
    day, clock = local(hours)
    return f"{day[8:]}/{day[5:7]}/{day[:4]}", clock


def test_dates_the_other_way_round_are_read_again_and_the_storm_ends(
    hospital: Hospital, browser: Browser
) -> None:
    wards = [f"B{n}" for n in range(20)]
    hospital.admit(*wards, hours=90)
    hospital.admit("B-due", hours=90)
    hospital.order("lab-north", *wards, hours=49)
    moment = datetime.now(UTC)
    wrong = hospital.order("lab-north", *wards, hours=0.1, written=other_way_round)
    assert hospital.ingested(wrong)
    assert eventually(lambda: {*wards} <= hospital.alerts().keys())

    (listed,) = BOOK.do("3", hospital)
    assert wrong in listed
    given = {"SOURCE": "lab-north", "INBOX": str(hospital.inbox), "FILE": wrong}
    BOOK.do("B1", hospital, **given)
    (feeds,) = BOOK.opened("B2")
    form = feed_form(is_day_first="on")
    browser.send(f"{feeds}{feed_number(hospital, 'lab-north')}/change/", form)
    BOOK.do("B3", hospital, MOMENT=moment.isoformat(), SOURCE="lab-north", YOU="olga")

    assert eventually(lambda: not {*wards} & hospital.alerts().keys(), seconds=20)
    assert "B-due" in hospital.alerts()
    assert "lab-north" not in hospital.manage("dismiss")
    nobody_is_forgotten(hospital)


def test_empty_files_of_a_laboratory_are_told_from_silence_and_their_tests_come_again(
    hospital: Hospital,
) -> None:
    wards = [f"D{n}" for n in range(20)]
    hospital.order("lab-south", *wards, hours=70)
    hospital.admit(*wards, hours=90)
    empty = hospital.deliver("lab-south", "lab_tests", [])
    assert eventually(lambda: {*wards} <= hospital.alerts().keys())

    given = {"INBOX": str(hospital.inbox), "SOURCE/FILES": empty}
    (told,) = BOOK.do("D1", hospital, **given)
    assert told.split()[0] == "1"
    BOOK.by_hand("D2", lambda: hospital.order("lab-south", *wards, hours=5))
    assert eventually(lambda: not {*wards} & hospital.alerts().keys())
    (left,) = BOOK.do("D3", hospital)
    assert "InventedD1," not in left
    nobody_is_forgotten(hospital)


def nobody_is_forgotten(place: Hospital) -> None:
    """Whoever is due has an open alert, nobody else has, and the books balance."""
    books, overdue = BOOK.do("5", place)
    assert "balanced  yes" in books
    assert "cannot know" not in overdue
    due = {line.split()[-3] for line in overdue.splitlines() if " h  due " in line}
    assert due == place.alerts().keys()


@pytest.fixture(name="quiet")
def _quiet(tmp_path: Path) -> Iterator[Hospital]:
    place = Hospital(tmp_path / "data", settings={"HOSPITAL_TIME_ZONE": "Asia/Tokyo"})
    try:
        yield place
    finally:
        place.end()


def test_times_read_in_a_wrong_zone_are_read_again_in_the_right_one(quiet: Hospital) -> None:
    """Its service does not run: each command reads the zone anew, as a start would."""
    wards = [f"Z{n}" for n in range(20)]
    moment = datetime.now(UTC)
    ahead = datetime.now(ZoneInfo("Asia/Tokyo")).utcoffset()
    behind = datetime.now(ZoneInfo(ZONE)).utcoffset()
    assert ahead is not None
    assert behind is not None
    assert ahead - behind > timedelta(hours=6)
    quiet.admit(*wards, hours=44)
    quiet.admit("Z-due", hours=60)
    quiet.order("lab", "Z-none", hours=1)
    quiet.manage("catchup")
    assert {*wards, "Z-due"} == quiet.alerts().keys()
    due = quiet.alerts()["Z-due"]

    BOOK.do("4", quiet)
    BOOK.by_hand("C1", lambda: quiet.settings.update(HOSPITAL_TIME_ZONE=ZONE))
    BOOK.do("C2", quiet, MOMENT=moment.isoformat(), YOU="olga")

    assert quiet.alerts() == {"Z-due": due}
    nobody_is_forgotten(quiet)


def test_a_true_storm_is_everybody_who_is_due(hospital: Hospital) -> None:
    wards = [f"E{n}" for n in range(20)]
    hospital.admit(*wards, hours=50)
    assert eventually(lambda: {*wards} <= hospital.alerts().keys())
    nobody_is_forgotten(hospital)
    assert BOOK.left() == []
