"""Machine and data folder are gone; another machine takes over from storage, key and files."""

from __future__ import annotations

import shutil

from hospital.localdb.places import free_port
from tests.runbooks.pages import Runbook
from tests.runbooks.places import Browser, Hospital
from tests.stage.test_run import eventually

ACTS = "SELECT id, who, act FROM ops_auditevent"


def test_another_machine_takes_over_with_what_was_known_and_only_when_it_is_told(
    hospital: Hospital,
) -> None:
    book = Runbook.read("regional-loss")
    book.instead = {"make run": hospital.start}
    hospital.admit("G-due", hours=60)
    hospital.order("lab", "G-other", hours=5)
    assert eventually(lambda: "G-due" in hospital.alerts())
    hospital.manage("backup", "base")
    alerts, acts = hospital.alerts(), hospital.ask(ACTS)
    hospital.manage("sealaudit")  # the clock does it each 30 seconds
    hospital.manage("shiplog")  # and this each 20
    cluster = hospital.cluster()
    lose_everything_but_storage_key_and_files(hospital)

    book.by_hand("1", lambda: new_machine(hospital))
    book.do("2", hospital)
    book.do("3", hospital, hospital.which_log(cluster), YOU="olga")
    assert acts <= hospital.ask(ACTS)
    assert alerts.items() <= hospital.alerts().items()
    book.do("4", hospital)
    book.do("5", hospital)
    book.do("6", hospital)
    unread = hospital.order("lab", "G-due", hours=1)
    book.by_hand("7", lambda: None)
    assert hospital.ask(f"SELECT 1 FROM ingestion_feedfile WHERE key = '{unread}'") == set()
    book.do("8", hospital, YOU="olga")
    book.by_hand("9", lambda: None)
    book.do("10", hospital, ADDRESS=f"http://127.0.0.1:{hospital.port}")
    book.do("11", hospital)
    book.do("12", hospital, YOU="olga")
    book.do("13", hospital, YOU="olga")

    assert hospital.ingested(unread)
    assert eventually(lambda: "G-due" not in hospital.alerts())
    assert Browser(hospital).sign_in("olga")
    assert hospital.books()["balanced"] is True
    assert book.left() == []


def lose_everything_but_storage_key_and_files(place: Hospital) -> None:
    """Let the machine be gone: what is elsewhere is elsewhere."""
    elsewhere = place.data.parent / "elsewhere"
    elsewhere.mkdir()
    place.end()
    shutil.move(place.data / "backups", elsewhere / "backups")
    shutil.move(place.data / "seals", elsewhere / "seals")
    shutil.move(place.data / "inbox", elsewhere / "inbox")
    (elsewhere / "safe").mkdir()
    shutil.move(place.data / "secrets" / "backup-key", elsewhere / "safe" / "backup-key")
    shutil.rmtree(place.data)


def new_machine(place: Hospital) -> None:
    """Let it be another machine, with the settings that the page names."""
    elsewhere = place.data.parent / "elsewhere"
    place.data = place.data.parent / "machine"
    place.port = free_port()
    place.settings |= {
        "HOSPITAL_BACKUP_DIR": str(elsewhere / "backups"),
        "HOSPITAL_BACKUP_KEY_FILE": str(elsewhere / "safe" / "backup-key"),
        "HOSPITAL_SEAL_DIR": str(elsewhere / "seals"),
        "HOSPITAL_INBOX_DIR": str(elsewhere / "inbox"),
    }
