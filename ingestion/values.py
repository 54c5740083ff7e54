"""Text into typed values: what counts as missing, dates, times, instants, numbers, units, time
stamps in names.

Knows the forms of the feed contract's section 2, and exactly those: `int`, `strptime` and
`fromisoformat` take more than the contract allows, so none of them is asked before a pattern has
said yes. Knows neither columns nor patients. All text is expected trimmed. Results are remembered
for a bounded number of texts, since a feed says the same few thousand again and again.

What the contract leaves open, and how it is decided here:

- `AM` and `PM` stand behind exactly one blank, in capitals or not.
- A date-time is ISO 8601 in its extended form, with hours and minutes at least. One whose time is
  impossible is no date-time at all: `bad_date`.
- An instant that UTC or the hospital's clock cannot show (before the year 1, after 9999) is none.
- The last second of a local day is the one before the next day begins, also where 23:59:59 occurs
  twice.
- A number is a plain decimal with a point. A comma makes none: it may divide thousands or decimals.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from functools import lru_cache
from zoneinfo import ZoneInfo

MISSING = frozenset({"", "NULL", "NA", "N/A"})
LONGEST_MISSING = max(map(len, MISSING))
LONGEST_TIME_TEXT = 40  # no form is longer; nothing longer is remembered
REMEMBERED = 8192

_SLASH_DATE = re.compile(r"([0-9]{1,2})/([0-9]{1,2})/([0-9]{4})")
_DASH_DATE = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})")
_CLOCK = re.compile(r"([0-9]{1,2}):([0-9]{2})(?::([0-9]{2}))?(?: ([AaPp])[Mm])?")
_MOMENT = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})[T ]([0-9]{2}):([0-9]{2})(?::([0-9]{2})(?:[.,]([0-9]+))?)?"
    r"(Z|[+-][0-9]{2}(?::?[0-9]{2})?)?"
)
_NUMBER = re.compile(r"(<=|>=|[<>≤≥])?\s*([+-]?[0-9]+(?:\.[0-9]+)?)")
_UNIT_DIVIDERS = re.compile("[,;]")
_STAMP = re.compile(
    r"(?<![0-9])(?:"
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})T([0-9]{2})-([0-9]{2})-([0-9]{2})"
    r"|([0-9]{4})([0-9]{2})([0-9]{2})T([0-9]{2})([0-9]{2})([0-9]{2})"
    r")(?:\.([0-9]+))?Z"
)


def is_missing(text: str, *, is_name: bool = False) -> bool:
    """Whether the value says nothing. Na and Null are names of people."""
    if is_name:
        return not text
    return len(text) <= LONGEST_MISSING and text.upper() in MISSING


def parse_date(text: str, *, day_first: bool = False) -> date | None:
    """A bare date, or None if it is none."""
    return _date(text, day_first) if len(text) <= LONGEST_TIME_TEXT else None


def parse_date_column(text: str, *, day_first: bool = False) -> date | None:
    """The date in a date column, which may hold a date-time: then its date counts, as written."""
    if len(text) > LONGEST_TIME_TEXT:
        return None
    found = _date(text, day_first)
    if found is None and (moment := _moment(text)) is not None:
        return moment[0].date()
    return found


def parse_time(text: str) -> time | None:
    """A time of day, or None if it is none."""
    return _time(text) if len(text) <= LONGEST_TIME_TEXT else None


def parse_moment(text: str) -> datetime | None:
    """Date and time in one value, or None if it is not both.

    Aware and in UTC if it has an offset, else naive and local.
    """
    moment = _moment(text) if len(text) <= LONGEST_TIME_TEXT else None
    if moment is None:
        return None
    local, offset = moment
    return local if offset is None else _minus(local, offset)


def instant_of(local: datetime, zone: ZoneInfo) -> datetime | None:
    """The instant of a local time; None if it is beyond the calendar.

    Of a time that occurs twice the earlier instant; one that is skipped is read with the offset in
    force before the gap. `fold=0` means both.
    """
    offset = local.replace(tzinfo=zone, fold=0).utcoffset()
    return None if offset is None else _minus(local, offset)


def end_of_day(day: date, zone: ZoneInfo) -> datetime | None:
    """The last second of a local day; None if it is beyond the calendar."""
    if day == date.max:
        return instant_of(datetime.combine(day, time(23, 59, 59)), zone)
    midnight = instant_of(datetime.combine(day + timedelta(days=1), time()), zone)
    return None if midnight is None else midnight - timedelta(seconds=1)


def is_on_calendar(instant: datetime, zone: ZoneInfo) -> bool:
    """Whether the hospital's clock can show the instant."""
    try:
        instant.astimezone(zone)
    except OverflowError:
        return False
    return True


def parse_number(text: str) -> tuple[Decimal | None, str | None]:
    """The number in a result and the comparator before it, as sent; twice None if it is none."""
    found = _NUMBER.fullmatch(text)
    return (Decimal(found[2]), found[1]) if found else (None, None)


def is_ambiguous_unit(text: str) -> bool:
    """Whether the unit has more than one entry, as in `mmol/L, mg/dL`."""
    return sum(1 for entry in _UNIT_DIVIDERS.split(text) if entry.strip()) > 1


def source_time_in(name: str) -> datetime | None:
    """The first valid time stamp in an object's name; invalid ones are passed over."""
    for found in _STAMP.finditer(name):
        parts = found.groups()[:6] if found[1] else found.groups()[6:12]
        try:
            return datetime(*map(int, parts), _microseconds(found[13]), tzinfo=UTC)  # type: ignore[misc, arg-type]
        except ValueError:
            continue
    return None


@lru_cache(maxsize=REMEMBERED)
def _date(text: str, day_first: bool) -> date | None:
    if found := _SLASH_DATE.fullmatch(text):
        first, second, year = map(int, found.groups())
        day, month = (first, second) if day_first else (second, first)
    elif found := _DASH_DATE.fullmatch(text):
        year, month, day = map(int, found.groups())
    else:
        return None
    try:
        return date(year, month, day)
    except ValueError:
        return None


@lru_cache(maxsize=REMEMBERED)
def _time(text: str) -> time | None:
    found = _CLOCK.fullmatch(text)
    if found is None:
        return None
    hour, half = int(found[1]), found[4]
    if half:
        if not 1 <= hour <= 12:
            return None
        hour = hour % 12 + (12 if half in "Pp" else 0)
    try:
        return time(hour, int(found[2]), int(found[3] or 0))
    except ValueError:
        return None


@lru_cache(maxsize=REMEMBERED)
def _moment(text: str) -> tuple[datetime, timedelta | None] | None:
    found = _MOMENT.fullmatch(text)
    day = _date(found[1], False) if found else None
    if found is None or day is None:
        return None
    try:
        clock = time(int(found[2]), int(found[3]), int(found[4] or 0), _microseconds(found[5]))
        return datetime.combine(day, clock), _offset(found[6])
    except ValueError:
        return None


def _microseconds(fraction: str | None) -> int:
    return int(fraction[:6].ljust(6, "0")) if fraction else 0


def _offset(text: str | None) -> timedelta | None:
    """Raises ValueError for more than 23 hours or 59 minutes."""
    if text is None:
        return None
    if text == "Z":
        return timedelta()
    clock = time(int(text[1:3]), int(text[-2:]) if len(text) > 3 else 0)
    size = timedelta(hours=clock.hour, minutes=clock.minute)
    return -size if text[0] == "-" else size


def _minus(local: datetime, offset: timedelta) -> datetime | None:
    try:
        return (local - offset).replace(tzinfo=UTC)
    except OverflowError:
        return None
