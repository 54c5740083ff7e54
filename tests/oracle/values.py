"""From text to typed values: the second half of section 2.

Knows dates, times, numbers and what counts as missing. Must not know rows or records.
"""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Context, Decimal
from zoneinfo import ZoneInfo

MISSING = frozenset({"", "null", "na", "n/a"})
SLASHED = re.compile(r"([0-9]{1,2})/([0-9]{1,2})/([0-9]{4})")
DASHED = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})")
MOMENT = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})[T ]([0-9]{2}):([0-9]{2})(?::([0-9]{2})(?:[.,]([0-9]+))?)?"
    r"(Z|[+-][0-9]{2}(?::?[0-9]{2})?)?"
)
CLOCK = re.compile(r"([0-9]{1,2}):([0-9]{2})(?::([0-9]{2}))?(?: (AM|PM))?", re.IGNORECASE)
NUMBER = re.compile(r"(<=|>=|<|>|≤|≥)?\s*([+-]?[0-9]+(?:\.[0-9]+)?)")


class Fault(Exception):
    """A value that cannot be trusted; `reason` is a word of section 3's table."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True)
class Measured:
    """A result's value: as sent, and as a number where it is one."""

    text: str
    number: str | None
    comparator: str | None


def is_missing(text: str, *, is_name: bool) -> bool:
    """Tell whether a trimmed value is missing; Na and Null are names of people."""
    return text == "" if is_name else text.lower() in MISSING


def limited(text: str, *, most: int) -> str:
    """Return the text, or fault one that is longer than `most` characters."""
    if len(text) > most:
        raise Fault("too_long")
    return text


def unreserved(text: str, *, is_reserved: bool) -> str:
    """Return the text, or fault one that is kept for somebody else."""
    if is_reserved:
        raise Fault("reserved")
    return text


def date_in(text: str, *, is_day_first: bool, may_hold_time: bool) -> date:
    """Return the date that a date column holds; of a date-time, the date as written."""
    if may_hold_time and MOMENT.fullmatch(text):
        _moment(text)  # "2025-03-20T99:00" is no date-time and so no date either
        text = text[:10]
    slashed, dashed = SLASHED.fullmatch(text), DASHED.fullmatch(text)
    try:
        if dashed:
            return date(*[int(part) for part in dashed.groups()])
        if slashed:
            first, second, year = (int(part) for part in slashed.groups())
            return date(year, second, first) if is_day_first else date(year, first, second)
    except ValueError:
        raise Fault("bad_date") from None
    raise Fault("bad_date")


def time_in(text: str) -> time:
    """Return the time of day: `h:mm[:ss] AM|PM` or `H:MM[:SS]`."""
    found = CLOCK.fullmatch(text)
    if not found:
        raise Fault("bad_time")
    hour, minute, second = (int(part or 0) for part in found.groups()[:3])
    half = (found.group(4) or "").upper()
    if half:
        if not 1 <= hour <= 12:
            raise Fault("bad_time")
        hour = hour % 12 + (12 if half == "PM" else 0)
    try:
        return time(hour, minute, second)
    except ValueError:
        raise Fault("bad_time") from None


def instant_of(day: date, at: time, *, zone: ZoneInfo) -> datetime:
    """Return the instant of a local date and time.

    `fold=0` is both rules at once: the earlier instant of a local time that occurs twice, and
    the offset in force before the gap for one that is skipped.
    """
    return _in_utc(datetime.combine(day, at, tzinfo=zone))


def moment_in(text: str, *, zone: ZoneInfo, is_day_first: bool) -> datetime:
    """Return the instant of a value that is date and time in one."""
    if MOMENT.fullmatch(text):
        return _in_utc(_moment(text).replace(fold=0), zone=zone)
    date_in(text, is_day_first=is_day_first, may_hold_time=False)
    raise Fault("bad_time")  # a bare date where a time belongs to the value


def last_second_of(day: date, *, zone: ZoneInfo) -> datetime:
    """Return the last second of a local day, also of a day whose last hour occurs twice."""
    written = datetime.combine(day, time(23, 59, 59), tzinfo=zone)
    instants = [_in_utc(written.replace(fold=fold)) for fold in (0, 1)]
    real = [instant for instant in instants if _local_clock(instant, zone) == _bare(written)]
    return max(real) if real else instants[0]


def measured(text: str) -> Measured:
    """Return the value as sent, with its number and comparator where it has one."""
    found = NUMBER.fullmatch(text)
    if not found:
        return Measured(text, None, None)
    exact = Decimal(found.group(2)).normalize(Context(prec=2000, Emax=9999, Emin=-9999))
    return Measured(text, str(exact if exact else Decimal(0)), found.group(1))


def is_several_units(text: str) -> bool:
    """Tell whether a unit has more than one entry."""
    return len([entry for entry in re.split("[,;]", text) if entry.strip()]) > 1


def _moment(text: str) -> datetime:
    found = MOMENT.fullmatch(text)
    if not found:
        raise Fault("bad_date")
    day, hour, minute, second, fraction, offset = found.groups()
    try:
        micro = int((fraction or "")[:6].ljust(6, "0"))
        clock = time(int(hour), int(minute), int(second or 0), micro)
        return datetime.combine(date.fromisoformat(day), clock, tzinfo=_offset(offset))
    except ValueError:
        raise Fault("bad_date") from None


def _offset(text: str | None) -> timezone | None:
    if text is None or text == "Z":
        return UTC if text else None
    hours, minutes = int(text[1:3]), int(text[3:].lstrip(":") or 0)
    if hours > 23 or minutes > 59:
        raise ValueError(text)
    size = timedelta(hours=hours, minutes=minutes)
    return timezone(-size if text[0] == "-" else size)


def _in_utc(moment: datetime, *, zone: ZoneInfo | None = None) -> datetime:
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=zone)
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise Fault("bad_date") from None  # the last hours of the year 9999


def _local_clock(instant: datetime, zone: ZoneInfo) -> datetime:
    return _bare(instant.astimezone(zone))


def _bare(moment: datetime) -> datetime:
    return moment.replace(tzinfo=None, fold=0)
