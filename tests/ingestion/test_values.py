"""Text into typed values: what the contract's forms allow, and nothing more."""

from __future__ import annotations

import tracemalloc
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestion.values import (
    end_of_day,
    instant_of,
    is_ambiguous_unit,
    is_missing,
    is_on_calendar,
    parse_date,
    parse_date_column,
    parse_moment,
    parse_number,
    parse_time,
    source_time_in,
)

BERLIN = ZoneInfo("Europe/Berlin")
NEW_YORK = ZoneInfo("America/New_York")
BEIRUT = ZoneInfo("Asia/Beirut")
ARABIC_2025 = "\u0662\u0660\u0662\u0665"


@pytest.mark.parametrize("text", ["", "NULL", "null", "NA", "Na", "n/a", "N/A"])
def test_a_missing_value_is_empty_or_one_of_three_words(text: str) -> None:
    assert is_missing(text)


@pytest.mark.parametrize("text", ["None", "-", "0", "NAN", "N A", "NULL.", "unknown"])
def test_any_other_word_is_a_value(text: str) -> None:
    assert not is_missing(text)


@pytest.mark.parametrize("text", ["Na", "Null", "NA", "N/A"])
def test_people_are_called_na_and_null(text: str) -> None:
    assert not is_missing(text, is_name=True)
    assert is_missing("", is_name=True)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("3/7/2025", date(2025, 3, 7)),
        ("03/07/2025", date(2025, 3, 7)),
        ("12/31/1899", date(1899, 12, 31)),
        ("2025-03-07", date(2025, 3, 7)),
        ("2/29/2024", date(2024, 2, 29)),
    ],
)
def test_a_date_has_the_month_first_or_the_year(text: str, found: date) -> None:
    assert parse_date(text) == found
    assert parse_date_column(text) == found


@pytest.mark.parametrize(
    "text",
    [
        *("2/29/2025", "13/1/2025", "0/1/2025", "1/0/2025", "2025-02-30", "0000-01-01"),
        *("3/7/25", "3/7/02025", "2025-3-7", "20250307", "2025/03/07", "7.3.2025", "Mar 7 2025"),
        *("3 /7/2025", "+3/7/2025", "3/7/2025x", "2025-W10-5", "2025-066", "yesterday", "infinity"),
        *(f"{ARABIC_2025}-03-07", f"3/7/{ARABIC_2025}", "2025-03-07\n", "3/7/2_25", "0" * 5000),
    ],
)
def test_anything_else_is_no_date(text: str) -> None:
    assert parse_date(text) is None
    assert parse_date_column(text) is None


def test_a_feed_may_declare_that_the_day_comes_first() -> None:
    assert parse_date("3/7/2025", day_first=True) == date(2025, 7, 3)
    assert parse_date("13/1/2025", day_first=True) == date(2025, 1, 13)
    assert parse_date("1/13/2025", day_first=True) is None
    assert parse_date("2025-03-07", day_first=True) == date(2025, 3, 7)


def test_of_a_date_time_in_a_date_column_the_date_counts_as_written() -> None:
    assert parse_date_column("2025-03-07T23:30:00-08:00") == date(2025, 3, 7)
    assert parse_date_column("2025-03-07 00:00") == date(2025, 3, 7)
    assert parse_date_column("9999-12-31T23:59:59-10:00") == date(9999, 12, 31)
    assert parse_date_column("2025-03-07T24:00") is None
    assert parse_date("2025-03-07T10:00") is None


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("1:05 AM", time(1, 5)),
        ("12:05 AM", time(0, 5)),
        ("12:05 PM", time(12, 5)),
        ("11:59:58 PM", time(23, 59, 58)),
        ("01:05 pm", time(13, 5)),
        ("0:00", time(0, 0)),
        ("9:05", time(9, 5)),
        ("09:05", time(9, 5)),
        ("23:59:59", time(23, 59, 59)),
    ],
)
def test_a_time_has_two_halves_or_twenty_four_hours(text: str, found: time) -> None:
    assert parse_time(text) == found


@pytest.mark.parametrize(
    "text",
    [
        *("0:30 AM", "13:00 PM", "24:00", "23:60", "23:59:60", "9:5", "9", "9 AM", "900", "T09:00"),
        *(
            "9:05AM",
            "9:05  AM",
            "9:05 A.M.",
            "9:05 XM",
            "9:05:01.5",
            "9:05+02:00",
            "-1:00",
            " 9:05",
        ),
        *("\u0669:\u0660\u0665", "009:05", "9:05\n", "noon", "9:05 AM" * 1000),
    ],
)
def test_anything_else_is_no_time(text: str) -> None:
    assert parse_time(text) is None


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("2025-03-07T09:05", datetime(2025, 3, 7, 9, 5)),
        ("2025-03-07 09:05:06", datetime(2025, 3, 7, 9, 5, 6)),
        ("2025-03-07T09:05:06.5", datetime(2025, 3, 7, 9, 5, 6, 500_000)),
        ("2025-03-07T09:05:06,123456789", datetime(2025, 3, 7, 9, 5, 6, 123_456)),
        ("2025-03-07T09:05Z", datetime(2025, 3, 7, 9, 5, tzinfo=UTC)),
        ("2025-03-07T09:05:06+02:00", datetime(2025, 3, 7, 7, 5, 6, tzinfo=UTC)),
        ("2025-03-07 00:05-0330", datetime(2025, 3, 7, 3, 35, tzinfo=UTC)),
        ("2025-03-07 23:05-05", datetime(2025, 3, 8, 4, 5, tzinfo=UTC)),
    ],
)
def test_a_moment_is_local_unless_it_has_an_offset(text: str, found: datetime) -> None:
    moment = parse_moment(text)
    assert moment == found
    assert moment is not None
    assert moment.tzinfo is found.tzinfo


@pytest.mark.parametrize(
    "text",
    [
        *("2025-03-07", "3/7/2025 09:05", "2025-03-07T9:05", "2025-03-07T09", "2025-03-07t09:05"),
        *("2025-03-07T24:00", "2025-03-07T09:60", "2025-03-07T09:05:60", "2025-02-30T09:05"),
        *("2025-03-07  09:05", "2025-03-07T09:05 Z", "2025-03-07T09:05z", "2025-03-07T09:05+24:00"),
        *("2025-03-07T09:05+02:60", "2025-03-07T09:05+2", "2025-03-07T09:05.5", "20250307T0905Z"),
        *("2025-W10-5T09:05", "2025-03-07 09:05 AM", "2025-03-07T09:05:06.", "0000-01-01T00:00"),
        *("9999-12-31T23:59-01:00", "0001-01-01T00:00+01:00", "2025-03-07T09:05:06." + "1" * 99),
    ],
)
def test_anything_else_is_no_moment(text: str) -> None:
    assert parse_moment(text) is None


@pytest.mark.parametrize(
    ("local", "zone", "instant"),
    [
        (datetime(2025, 1, 15, 12, 0), BERLIN, datetime(2025, 1, 15, 11, 0, tzinfo=UTC)),
        (datetime(2025, 7, 15, 12, 0), BERLIN, datetime(2025, 7, 15, 10, 0, tzinfo=UTC)),
        # Twice: the earlier instant, still in summer time.
        (datetime(2024, 10, 27, 2, 30), BERLIN, datetime(2024, 10, 27, 0, 30, tzinfo=UTC)),
        (datetime(2024, 11, 3, 1, 30), NEW_YORK, datetime(2024, 11, 3, 5, 30, tzinfo=UTC)),
        # Skipped: the offset in force before the gap, still winter time.
        (datetime(2025, 3, 30, 2, 30), BERLIN, datetime(2025, 3, 30, 1, 30, tzinfo=UTC)),
        (datetime(2025, 3, 9, 2, 30), NEW_YORK, datetime(2025, 3, 9, 7, 30, tzinfo=UTC)),
    ],
)
def test_a_local_time_is_one_instant_also_when_clocks_change(
    local: datetime, zone: ZoneInfo, instant: datetime
) -> None:
    assert instant_of(local, zone) == instant
    assert instant_of(local.replace(fold=1), zone) == instant


def test_a_local_time_beyond_the_calendar_is_no_instant() -> None:
    assert instant_of(datetime(9999, 12, 31, 23, 59), NEW_YORK) is None
    assert instant_of(datetime(1, 1, 1), BERLIN) is None
    assert instant_of(datetime(9999, 12, 31, 23, 59), BERLIN) == datetime(
        9999, 12, 31, 22, 59, tzinfo=UTC
    )


def test_an_instant_that_the_hospitals_clock_cannot_show_is_not_on_the_calendar() -> None:
    last = datetime(9999, 12, 31, 23, 30, tzinfo=UTC)
    assert is_on_calendar(last, NEW_YORK)
    assert not is_on_calendar(last, BERLIN)


@pytest.mark.parametrize(
    ("day", "zone", "instant"),
    [
        (date(2025, 3, 20), BERLIN, datetime(2025, 3, 20, 22, 59, 59, tzinfo=UTC)),
        (date(2025, 3, 30), BERLIN, datetime(2025, 3, 30, 21, 59, 59, tzinfo=UTC)),
        # 23:59:59 occurs twice in Beirut when summer time ends: the day ends with the second one.
        (date(2024, 10, 26), BEIRUT, datetime(2024, 10, 26, 21, 59, 59, tzinfo=UTC)),
        # The midnight behind the day is skipped.
        (date(2024, 3, 30), BEIRUT, datetime(2024, 3, 30, 21, 59, 59, tzinfo=UTC)),
        (date(9999, 12, 31), BERLIN, datetime(9999, 12, 31, 22, 59, 59, tzinfo=UTC)),
    ],
)
def test_a_day_ends_one_second_before_the_next(
    day: date, zone: ZoneInfo, instant: datetime
) -> None:
    assert end_of_day(day, zone) == instant


def test_the_last_day_of_the_calendar_has_no_end_in_the_west() -> None:
    assert end_of_day(date.max, NEW_YORK) is None


@pytest.mark.parametrize(
    ("text", "number", "comparator"),
    [
        ("5", "5", None),
        ("-3.20", "-3.20", None),
        ("+4.0", "4.0", None),
        ("007", "7", None),
        ("<0.1", "0.1", "<"),
        ("> 1000", "1000", ">"),
        ("<=5", "5", "<="),
        (">=5", "5", ">="),
        ("≤5", "5", "≤"),
        ("9" * 900, "9" * 900, None),
    ],
)
def test_a_result_is_a_number_with_its_comparator_apart(
    text: str, number: str, comparator: str | None
) -> None:
    found, sign = parse_number(text)
    assert (str(found), sign) == (str(Decimal(number)), comparator)


@pytest.mark.parametrize(
    "text",
    [
        *("", "positive", "5,4", "1,200", "1e5", ".5", "5.", "5 mg", "NaN", "Infinity", "1_000"),
        *("<", "<<5", "=5", "5<", "--5", "٥", "1:40", "5-6", "0x1F", "5\n"),
    ],
)
def test_anything_else_is_text_and_no_number(text: str) -> None:
    assert parse_number(text) == (None, None)


@pytest.mark.parametrize("text", ["mmol/L, mg/dL", "g/L;g/dL", "mg/dL,mg/dL"])
def test_a_unit_with_more_than_one_entry_is_ambiguous(text: str) -> None:
    assert is_ambiguous_unit(text)


@pytest.mark.parametrize("text", ["", "mmol/L", "10^9/L", "mg/dL,", "%", ", "])
def test_a_unit_with_one_entry_or_none_is_not(text: str) -> None:
    assert not is_ambiguous_unit(text)


STAMP = datetime(2025, 3, 20, 5, 20, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("2025-03-20T05-20-00Z", STAMP),
        ("20250320T052000Z", STAMP),
        ("lis/tests_2025-03-20T05-20-00Z.csv", STAMP),
        ("lis-20250320T052000Z-part2.csv", STAMP),
        ("a_2025-03-20T05-20-00.25Z", STAMP + timedelta(microseconds=250_000)),
        ("a_20250320T052000.1234567Z", STAMP + timedelta(microseconds=123_456)),
        ("20250320T052000Z_20250321T052000Z", STAMP),
        ("2025-13-20T05-20-00Z_20250230T000000Z_20250320T052000Z", STAMP),
        ("00000101T000000Z 2025-03-20T05-20-00Z", STAMP),
    ],
)
def test_the_source_time_is_the_first_valid_stamp_in_the_name(name: str, found: datetime) -> None:
    assert source_time_in(name) == found


@pytest.mark.parametrize(
    "name",
    [
        *(
            "patients.csv",
            "2025-03-20.csv",
            "20250320T052000",
            "20250320T052000.Z",
            "20250320t052000z",
        ),
        *("2025-03-20T05:20:00Z", "2025-03-20T052000Z", "20250320T05-20-00Z", "120250320T052000Z"),
        *("20250320T242000Z", "20250320T052060Z", f"{ARABIC_2025}0320T052000Z", ""),
    ],
)
def test_a_name_without_a_valid_stamp_tells_no_source_time(name: str) -> None:
    assert source_time_in(name) is None


def test_a_long_text_is_not_remembered() -> None:
    """A file of long values must not fill the memory with what was no date."""
    tracemalloc.start()
    try:
        for number in range(20):
            text = f"{number} " * 100_000
            for parse in (parse_date, parse_date_column, parse_time, parse_moment):
                assert parse(text) is None
        assert tracemalloc.get_traced_memory()[0] < 500_000
    finally:
        tracemalloc.stop()


@given(st.text(max_size=30))
def test_no_text_is_an_accident(text: str) -> None:
    for parse in (parse_date, parse_date_column, parse_time, parse_moment, source_time_in):
        parse(text)
    number, comparator = parse_number(text)
    assert number is None or number.is_finite()
    assert comparator is None or number is not None


@given(st.datetimes(min_value=datetime(1900, 1, 1)), st.sampled_from([BERLIN, NEW_YORK, BEIRUT]))
def test_a_local_time_shows_as_itself_unless_it_is_skipped(local: datetime, zone: ZoneInfo) -> None:
    instant = instant_of(local, zone)
    if instant is None or not is_on_calendar(instant, zone):
        assert local.year == 9999
        return
    shown = instant.astimezone(zone).replace(tzinfo=None, fold=0)
    assert shown == local or shown - local in (timedelta(hours=1), timedelta(minutes=20))


@given(st.dates(min_value=date(1900, 1, 1), max_value=date(9998, 1, 1)))
def test_a_written_date_is_read_back(day: date) -> None:
    assert parse_date(day.isoformat()) == day
    assert parse_date(f"{day.month}/{day.day}/{day.year}") == day
    assert parse_date(f"{day.day:02}/{day.month:02}/{day.year}", day_first=True) == day
