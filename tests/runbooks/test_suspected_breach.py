"""An operator's account is misused from elsewhere; it is shut, and what it knew is worthless."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import psycopg2
import pytest

from hospital import localdb
from tests.runbooks.pages import Runbook
from tests.runbooks.places import ZONE, Browser, Hospital
from tests.stage.test_run import eventually

SEEN = "SELECT id::text FROM ingestion_patient WHERE patient_id = 'S-seen'"
HOLDS = "SELECT scope, placed_by FROM ops_legalhold WHERE ended_at IS NULL"
RULE = "/admin/alerts/alertrule/1/change/"


def test_a_misused_account_is_shut_out_and_what_it_did_and_knew_is_dealt_with(
    hospital: Hospital, tmp_path: Path
) -> None:
    book = Runbook.read("suspected-breach")
    book.instead = {"make run": hospital.restart}
    hospital.make_user("mallory")
    thief, elsewhere, owner = Browser(hospital), Browser(hospital), Browser(hospital)
    assert thief.sign_in("mallory")
    assert elsewhere.sign_in("mallory")
    assert owner.sign_in("olga")
    hospital.admit("S-seen", hours=5)
    assert eventually(lambda: bool(hospital.ask(SEEN)))
    ((patient,),) = hospital.ask(SEEN)
    thief.get(f"/api/v1/patients/{patient}/")
    thief.send(RULE, {"threshold_hours": "47", "second_tier_hours": "72"})
    knew = localdb.reserve(hospital.data)

    (said,) = book.do("1", hospital, NAME="mallory", YOU="olga")
    assert "2 sessions ended" in said
    assert not thief.is_signed_in()
    assert not elsewhere.is_signed_in()
    assert owner.is_signed_in()
    kept = tmp_path / "evidence"
    book.do("2", hospital, LOGS=str(hospital.data / "logs"), EVIDENCE=str(kept), YOU="olga")
    assert (kept / "web.log").stat().st_size > 0
    (holds,) = book.opened("3")
    owner.send(holds, {"scope": "everything", "patient": "", "kind": "", "why": "A breach."})
    assert hospital.ask(HOLDS) == {("everything", "olga")}
    _, verified = book.do("4", hospital, YOU="olga")
    assert "findings. The trail" not in verified
    (trail,) = book.opened("5", NAME="mallory")
    (told,) = book.do("5", hospital, NAME="mallory")
    assert told.count("127.0.0.1  signed in") == 2
    assert "rule.changed" in owner.get(trail)
    assert patient in owner.get(trail)

    for role in ("application", "owner", "reports"):
        book.do("6", hospital, ROLE=role, YOU="olga")
    book.do("7", hospital, YOU="olga")
    book.do("8", hospital)
    for url in (knew.database_url, knew.owner_url):
        with pytest.raises(psycopg2.OperationalError):
            psycopg2.connect(url)
    assert not owner.is_signed_in()
    assert owner.sign_in("olga")
    (signing,) = book.opened("9")
    today = f"{datetime.now(ZoneInfo(ZONE)):%Y-%m-%d}"
    review = {"first_day": today, "last_day": today, "note": "A threshold and a patient's page."}
    owner.send(signing, review)
    owner.send(signing, {**review, "shown": f"{today}/{today}"})
    assert hospital.ask("SELECT signed_by FROM ops_auditreview") == {("olga",)}
    book.do("10", hospital)
    book.do("11", hospital)
    assert not Browser(hospital).sign_in("mallory")
    assert "rule.changed" in owner.get(trail)
    owner.send(RULE, {"threshold_hours": "48", "second_tier_hours": "72"})
    assert book.left() == []
