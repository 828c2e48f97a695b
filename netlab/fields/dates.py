"""HTTP dates (RFC 9110, 5.6.7), as seconds since the epoch."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from functools import lru_cache
from typing import NamedTuple

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_NUMBERS = {name.lower(): number for number, name in enumerate(_MONTHS, 1)}
_EPOCH = date(1970, 1, 1).toordinal()
_DAY = 86400
_LONGEST = 40  # of the three forms: "Wednesday, 06-Nov-94 08:49:37 GMT" has 33

_SHORT = f"(?:{'|'.join(_DAYS)})"
_LONG = "(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day"
_MONTH = f"(?P<month>{'|'.join(_MONTHS)})"
_TIME = "(?P<hour>[0-9]{2}):(?P<minute>[0-9]{2}):(?P<second>[0-9]{2})"
_FORMS = tuple(
    re.compile(form, re.IGNORECASE | re.ASCII)
    for form in (
        rf"{_SHORT}, (?P<day>[0-9]{{2}}) {_MONTH} (?P<year>[0-9]{{4}}) {_TIME} GMT",
        rf"{_LONG}, (?P<day>[0-9]{{2}})-{_MONTH}-(?P<year>[0-9]{{2}}) {_TIME} GMT",
        rf"{_SHORT} {_MONTH} (?P<day>[0-9]{{2}}| [0-9]) {_TIME} (?P<year>[0-9]{{4}})",
    )
)


class _Moment(NamedTuple):
    """A date as it was written."""

    year: int
    month: int
    day: int
    seconds: int
    short: bool
    """Whether the year has two digits."""


def parse_date(text: str, now: float) -> int | None:
    """The moment that an HTTP date names; ``None`` for anything else.

    All three forms are read, in any case (RFC 9111, 4.2), and no others: a time
    zone other than GMT, one-digit hours or further spaces make no date. The
    day of the week may be wrong.

    ``now`` is the present in seconds since the epoch: a year of two digits is
    the last one that is no more than 50 years ahead of it.
    """
    moment = _read(text) if len(text) <= _LONGEST else None
    if moment is None:
        return None
    year, month, day, seconds, short = moment
    if short:
        year = _year(moment, datetime.fromtimestamp(now, UTC))
    try:
        days = date(year, month, day).toordinal()
    except ValueError:
        return None
    return (days - _EPOCH) * _DAY + seconds


@lru_cache(256)
def _read(text: str) -> _Moment | None:
    for form in _FORMS:
        match = form.fullmatch(text)
        if match is not None:
            break
    else:
        return None
    year, day, hour, minute, second = (
        int(match[name]) for name in ("year", "day", "hour", "minute", "second")
    )
    leap = (hour, minute, second) == (23, 59, 60)
    if hour > 23 or minute > 59 or (second > 59 and not leap):
        return None
    seconds = hour * 3600 + minute * 60 + second
    short = len(match["year"]) == 2
    return _Moment(year, _NUMBERS[match["month"].lower()], day, seconds, short)


def _year(moment: _Moment, now: datetime) -> int:
    """The full year of a date with two digits."""
    present = now.hour * 3600 + now.minute * 60 + now.second
    latest = (now.year + 50, now.month, now.day, present)
    year = now.year - now.year % 100 + 100 + moment.year
    while (year, moment.month, moment.day, moment.seconds) > latest:
        year -= 100
    return year


def format_date(when: float) -> str:
    """A moment in the one form that is sent (IMF-fixdate); fractions of a second are cut off.

    >>> format_date(784111777)
    'Sun, 06 Nov 1994 08:49:37 GMT'

    Raises ``ValueError`` or ``OverflowError`` outside of the years 1 to 9999.
    """
    return _write(int(when // 1))


@lru_cache(64)
def _write(when: int) -> str:
    days, seconds = divmod(when, _DAY)
    day = date.fromordinal(days + _EPOCH)
    minutes, second = divmod(seconds, 60)
    hour, minute = divmod(minutes, 60)
    return (
        f"{_DAYS[day.weekday()]}, {day.day:02} {_MONTHS[day.month - 1]} {day.year:04} "
        f"{hour:02}:{minute:02}:{second:02} GMT"
    )
