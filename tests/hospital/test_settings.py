"""Sources in buckets are read from one line, or the start is stopped with what is wrong in it."""

from __future__ import annotations

from datetime import date

import pytest
from django.core.exceptions import ImproperlyConfigured

from hospital.settings import _buckets as buckets_in
from hospital.settings import _instance as instance_in
from hospital.settings import _number as number
from hospital.settings import _watched_certificates as watched_certificates
from hospital.settings import _watched_days as watched_days
from ingestion.storage.buckets import client_settings


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        (" , ", []),
        ("pms=hospital-pms", [("pms", "hospital-pms", "")]),
        ("pms=hospital-pms/", [("pms", "hospital-pms", "")]),
        (
            "pms=hospital-pms, lab-north = hospital-lab/north/,lab=hospital-lab/a b/c",
            [
                ("pms", "hospital-pms", ""),
                ("lab-north", "hospital-lab", "north/"),
                ("lab", "hospital-lab", "a b/c/"),
            ],
        ),
        # A folder, not what its name begins with.
        ("a=lab/north,b=lab/north-2", [("a", "lab", "north/"), ("b", "lab", "north-2/")]),
    ],
)
def test_sources_in_buckets_are_read(text: str, expected: list[tuple[str, str, str]]) -> None:
    assert buckets_in(text) == expected


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("hospital-pms", "write source=bucket"),
        ("pms=", "write source=bucket"),
        ("=hospital-pms", "write source=bucket"),
        ("pms=Hospital_PMS", "write source=bucket"),
        ("pms=s3://hospital-pms", "write source=bucket"),
        ("pms=inbox", "neither inbox nor local"),
        ("pms=local", "neither inbox nor local"),
        (f"{'s' * 256}=hospital-pms", "write source=bucket"),
        ("pms=hospital-pms/.hidden/", "no hidden ones"),
        ("pms=hospital-pms/a//b", "no empty folders"),
        ("pms=hospital-pms,pms=hospital-lab", "names a source twice"),
        ("pms=hospital-pms,lab=hospital-pms", "would belong to both"),
        ("pms=hospital,lab=hospital/lab", "lab lies inside pms"),
        ("lab=hospital/lab/north,all=hospital/lab", "lab lies inside all"),
    ],
)
def test_what_cannot_be_meant_stops_the_start(text: str, said: str) -> None:
    with pytest.raises(ImproperlyConfigured) as raised:
        buckets_in(text)
    assert "HOSPITAL_BUCKETS" in str(raised.value)
    assert said in str(raised.value)


@pytest.mark.parametrize("text", ["0", "9.9", "-1", "often", "inf"])
def test_a_listing_without_a_pause_stops_the_start(
    text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOSPITAL_RECONCILE_SECONDS", text)
    with pytest.raises(ImproperlyConfigured) as raised:
        number("HOSPITAL_RECONCILE_SECONDS", 300, least=10)
    assert str(raised.value) == (
        f"HOSPITAL_RECONCILE_SECONDS is {text!r}: set it to a number of at least 10."
    )


def test_no_question_to_a_bucket_or_queue_is_asked_for_ever() -> None:
    asked = vars(client_settings())
    assert (asked["connect_timeout"], asked["read_timeout"], asked["retries"]) == (
        5,
        60,
        {"total_max_attempts": 4, "mode": "standard"},
    )


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", []),
        ("board=/etc/ssl/board.pem", [("board", "/etc/ssl/board.pem")]),
        (
            " board = /etc/ssl/board.pem, proxy=vigil.example:443,v6=[::1]:8443,",
            [
                ("board", "/etc/ssl/board.pem"),
                ("proxy", "vigil.example:443"),
                ("v6", "[::1]:8443"),
            ],
        ),
    ],
)
def test_certificates_are_watched_by_a_name_of_their_own(
    text: str, found: list[tuple[str, str]]
) -> None:
    assert watched_certificates(text) == found


@pytest.mark.parametrize(
    "text",
    [
        "/etc/ssl/board.pem",
        "board=",
        "=vigil.example:443",
        "board=board.pem",
        "board=vigil.example",
        "board=https://vigil.example:443",
        "a=/x.pem,a=/y.pem",
    ],
)
def test_a_certificate_that_nobody_could_watch_stops_the_start(text: str) -> None:
    with pytest.raises(ImproperlyConfigured, match="HOSPITAL_WATCHED_CERTIFICATES"):
        watched_certificates(text)


@pytest.mark.parametrize("text", ["signing", "signing=31.01.2027", "signing=2027-02-30"])
def test_a_day_that_is_none_stops_the_start(text: str) -> None:
    with pytest.raises(ImproperlyConfigured, match="HOSPITAL_WATCHED_KEYS"):
        watched_days(text)


def test_the_days_by_which_keys_are_to_be_changed_are_read() -> None:
    assert watched_days("signing=2027-01-31") == [("signing", date(2027, 1, 31))]


@pytest.mark.parametrize(
    ("text", "expected"),
    [("", ""), ("hospital-db", "hospital-db"), ("Hospital-DB2", "hospital-db2")],
)
def test_an_instance_of_rds_is_read_as_rds_keeps_its_name(text: str, expected: str) -> None:
    assert instance_in(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "arn:aws:rds:eu-central-1:123456789012:db:hospital-db",
        "hospital-db.abc.eu-central-1.rds.amazonaws.com",
        "2-hospitals",
        "hospital--db",
        "hospital-",
        "h" * 64,
    ],
)
def test_what_no_instance_can_be_called_stops_the_start(text: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=r"HOSPITAL_RDS_INSTANCE is .* as RDS has it"):
        instance_in(text)
