"""What to do with a request: serve, validate, forward, or say no (RFC 9111, 4)."""

from __future__ import annotations

from collections.abc import Collection
from enum import StrEnum
from math import inf

from msgspec import Struct

from netlab.cache.policy.conditions import filling_fields, for_the_origin, validating_fields
from netlab.cache.policy.entry import Entry
from netlab.cache.policy.freshness import Freshness, freshness
from netlab.cache.policy.messages import DEFAULTS, Options, Request
from netlab.cache.policy.selecting import choose, matching
from netlab.fields import INVALID, CacheControl, Fields, end_to_end, parse_cache_control

NEVER = -inf


class Reason(StrEnum):
    """Why a request goes forward: the values of ``fwd`` in Cache-Status (RFC 9211, 2.2)."""

    BYPASS = "bypass"
    METHOD = "method"
    URI_MISS = "uri-miss"
    VARY_MISS = "vary-miss"
    REQUEST = "request"
    STALE = "stale"


class Forward(Struct, frozen=True):
    """Send the request on; nothing that is stored can answer it, nor be validated by it."""

    reason: Reason
    fields: Fields
    """The request's fields to send, its own preconditions included: the end-to-end ones."""
    entry: Entry | None = None
    """What may be served if there is no answer, or an error: see ``instead_of_error``."""
    fallback_until: float = NEVER
    """Until when, in seconds since the epoch; that moment is too late."""


class Revalidate(Struct, frozen=True):
    """Send a GET with ``fields``, which ask whether ``entry`` is still right (4.3.1)."""

    reason: Reason
    fields: Fields
    entry: Entry
    fallback_until: float = NEVER
    """See ``Forward``."""


class Serve(Struct, frozen=True):
    """Answer with ``entry``: see ``answer``."""

    entry: Entry
    age: float
    """In seconds, to be sent (5.1)."""
    ttl: float
    """For how many seconds it is still fresh; negative when it is stale."""
    background: Revalidate | Forward | None = None
    """What to send meanwhile, for the next request (``stale-while-revalidate``): a GET."""

    @property
    def stale(self) -> bool:
        """Whether it is served although it is stale (4.2.4)."""
        return self.ttl <= 0


class Unavailable(Struct, frozen=True):
    """Answer 504: the client asks for a stored response only, and there is none (5.2.1.7)."""


Verdict = Serve | Revalidate | Forward | Unavailable

_NO_DIRECTIVES = CacheControl()


def decide(
    request: Request, variants: Collection[Entry], now: float, options: Options = DEFAULTS
) -> Verdict:
    """What to do with a request, given all entries that are stored under its ``cache_key``.

    ``now`` is the present in seconds since the epoch.
    """
    if request.method not in ("GET", "HEAD"):  # unsafe ones are written through (4)
        return Forward(Reason.METHOD, end_to_end(request.fields))
    if request.content:
        return Forward(Reason.BYPASS, end_to_end(request.fields))
    wanted = request_control(request.fields)
    entry = choose(matching(variants, request.fields), options) if variants else None
    if entry is None:
        if wanted.only_if_cached:
            return Unavailable()
        reason = Reason.VARY_MISS if variants else Reason.URI_MISS
        return Forward(reason, end_to_end(request.fields))
    about = freshness(entry, options)
    age = about.age(now)
    ttl = about.lifetime - age
    valid = not (entry.invalid or about.control.no_cache)
    only_origin = for_the_origin(request.fields)
    if valid and not only_origin:
        if ttl > 0:
            if _fresh_enough(wanted, about, age, ttl):
                return Serve(entry, age, ttl)
        elif about.may_be_stale and _may_be_stale(wanted, about, age, ttl):
            background = None
            if not _accepts_stale(wanted, age, ttl):
                background = _ask(Reason.STALE, end_to_end(request.fields), entry)
            return Serve(entry, age, ttl, background)
    if wanted.only_if_cached:
        return Unavailable()
    reason = Reason.REQUEST if valid and ttl > 0 else Reason.STALE
    fields = end_to_end(request.fields)
    if only_origin:
        return Forward(reason, fields)
    until = _fallback_until(wanted, about, now + ttl, options) if valid else NEVER
    if request.method == "HEAD":  # a conditional HEAD has no point (RFC 9110, 13.2.1)
        return Forward(reason, fields, entry, until)
    asking = validating_fields(fields, entry)
    if asking is None:
        return Forward(reason, fields, entry, until)
    return Revalidate(reason, asking, entry, until)


def instead_of_error(verdict: Verdict, now: float, options: Options = DEFAULTS) -> Serve | None:
    """The stored response to serve when the next hop is out of reach or answers with an error.

    ``None`` if there is none, or it must not be served any more; then the error
    is the answer. See ``is_error``.
    """
    if not isinstance(verdict, (Forward, Revalidate)) or verdict.entry is None:
        return None
    if now >= verdict.fallback_until:
        return None
    about = freshness(verdict.entry, options)
    age = about.age(now)
    found = Serve(verdict.entry, age, about.lifetime - age)
    return None if found.stale and not about.may_be_stale else found


def is_error(status: int, options: Options = DEFAULTS) -> bool:
    """Whether a stale response may take the place of a response with this status code."""
    return status in options.errors


def request_control(fields: Fields) -> CacheControl:
    """The directives of a request; ``Pragma: no-cache`` where it has no ``Cache-Control`` (5.4)."""
    value = fields.get("cache-control")
    if value is not None:
        return parse_cache_control(value)
    value = fields.get("pragma")
    if value is not None and parse_cache_control(value).no_cache:
        return CacheControl(no_cache=True)
    return _NO_DIRECTIVES


def _fresh_enough(wanted: CacheControl, about: Freshness, age: float, ttl: float) -> bool:
    """Whether a fresh response is what the request wants (5.2.1)."""
    if wanted.no_cache:
        return False
    if wanted.min_fresh is not None and ttl < wanted.min_fresh:
        return False
    if about.control.immutable:  # a reload's max-age=0 is no reason to ask (RFC 8246, 2.1)
        return True
    return _young_enough(wanted, age)


def _may_be_stale(wanted: CacheControl, about: Freshness, age: float, ttl: float) -> bool:
    """Whether the client or the origin permits to serve a stale response (4.2.4)."""
    if _accepts_stale(wanted, age, ttl):
        return True
    if wanted.no_cache or _given(wanted.max_age) or _given(wanted.min_fresh):
        return False
    return -ttl <= _seconds(about.control.stale_while_revalidate, missing=-1)


def _accepts_stale(wanted: CacheControl, age: float, ttl: float) -> bool:
    """Whether ``max-stale`` accepts it (5.2.1.2)."""
    return (
        not wanted.no_cache
        and not _given(wanted.min_fresh)
        and _given(wanted.max_stale)
        and -ttl <= _seconds(wanted.max_stale)
        and _young_enough(wanted, age)
    )


def _young_enough(wanted: CacheControl, age: float) -> bool:
    """Whether ``max-age`` accepts it, which ``max-stale`` extends (5.2.1.1)."""
    return not _given(wanted.max_age) or age <= _seconds(wanted.max_age) + _seconds(
        wanted.max_stale
    )


def _given(seconds: int | None) -> bool:
    """Whether a directive is there, and says something: a request's directives are advice."""
    return seconds is not None and seconds != INVALID


def _seconds(seconds: int | None, missing: int = 0) -> int:
    return missing if seconds is None or seconds == INVALID else seconds


def _fallback_until(
    wanted: CacheControl, about: Freshness, expires: float, options: Options
) -> float:
    """Until when a response may stand in for an error (RFC 5861, 4).

    While it is fresh, whatever the request asks for: its directives are advice.
    Then for as long as origin or client permit; the options count where the
    origin says nothing.
    """
    if not about.may_be_stale:
        return expires
    said = about.control.stale_if_error
    by_origin = options.stale_if_error if said is None else _seconds(said)
    return expires + max(by_origin, _seconds(wanted.stale_if_error))


def _ask(reason: Reason, fields: Fields, entry: Entry) -> Revalidate | Forward:
    """A GET of our own that brings an entry up to date."""
    asking = validating_fields(fields, entry)
    if asking is None:
        return Forward(reason, filling_fields(fields))
    return Revalidate(reason, asking, entry)
