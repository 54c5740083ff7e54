"""An operator's account is misused from elsewhere; it is shut, and what it knew is worthless."""

from __future__ import annotations

from pathlib import Path

import psycopg2
import pytest

from hospital import localdb
from tests.runbooks.pages import Runbook
from tests.runbooks.places import Browser, Hospital

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
    (trail,) = book.opened("3", NAME="mallory")
    assert "rule.changed" in owner.get(trail)
    signed_in, failed = book.opened("4", NAME="mallory")
    assert owner.get(signed_in).count("127.0.0.1") >= 2
    assert "access attempt" in owner.get(failed)

    for role in ("application", "owner", "reports"):
        book.do("5", hospital, ROLE=role, YOU="olga")
    book.do("6", hospital, YOU="olga")
    book.do("7", hospital)
    for url in (knew.database_url, knew.owner_url):
        with pytest.raises(psycopg2.OperationalError):
            psycopg2.connect(url)
    assert not owner.is_signed_in()
    assert owner.sign_in("olga")
    book.do("8", hospital)
    book.do("9", hospital)
    assert not Browser(hospital).sign_in("mallory")
    assert "rule.changed" in owner.get(trail)
    owner.send(RULE, {"threshold_hours": "48", "second_tier_hours": "72"})
    assert book.left() == []
