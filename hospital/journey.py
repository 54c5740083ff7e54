"""The smoke test that goes all the way: a synthetic file in, an alert out of the API, and back.

Asks over HTTP as the smoke account, which sees the smoke patient alone; needs the database only for
that account and for the trail. Must not see, print or keep anything of a real patient.
"""

from __future__ import annotations

import json
import re
import secrets
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.cookiejar import CookieJar
from typing import Any, TypeVar
from urllib.parse import urlencode

from django.contrib.auth.models import User
from django.db import Error as DatabaseFailed
from django.db import transaction
from django.utils.crypto import salted_hmac

from ingestion.services.smoke_files import (
    SmokePatient,
    is_reserved_source_declared,
    put_discharges,
    put_in_bed,
)
from ingestion.synthetic import PREFIX, SOURCE
from ops import audit
from ops.roles import SMOKE_ACCOUNT
from ops.services.muting import is_muted
from ops.smoke import SmokeFailed, SmokeNotRun, StayHere

# How long one step may take. A notice that was lost is found only by the next listing of the
# buckets, after minutes: whoever waits for that has found a fault.
PATIENCE_SECONDS = 90.0
_ASK_EVERY_SECONDS = 0.5
# A function that has not run for long takes its time to begin.
_SECONDS = 30
_TOKEN = re.compile(r'name="csrfmiddlewaretoken" value="([^"]+)"')
# A run that began so long ago has died; a younger one may still be looking at its patient.
_LEFT_BEHIND = timedelta(minutes=30)
_STAMP = "%Y%m%dt%H%M%Sz"
_T = TypeVar("_T")


def journey(address: str, *, patience: float = PATIENCE_SECONDS) -> str:
    """Go all the way and say how long each step took. Raises SmokeFailed and SmokeNotRun."""
    try:
        _require_a_way()
        password = _open_account()
    except DatabaseFailed as error:
        raise SmokeFailed(
            "The database cannot be asked for the smoke account: start it, or set DATABASE_URL."
        ) from error
    run = _Run(_Visit(address), patience)
    outcome = "failed"
    try:
        words = run.go(password)
        outcome = "passed"
    except OSError as error:
        raise SmokeFailed(
            f"The reserved source {SOURCE} could not be written to ({type(error).__name__})."
            " Whoever runs the smoke test needs the right to put objects there."
        ) from error
    finally:
        _note(run, outcome)
    return words


def _require_a_way() -> None:
    if is_muted():
        raise SmokeNotRun(
            "This place is muted and takes nothing in: manage.py unmute, if it is the one to be"
            " used."
        )
    if not is_reserved_source_declared():
        raise SmokeNotRun(
            f"No place is reserved for smoke tests: declare {SOURCE}=bucket/{SOURCE} in"
            " HOSPITAL_BUCKETS."
        )


def _open_account() -> str:
    """Make the smoke account where there is none, and give its password.

    It follows from the signing key, so that no run changes what another uses, and nobody keeps it.
    """
    password = salted_hmac("vigil.smoke", SMOKE_ACCOUNT, algorithm="sha256").hexdigest()
    with transaction.atomic():
        User.objects.get_or_create(username=SMOKE_ACCOUNT, defaults={"last_name": "Smoke test"})
        user = User.objects.select_for_update().get(username=SMOKE_ACCOUNT)
        if user.is_staff or user.is_superuser:
            raise SmokeNotRun(
                f"The account {SMOKE_ACCOUNT} has rights that no smoke test needs. Take them away,"
                " and ask who gave them."
            )
        if not (user.is_active and user.check_password(password)):
            user.is_active = True
            user.set_password(password)
            user.save()
            audit.record("smoke.account_opened", by="vigil", kind="account", key=user.pk)
    return password


def _note(run: _Run, outcome: str) -> None:
    """Put the run on the trail; what it saw of the place it saw as nobody."""
    details = {"synthetic": True, "outcome": outcome, "seconds": dict(run.seconds)}
    try:
        with transaction.atomic():
            audit.record(
                "smoke.journey", by=SMOKE_ACCOUNT, kind="smoke test", key=run.name, details=details
            )
    except DatabaseFailed as error:
        raise SmokeFailed("The smoke test cannot be put on the audit trail.") from error


@dataclass
class _Run:
    """One going-through, with identifiers of its own; `seconds` tells of each step."""

    visit: _Visit
    patience: float
    name: str = ""
    seconds: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.name = f"{datetime.now(UTC):{_STAMP}}-{secrets.token_hex(4)}"

    def go(self, password: str) -> str:
        """Sign in, let somebody be due, and discharge him, come what may."""
        self._timed("signed in", lambda: self.visit.sign_in(password))
        board = self.visit.get("board/")
        now = datetime.fromisoformat(board["as_of"])
        # Beyond the rule by an hour, whatever the hospital's rule is.
        admitted_at = now - timedelta(hours=board["rule"]["threshold_hours"] + 2)
        patient = SmokePatient.of_run(self.name, admitted_at=admitted_at)
        left_behind = _left_behind(self.visit.get("patients/"), at=now)
        put_discharges(left_behind, at=now)
        try:
            put_in_bed(patient, tested_at=admitted_at + timedelta(hours=1), at=now)
            key = self._timed("alert", lambda: self._until(lambda: self._alerted(patient)))
        finally:
            # As of later than his admission, even if the clock has not moved.
            put_discharges([patient], at=now + timedelta(seconds=1))
        self._timed("resolved", lambda: self._until(lambda: self._is_resolved(key)))
        self.visit.sign_out()
        return self._words(len(left_behind))

    def _words(self, left_behind: int) -> str:
        told = ", ".join(f"{step} after {taken} s" for step, taken in self.seconds.items())
        if left_behind:
            told += f"; discharged who was left in bed by earlier runs: {left_behind}"
        return f"A synthetic patient came and went: {told}."

    def _timed(self, step: str, act: Callable[[], _T]) -> _T:
        started = time.monotonic()
        done = act()
        self.seconds[step] = round(time.monotonic() - started, 3)
        return done

    def _until(self, see: Callable[[], _T | None]) -> _T:
        """Ask again until something is seen. Raises SmokeFailed after the patience is over."""
        end = time.monotonic() + self.patience
        while (seen := see()) is None:
            if time.monotonic() > end:
                raise SmokeFailed(
                    f"After {self.patience:.0f} s the API does not show it:"
                    f" {self._missing()}. Look at the files of the source {SOURCE} in the admin, at"
                    " the watch or the notices, and at the workers' log. The next run discharges"
                    " whoever was left in bed."
                )
            time.sleep(_ASK_EVERY_SECONDS)
        return seen

    def _missing(self) -> str:
        if "alert" in self.seconds:
            return "the patient was discharged and the alert is not resolved"
        return "the patient was admitted and there is no alert"

    def _alerted(self, patient: SmokePatient) -> str | None:
        """Give the patient's key once an alert is open."""
        for one in self.visit.get("patients/")["results"]:
            if one["patient_id"] == patient.number and one["state"] == "due":
                alert = self._stay(one["id"])["alert"]
                return str(one["id"]) if alert and alert["status"] == "open" else None
        return None

    def _is_resolved(self, key: str) -> bool | None:
        stay = self._stay(key)
        return True if not stay["is_open"] and stay["alert"] is None else None

    def _stay(self, key: str) -> dict[str, Any]:
        stay: dict[str, Any] = self.visit.get(f"patients/{key}/")["admissions"][0]
        return stay


def _left_behind(listed: dict[str, Any], *, at: datetime) -> list[SmokePatient]:
    """Whoever lies in bed since a run that has died."""
    return [
        SmokePatient(
            one["patient_id"],
            one["admission"]["case_number"],
            datetime.fromisoformat(one["admission"]["admitted_at"]),
        )
        for one in listed["results"]
        if at - _began(one["patient_id"]) > _LEFT_BEHIND
    ]


def _began(number: str) -> datetime:
    """When the run began that a patient is of; one that does not tell is of long ago."""
    try:
        stamp = number.removeprefix(PREFIX).partition("-")[0]
        return datetime.strptime(stamp, _STAMP).replace(tzinfo=UTC)
    except ValueError:
        return datetime.min.replace(tzinfo=UTC)


class _Visit:
    """A browser of sorts: keeps its cookies, follows nobody, and asks one place alone."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._cookies = CookieJar()
        self._opener = urllib.request.build_opener(
            StayHere,
            urllib.request.ProxyHandler({}),
            urllib.request.HTTPCookieProcessor(self._cookies),
        )

    def sign_in(self, password: str) -> None:
        """Sign in on the page where people do. Raises SmokeFailed."""
        status, page = self._ask("/accounts/login/")
        fields = {"login": SMOKE_ACCOUNT, "password": password}
        answered, _ = self._ask("/accounts/login/", self._form(page, fields))
        if (status, answered) != (200, 302):
            raise SmokeFailed(
                f"Signing in as {SMOKE_ACCOUNT} answers {answered}, not 302. See that these"
                " settings, HOSPITAL_SECRET_KEY and DATABASE_URL, are those of the place that"
                " answers there."
            )

    def sign_out(self) -> None:
        """End the session: nobody needs it any more."""
        _, page = self._ask("/accounts/logout/")
        self._ask("/accounts/logout/", self._form(page, {}))

    def get(self, path: str) -> dict[str, Any]:
        """Ask the API. Raises SmokeFailed for any answer but the one that was asked for."""
        status, body = self._ask(f"/api/v1/{path}")
        # A patient's address is a random key; what stands behind it is none of the words' business.
        asked = path.partition("/")[0]
        if status != 200:
            raise SmokeFailed(f"/api/v1/{asked}/ answers {status}.")
        try:
            told: dict[str, Any] = json.loads(body)
        except ValueError as error:
            raise SmokeFailed(f"/api/v1/{asked}/ answers something else than JSON.") from error
        return told

    @staticmethod
    def _form(page: str, fields: dict[str, str]) -> bytes:
        token = _TOKEN.search(page)
        return urlencode({**fields, "csrfmiddlewaretoken": token[1] if token else ""}).encode()

    def _ask(self, path: str, form: bytes | None = None) -> tuple[int, str]:
        # Where TLS is on, Django believes no form that does not say from where it was sent.
        headers = {"Referer": f"{self._address}{path}", "Accept-Encoding": "identity"}
        request = urllib.request.Request(f"{self._address}{path}", form, headers)
        try:
            with self._opener.open(request, timeout=_SECONDS) as answer:
                return answer.status, answer.read().decode("utf-8", "replace")
        except urllib.error.HTTPError as error:
            with error:
                return error.code, ""
        except (OSError, ValueError) as error:
            about = path.partition("?")[0] if not path.startswith("/api/") else "/api/v1/"
            raise SmokeFailed(f"{about} cannot be reached: {type(error).__name__}.") from error
