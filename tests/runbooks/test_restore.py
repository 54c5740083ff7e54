"""The database of a running hospital is lost on its machine, and brought back."""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path

from tests.runbooks.pages import Runbook
from tests.runbooks.places import Browser, Hospital
from tests.stage.test_run import eventually

ACTS = "SELECT who, act, why FROM ops_auditevent WHERE act = 'account.shut_out'"

CARL = "SELECT is_active FROM auth_user WHERE username = 'carl'"


def test_a_lost_database_comes_back_with_acts_alerts_and_files_and_acts_again(
    hospital: Hospital,
) -> None:
    book = Runbook.read("restore")
    book.instead = {"make run": hospital.start}
    hospital.make_user("carl")
    dump = hospital.back_up()
    hospital.manage("backup", "base")
    hospital.manage("shutout", "carl", "--by", "olga", "--why", "He left.")
    hospital.admit("R-due", hours=60)
    hospital.order("lab", "R-other", hours=5)
    assert eventually(lambda: "R-due" in hospital.alerts())
    alerts = hospital.alerts()
    hospital.manage("sealaudit")  # the clock does it each 30 seconds
    hospital.manage("shiplog")  # and this each 20
    cluster = hospital.cluster()
    destroy(hospital.data)
    hospital.admit("R-later", hours=55)  # the systems go on writing

    (told,) = book.do("1", hospital)
    assert dump in told
    book.by_hand("2", hospital.stop)
    bases = aside(hospital)
    assert "No base of the log is kept" in hospital.type(book.steps["3"].commands[0].typed).said
    book.do("B1", hospital, BACKUP=dump, YOU="olga")
    # What was done since is undone, and the trail, back from its seals, says what that was.
    assert hospital.ask(CARL) == {(True,)}
    assert hospital.ask(ACTS) == {("olga", "account.shut_out", "He left.")}
    assert {"R-due", "R-later"} <= hospital.alerts().keys()

    back(hospital, bases)
    destroy(hospital.data)
    book.do("3", hospital, hospital.which_log(cluster), YOU="olga")
    assert hospital.ask(CARL) == {(False,)}
    assert hospital.ask(ACTS) == {("olga", "account.shut_out", "He left.")}
    assert alerts.items() <= hospital.alerts().items()
    assert "R-later" in hospital.alerts()
    book.do("4", hospital)
    book.do("5", hospital)
    book.do("6", hospital)
    muted = hospital.order("lab", "R-due", hours=1)
    book.do("7", hospital, YOU="olga")
    assert hospital.ingested(muted)
    assert eventually(lambda: "R-due" not in hospital.alerts())
    book.do("8", hospital)
    book.do("9", hospital, YOU="olga")
    book.do("10", hospital, YOU="olga")

    browser = Browser(hospital)
    assert browser.sign_in("olga")
    assert not Browser(hospital).sign_in("carl")
    assert hospital.books()["balanced"] is True
    assert book.left() == []


def destroy(data: Path) -> None:
    """Let the database die and its folder be lost."""
    cluster = data / "postgres" / "cluster"
    pid = int((cluster / "postmaster.pid").read_text().split()[0])
    os.kill(pid, signal.SIGKILL)
    shutil.rmtree(data / "postgres", ignore_errors=True)  # dying processes still write there
    assert eventually(lambda: _is_gone(data / "postgres"))


def _is_gone(folder: Path) -> bool:
    shutil.rmtree(folder, ignore_errors=True)
    return not folder.exists()


def aside(place: Hospital) -> Path:
    """Let the bases be lost."""
    kept = place.data.parent / "bases"
    shutil.move(place.backups / "base", kept)
    return kept


def back(place: Hospital, kept: Path) -> None:
    """Let them be found again."""
    shutil.move(kept, place.backups / "base")
