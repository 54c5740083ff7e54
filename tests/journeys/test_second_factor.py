"""The promise to the security officer: a password alone does not open the operators' room.

Driven in a real Chromium against a whole hospital, with a security key that the browser imitates,
under the Content-Security-Policy as it is. With JOURNEY_SCREENS set to a folder, pictures of what
was seen are left there.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.journeys.hospital import LiveHospital
from tests.journeys.test_inbox_to_board import _AXE, _CHROMIUM

pytestmark = pytest.mark.browser
_SCREENS = os.environ.get("JOURNEY_SCREENS")


class StrictHospital(LiveHospital):
    """A hospital in which staff need a second factor, as on the stages that hold patients."""

    @property
    def environment(self) -> dict[str, str]:
        """Say so."""
        return super().environment | {"HOSPITAL_SECOND_FACTOR": "1"}

    @property
    def address(self) -> str:
        """By a name: a passkey belongs to a name, and never to a number."""
        return f"http://localhost:{self.port}/"


@pytest.fixture(scope="module")
def hospital(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StrictHospital]:
    live = StrictHospital(tmp_path_factory.mktemp("strict"))
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
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    complaints: list[str] = []
    page = context.new_page()
    page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    yield page
    context.close()
    assert complaints == []


def looked_at(page: Page, name: str) -> None:
    """Leave pictures at two widths, and let axe look for barriers."""
    for width in (1280, 400):
        page.set_viewport_size({"width": width, "height": 900})
        too_wide = "document.documentElement.scrollWidth > document.documentElement.clientWidth"
        assert page.evaluate(too_wide) is False, f"{name} at {width}"
        if _SCREENS:
            page.screenshot(path=str(Path(_SCREENS) / f"{name}-{width}.png"), full_page=True)
    page.set_viewport_size({"width": 1280, "height": 900})
    # The page's own policy lets no foreign script in: axe comes by the browser's own door.
    found = page.context.new_cdp_session(page).send(
        "Runtime.evaluate",
        {
            "expression": f"{_AXE.read_text()}; axe.run().then(r => r.violations.map(v => v.id))",
            "awaitPromise": True,
            "returnByValue": True,
        },
    )
    assert found["result"]["value"] == [], name


def sign_in(page: Page, hospital: StrictHospital) -> None:
    page.goto(f"{hospital.address}admin/")
    page.get_by_label("Username").fill(hospital.username)
    page.get_by_label("Password").fill(hospital.password)
    page.get_by_role("button", name="Sign in").click()


def code_of(key: str, *, later: int = 0) -> str:
    return str(format_hotp_value(hotp_value(key, int(time.time()) // 30 + later)))


def test_an_operator_enrols_signs_in_with_a_code_and_with_a_passkey(
    hospital: StrictHospital, page: Page
) -> None:
    sign_in(page, hospital)
    expect(page.get_by_role("heading", name="Set up your second factor")).to_be_visible()
    looked_at(page, "enrol")
    page.goto(f"{hospital.address}admin/")
    expect(page.get_by_role("heading", name="Set up your second factor")).to_be_visible()

    key = page.locator("#app-key").inner_text()
    page.get_by_label("Code", exact=True).fill("000000")
    page.get_by_role("button", name="Set it up").click()
    expect(page.get_by_text("Incorrect code.")).to_be_visible()
    looked_at(page, "enrol-wrong")
    page.get_by_label("Code", exact=True).fill(code_of(key))
    page.get_by_role("button", name="Set it up").click()
    expect(page.get_by_role("heading", name="Recovery codes")).to_be_visible()
    assert page.locator("ol.codes li").count() == 10
    looked_at(page, "recovery")
    page.get_by_role("link", name="I have written them down").click()
    expect(page.get_by_text("Vigil · operators")).to_be_visible()

    page.get_by_role("link", name="Second factor").click()
    expect(page.get_by_text("10 of 10 are left.")).to_be_visible()
    looked_at(page, "factors")
    _add_passkey(page)

    page.goto(f"{hospital.address}accounts/logout/")
    page.get_by_role("button", name="Sign out").click()
    sign_in(page, hospital)
    expect(page.get_by_role("heading", name="Second factor")).to_be_visible()
    looked_at(page, "code")
    page.get_by_role("button", name="Use a passkey instead").click()
    expect(page.get_by_text("Vigil · operators")).to_be_visible()
    _look_at_the_accounts(page, hospital)

    page.goto(f"{hospital.address}accounts/logout/")
    page.get_by_role("button", name="Sign out").click()
    sign_in(page, hospital)
    page.get_by_label("Code", exact=True).fill(code_of(key, later=1))
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_text("Vigil · operators")).to_be_visible()


def _add_passkey(page: Page) -> None:
    """Let the browser imitate a security key that its owner has touched."""
    device = page.context.new_cdp_session(page)
    device.send("WebAuthn.enable")
    kind = {"protocol": "ctap2", "transport": "usb", "isUserVerified": True}
    automatic = {"automaticPresenceSimulation": True, "hasUserVerification": True}
    device.send("WebAuthn.addVirtualAuthenticator", {"options": {**kind, **automatic}})
    page.get_by_role("link", name="Add a passkey").click()
    page.get_by_label("What you call it").fill("Key on my ring")
    looked_at(page, "passkey")
    page.get_by_role("button", name="Add it").click()
    expect(page.get_by_text("Key on my ring.")).to_be_visible()
    looked_at(page, "factors-with-passkey")


def _look_at_the_accounts(page: Page, hospital: StrictHospital) -> None:
    page.goto(f"{hospital.address}admin/auth/user/")
    page.get_by_role("link", name=hospital.username, exact=True).click()
    page.get_by_role("link", name="Give or take a role").click()
    page.get_by_label("Give: operator").check()
    page.get_by_label("Why").fill("She keeps the place running.")
    if _SCREENS:
        for width in (1280, 400):
            page.set_viewport_size({"width": width, "height": 900})
            page.screenshot(path=str(Path(_SCREENS) / f"role-{width}.png"), full_page=True)
    page.get_by_role("button", name="Do it").click()
    expect(page.get_by_text(f"Done: {hospital.username} is now operator.")).to_be_visible()
    if _SCREENS:
        for width in (1280, 400):
            page.set_viewport_size({"width": width, "height": 900})
            page.screenshot(path=str(Path(_SCREENS) / f"account-{width}.png"), full_page=True)
        page.set_viewport_size({"width": 1280, "height": 900})
