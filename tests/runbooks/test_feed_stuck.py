"""A feed is stuck: no file, other columns, another encoding, a laboratory that has closed."""

from __future__ import annotations

from datetime import timedelta

from tests.runbooks.pages import Runbook
from tests.runbooks.places import Browser, Hospital, feed_form, feed_number, local
from tests.stage.test_run import eventually

HOUR = timedelta(hours=1)
LABS = ("lab-late", "lab-columns", "lab-encoding", "lab-closed")


def test_four_stuck_feeds_end_fresh_and_the_board_knows_again(hospital: Hospital) -> None:
    book = Runbook.read("feed-stuck")
    hospital.admit("F1", "F2", hours=60)
    hospital.order("lab", "F2", hours=2)
    for lab in LABS:
        hospital.order(lab, "F2", hours=3, ago=HOUR)
    renamed = hospital.deliver(
        "lab-columns", "lab_tests", [["c", "F2", "Sodium", *local(1)]],
        header="test_no patient_id test_name order_date order_time",
    )  # fmt: skip
    other = hospital.deliver(
        "lab-encoding", "lab_tests", [["e", "F1", "Sodium", *local(57), "hoch"]],
        header="test_id patient_id test_name order_date order_time größe", encoding="latin-1",
    )  # fmt: skip
    assert hospital.ingested(renamed)
    assert hospital.ingested(other)
    assert hospital.overdue()["F1"] == "cannot_know"

    inbox = {"INBOX": str(hospital.inbox)}
    book.do("1", hospital, FEED="lis.lab_tests · lab-late")
    (listed,) = book.do("2", hospital)
    refused = {line.split()[2]: line.split()[1] for line in listed.splitlines() if "file " in line}
    assert {renamed, other} <= refused.keys()

    (newest,) = book.do("A1", hospital, SOURCE="lab-late", **inbox)
    assert len(newest.split()) == 1
    book.by_hand("A2", lambda: hospital.deliver("lab-late", "lab_tests", []))

    (told,) = book.do("B1", hospital, SOURCE="lab-columns", FILE=renamed, **inbox)
    assert "it lacks test_id" in told
    book.by_hand("B2", lambda: hospital.order("lab-columns", "F2", hours=1))
    book.do("B3", hospital, NUMBER=refused[renamed], YOU="olga")

    book.do("C1", hospital, SOURCE="lab-encoding", FILE=other, **inbox)
    browser = Browser(hospital)
    assert browser.sign_in("olga")
    (feeds,) = book.opened("C2")
    _declare(browser, feeds, "lab-encoding", encoding="latin-1")
    (feeds,) = book.opened("D1")
    _declare(browser, feeds, "lab-closed", retired_at_0="2020-01-01", retired_at_1="00:00:00")
    book.do("C3", hospital, SOURCE="lab-encoding", YOU="olga")

    # Until the clock has called for the first time the place says that it is down.
    assert eventually(lambda: _feeds_are_well(hospital), seconds=130)
    book.do("3", hospital)
    (told,) = book.do("4", hospital)
    assert "Cannot know" not in told
    assert hospital.overdue()["F1"] == "due"
    assert "F2" not in hospital.overdue()
    assert eventually(lambda: "F1" in hospital.alerts(), seconds=70)
    assert hospital.books()["balanced"] is True
    assert book.left() == []


STATE = ".venv/bin/python manage.py state --json"


def _feeds_are_well(hospital: Hospital) -> bool:
    told = hospital.type(STATE)
    return told.status == 0 and '"feeds": {"health": "well"' in told.said


def _declare(browser: Browser, feeds: str, lab: str, **values: str) -> None:
    number = feed_number(browser.place, lab)
    assert lab in browser.get(feeds)
    browser.send(f"{feeds}{number}/change/", feed_form(**values))
