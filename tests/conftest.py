"""What every test may ask for: the cast, and a clock that stands still at noon."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import time_machine
from django.conf import settings
from django.test import Client, override_settings

from tests import cast
from tests.deliveries import NOON


@pytest.fixture(autouse=True, scope="session")
def static_files_as_they_lie() -> Iterator[None]:
    """Pages name static files by their own names: no test should need them collected first."""
    Path(settings.STATIC_ROOT).mkdir(parents=True, exist_ok=True)
    plain = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    with override_settings(STORAGES={**settings.STORAGES, "staticfiles": plain}):
        yield


@pytest.fixture
def at_noon(db: None) -> Iterator[time_machine.Traveller]:
    """The clock stands still at noon (UTC) of the day on which these tests play."""
    with time_machine.travel(NOON, tick=False) as clock:
        yield clock


@pytest.fixture
def nurse(db: None) -> Client:
    """The browser of a nurse of cardiology."""
    return cast.nora_nurse().browser


@pytest.fixture
def physician(db: None) -> Client:
    """The browser of a physician."""
    return cast.pia_physician().browser


@pytest.fixture
def lab_staff(db: None) -> Client:
    """The browser of somebody in the laboratory."""
    return cast.liam_lab().browser


@pytest.fixture
def operator(db: None) -> Client:
    """The browser of an operator."""
    return cast.olga_operator().browser


@pytest.fixture
def stranger(db: None) -> Client:
    """A browser in which nobody is signed in."""
    return cast.a_stranger()


@pytest.fixture
def integration(db: None) -> Client:
    """The browser of an integration engineer."""
    return cast.ines_integration().browser


@pytest.fixture
def security(db: None) -> Client:
    """The browser of a security officer."""
    return cast.sam_security().browser


@pytest.fixture
def operations(db: None) -> Client:
    """The browser of an operator by role, who is no superuser."""
    return cast.omar_of_operations().browser
