"""The promise to the ward: a file that reaches the inbox is on the board within seconds.

Driven in a real Chromium against everything that `make run` starts: database, broker, watcher,
worker, beat and web server, with the application's own database role. With JOURNEY_SCREENS set
to a folder, pictures of what was seen are left there.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.journeys.hospital import PROJECT, LiveHospital

pytestmark = pytest.mark.browser

_CHROMIUM = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
_AXE = PROJECT / "frontend" / "node_modules" / "axe-core" / "axe.min.js"
_SCREENS = os.environ.get("JOURNEY_SCREENS")

PATIENTS = "patient_id,first_name,last_name,date_of_birth,allergies"
ADMISSIONS = (
    "patient_id,hospitalization_case_number,admission_date,admission_time,department,room_number"
)
TESTS = "test_id,patient_id,test_name,order_date,order_time,status"
RESULTS = "result_id,test_id,result_value,performed_date,performed_time,result_unit"


@pytest.fixture(scope="module")
def hospital(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveHospital]:
    live = LiveHospital(tmp_path_factory.mktemp("hospital"))
    live.start()
    yield live
    live.stop()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=os.environ.get("CHROMIUM_PATH", "/usr/bin/chromium"), args=_CHROMIUM
        )
        yield chromium
        chromium.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    complaints: list[str] = []
    page = context.new_page()
    page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    yield page
    context.close()
    assert [one for one in complaints if "Content Security Policy" in one] == []


def hours_ago(hours: float) -> tuple[str, str]:
    """A local date and time as the exports write them."""
    at = datetime.now(UTC).astimezone(ZoneInfo("Europe/Berlin")) - timedelta(hours=hours)
    return at.strftime("%Y-%m-%d"), at.strftime("%H:%M:%S")


def sign_in(page: Page, hospital: LiveHospital) -> None:
    page.goto(hospital.address)
    page.get_by_label("Username").fill(hospital.username)
    page.get_by_label("Password").fill(hospital.password)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="Without a new lab test")).to_be_visible()


def assert_accessible(page: Page) -> None:
    page.evaluate(_AXE.read_text(encoding="utf-8"))
    found = page.evaluate("async () => (await axe.run()).violations.map(v => v.id)")
    assert found == []


def keep_screen(page: Page, name: str) -> None:
    if _SCREENS:
        page.screenshot(path=str(Path(_SCREENS) / f"{name}.png"))


def bring_in_emma_and_omar(hospital: LiveHospital) -> None:
    """Emma was admitted three days ago and has had no test; Omar had one this morning."""
    hospital.drop(
        "pms",
        "patients",
        PATIENTS,
        "0042,Emma,Brown,1990-01-31,Latex",
        "0043,عمر,حداد,1971-05-02,None",
    )
    hospital.drop(
        "pms",
        "admissions",
        ADMISSIONS,
        ",".join(("0042", "C1", *hours_ago(81), "Cardiology", "305A")),
        ",".join(("0043", "C2", *hours_ago(100), "Oncology", "512B")),
    )
    hospital.drop(
        "lis", "tests", TESTS, ",".join(("T1", "0043", "Sodium", *hours_ago(5), "Completed"))
    )
    hospital.drop("lis", "results", RESULTS, ",".join(("R1", "T1", "140", *hours_ago(4), "mmol/L")))


def test_a_file_in_the_inbox_shows_on_the_board_within_five_seconds(
    hospital: LiveHospital, page: Page
) -> None:
    sign_in(page, hospital)
    started = time.monotonic()
    bring_in_emma_and_omar(hospital)
    row = page.get_by_role("row").filter(has_text="Brown, Emma")
    expect(row).to_be_visible(timeout=15_000)
    seconds = time.monotonic() - started
    expect(row).to_contain_text("305A")
    expect(row).to_contain_text("81")
    expect(row).to_contain_text("Beyond 72 h")
    expect(page.get_by_role("row").filter(has_text="512B")).to_have_count(0)
    assert_accessible(page)
    keep_screen(page, "board")
    assert seconds < 5

    page.get_by_text("Everyone in bed").click()
    expect(page.get_by_role("row").filter(has_text="512B")).to_contain_text("Sodium")


def test_a_new_test_takes_the_patient_off_the_board_by_itself(
    hospital: LiveHospital, page: Page
) -> None:
    sign_in(page, hospital)
    row = page.get_by_role("row").filter(has_text="Brown, Emma")
    expect(row).to_be_visible(timeout=15_000)
    hospital.drop(
        "lis", "tests", TESTS, ",".join(("T2", "0042", "Potassium", *hours_ago(0), "Ordered"))
    )
    expect(row).to_have_count(0, timeout=15_000)
    books = json.loads(hospital.manage("books", "--json"))
    assert books["balanced"] is True
    assert (books["patients"], books["open_admissions"], books["lab_tests"]) == (2, 2, 2)


def test_a_searched_name_is_in_no_address_and_finds_the_patient(
    hospital: LiveHospital, page: Page
) -> None:
    addresses: list[str] = []
    page.on("request", lambda request: addresses.append(request.url))
    sign_in(page, hospital)
    page.get_by_placeholder("Bed, name or number").fill("brown")
    row = page.get_by_role("row").filter(has_text="Brown, Emma")
    expect(row).to_be_visible(timeout=15_000)
    assert [url for url in [*addresses, page.url] if "brown" in url.lower()] == []

    row.click()
    expect(page.get_by_role("heading", name="Brown, Emma")).to_be_visible()
    expect(page.get_by_text("Latex")).to_be_visible()
    expect(page.get_by_text("Potassium").first).to_be_visible()
    assert "0042" not in page.url
    assert_accessible(page)
    keep_screen(page, "patient")


def test_the_feeds_page_shows_each_file_with_a_ledger_that_adds_up(
    hospital: LiveHospital, page: Page
) -> None:
    sign_in(page, hospital)
    hospital.drop("lis", "tests", TESTS, "T9,0042,Sodium,2026-02-31,10:00,Ordered")
    page.get_by_role("link", name="Feeds", exact=True).click()
    expect(page.get_by_text("lis.lab_tests · lis").first).to_be_visible()
    expect(page.get_by_text("1 rejected").first).to_be_visible(timeout=15_000)
    expect(page.get_by_text("adds up").first).to_be_visible()
    assert_accessible(page)


def test_the_board_admits_that_a_rejected_lab_row_may_hide_somebody(
    hospital: LiveHospital, page: Page
) -> None:
    sign_in(page, hospital)
    expect(page.get_by_text("What this board cannot vouch for")).to_be_visible(timeout=15_000)
    expect(page.get_by_text("1 lab row was rejected", exact=False)).to_be_visible()
    expect(page.get_by_text("Everybody in bed has had a test", exact=False)).to_have_count(0)


def test_a_stranger_sees_nothing_but_the_sign_in_page(hospital: LiveHospital, page: Page) -> None:
    page.goto(f"{hospital.address}feeds")
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    answer = page.request.get(f"{hospital.address}api/v1/patients/")
    assert answer.status in (401, 403)
    assert "Brown" not in answer.text()
