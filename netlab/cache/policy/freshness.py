"""How old a stored response is, and for how long it is fresh (RFC 9111, 4.2)."""

from __future__ import annotations

from msgspec import Struct
from msgspec.structs import replace

from netlab.cache.policy.entry import Entry
from netlab.cache.policy.messages import Options
from netlab.fields import (
    INVALID,
    CacheControl,
    Fields,
    parse_cache_control,
    parse_date,
    parse_seconds,
    parse_targeted,
)

HEURISTICALLY_CACHEABLE = frozenset({200, 203, 204, 206, 300, 301, 308, 404, 405, 410, 414, 501})
"""Status codes that need no explicit freshness (RFC 9110, 15.1)."""
LONGEST_HEURISTIC = 86400
"""The longest freshness lifetime that is not explicit, in seconds: a day."""

_DEPENDED_ON = frozenset({"age", "cache-control", "date", "expires", "location", "vary"})
_FRACTION = 10  # of the time since the last modification: the RFC's "10%" (4.2.2)


class Freshness(Struct, frozen=True):
    """What the head of a stored response says about its freshness."""

    control: CacheControl
    """The directives that count: of a targeted field, or of ``Cache-Control``."""
    lifetime: int
    """For how many seconds it is fresh, from its generation on (4.2.1)."""
    initial_age: float
    """How old it was when it came, in seconds (corrected_initial_age, 4.2.3)."""
    since: float
    """When it came: the time from which it ages here."""
    date: int
    """When it was generated, by the origin's clock."""

    def age(self, now: float) -> float:
        """Its age in seconds (current_age, 4.2.3), never negative."""
        return self.initial_age + max(0.0, now - self.since)

    @property
    def may_be_stale(self) -> bool:
        """Whether no directive forbids to serve it stale (4.2.4).

        ``s-maxage`` forbids it as ``proxy-revalidate`` does (5.2.2.10), also
        beside ``stale-while-revalidate``: a MUST NOT outweighs a MAY.
        """
        control = self.control
        return not (
            control.no_cache
            or control.must_revalidate
            or control.proxy_revalidate
            or control.s_maxage is not None
        )


def freshness(entry: Entry, options: Options) -> Freshness:
    """The freshness of an entry; computed once for each entry and options."""
    memo = entry.__dict__
    if memo.get("options") is not options:
        memo["freshness"] = _freshness(entry, options)
        memo["options"] = options
    found: Freshness = memo["freshness"]
    return found


def _freshness(entry: Entry, options: Options) -> Freshness:
    fields = entry.fields
    control, _ = response_control(fields, options)
    date = date_of(fields, entry.response_time)
    lifetime = explicit_lifetime(fields, entry.response_time, options)
    if lifetime is None:
        lifetime = 0
        modified = last_modified(fields, entry.response_time)
        cacheable = entry.status in HEURISTICALLY_CACHEABLE or control.public
        if options.heuristic and cacheable and modified is not None:
            lifetime = max(0, min((date - modified) // _FRACTION, LONGEST_HEURISTIC))
    # Date has whole seconds, so the fraction of response_time says nothing.
    apparent_age = max(0, int(entry.response_time) - date)
    response_delay = max(0.0, entry.response_time - entry.request_time)
    corrected_age = age_value(fields) + response_delay
    initial_age = max(apparent_age, corrected_age)
    return Freshness(control, lifetime, initial_age, entry.response_time, date)


def response_control(fields: Fields, options: Options) -> tuple[CacheControl, bool]:
    """The directives of a response that count, and whether a targeted field has them.

    If so, ``Cache-Control`` and ``Expires`` are to be ignored (RFC 9213, 2.2).

    ``no-cache`` and ``private`` that name a field on which caching depends mean
    the whole response: without that field it would be taken for what it is not
    (5.2.2.4 and 5.2.2.7 allow it).
    """
    for name in options.targets:
        value = fields.get(name)
        control = parse_targeted(value) if value else None
        if control is not None:
            return _widened(control, options), True
    return _widened(parse_cache_control(fields.get("cache-control") or ""), options), False


def _widened(control: CacheControl, options: Options) -> CacheControl:
    if depended_on(control.no_cache_fields, options):
        control = replace(control, no_cache=True, no_cache_fields=frozenset())
    if depended_on(control.private_fields, options):
        control = replace(control, private=True, private_fields=frozenset())
    return control


def depended_on(names: frozenset[str], options: Options) -> bool:
    """Whether one of these fields cannot be left out of what is stored."""
    return any(
        name in _DEPENDED_ON or name in options.targets or name.startswith("content-")
        for name in names
    )


def explicit_lifetime(fields: Fields, response_time: float, options: Options) -> int | None:
    """The freshness lifetime in seconds that a response states (4.2.1); ``None`` if it does not.

    What is stated but invalid is 0: stale.
    """
    control, targeted = response_control(fields, options)
    for seconds in (control.s_maxage, control.max_age):
        if seconds is not None:
            return 0 if seconds == INVALID else seconds
    lines = () if targeted else fields.lines("expires")
    if not lines:
        return None
    expires = parse_date(lines[0], response_time)
    # An invalid date, such as "0", is in the past (5.3).
    return 0 if expires is None else max(0, expires - date_of(fields, response_time))


def date_of(fields: Fields, response_time: float) -> int:
    """When a response was generated; when it came, if it does not say so (RFC 9110, 6.6.1)."""
    date = _date(fields, "date", response_time)
    return int(response_time) if date is None else date


def last_modified(fields: Fields, response_time: float) -> int | None:
    """When the representation was last modified (RFC 9110, 8.8.2)."""
    return _date(fields, "last-modified", response_time)


def age_value(fields: Fields) -> int:
    """The first member of ``Age``, in seconds; 0 if there is none, or it is invalid (5.1)."""
    lines = fields.lines("age")
    return 0 if not lines else parse_seconds(lines[0].partition(",")[0].strip(" \t")) or 0


def _date(fields: Fields, name: str, now: float) -> int | None:
    value = fields.get(name)
    return None if value is None else parse_date(value, now)
