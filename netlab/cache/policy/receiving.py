"""What a response changes in the cache, and who answers the request now (RFC 9111, 3 to 4.4)."""

from __future__ import annotations

from collections.abc import Collection

from msgspec import Struct
from msgspec.structs import replace

from netlab.cache.policy.entry import Entry
from netlab.cache.policy.messages import DEFAULTS, Options, Request, Response
from netlab.cache.policy.selecting import choose, matching
from netlab.cache.policy.storing import Refusal, about_the_request, admit
from netlab.cache.policy.updating import Keep, Update, freshened, updated_by_head
from netlab.cache.policy.uris import cache_key, origin, resolve
from netlab.fields import end_to_end

MOST_VARIANTS = 64
"""How many responses are stored under one key: a client could ask for any number of them."""

_SAFE = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})  # RFC 9110, 9.2.1


class Outcome(Struct, frozen=True, kw_only=True):
    """What to do with a response, and with what is stored."""

    serve: Entry | None = None
    """The entry that answers the request, validated just now; ``None`` for the response itself."""
    again: bool = False
    """Whether to ask again with ``filling_fields``: a 304 came that is about nothing we have."""
    new: Entry | None = None
    """What to store: ``completed`` when all of the content has come, and only then.

    Until then it may serve those who wait for the same, if ``decide`` says so;
    and after a ``Revalidate`` it is what to ``answer`` the request with."""
    refused: Refusal | None = None
    """Why nothing new is stored."""
    updates: tuple[tuple[Entry, Entry], ...] = ()
    """Entries, and what takes their place."""
    remove: tuple[Entry, ...] = ()
    """Entries to remove: now, or when ``new`` is complete and takes their place."""
    invalidate: tuple[str, ...] = ()
    """Cache keys under which all entries are to be removed (4.4)."""


def receive(
    request: Request,
    response: Response,
    variants: Collection[Entry],
    *,
    request_time: float,
    response_time: float,
    validated: Entry | None = None,
    options: Options = DEFAULTS,
) -> Outcome:
    """What follows from the final response to a request that went forward.

    ``request`` is what the client sent; ``variants`` are all complete entries
    under its ``cache_key``; ``validated`` is ``Revalidate.entry`` if that was the
    verdict. The times are those of the request's sending and of the response's
    arrival, in seconds since the epoch.

    Whether a stale response takes the place of an error is not asked here:
    see ``instead_of_error``.
    """
    if request.method not in _SAFE:
        return Outcome(refused=Refusal.METHOD, invalidate=invalidated(request, response))
    # What did not reach the origin has not selected its response.
    request = replace(request, fields=end_to_end(request.fields))
    if request.method == "GET" and response.status == 304:
        updates = freshened(
            request,
            response,
            variants,
            validated=validated,
            request_time=request_time,
            response_time=response_time,
            options=options,
        )
        if validated is None:
            return _updating(updates, Refusal.STATUS)
        # The origin has chosen: among what it says to be right, the usual rule (4.1).
        serve = choose([update.new for update in updates], options)
        return _updating(updates, Refusal.STATUS, serve=serve, again=serve is None)
    if request.method == "HEAD" and response.status == 200:
        updates = updated_by_head(
            request,
            response,
            variants,
            request_time=request_time,
            response_time=response_time,
            options=options,
        )
        return _updating(updates, Refusal.METHOD)
    admitted = admit(
        request,
        response,
        request_time=request_time,
        response_time=response_time,
        options=options,
    )
    superseded = tuple(matching(variants, request.fields))
    if isinstance(admitted, Entry):
        return Outcome(new=admitted, remove=superseded + _too_many(variants, superseded))
    outdated = _replaces(response.status) and not about_the_request(admitted)
    return Outcome(refused=admitted, remove=superseded if outdated else ())


def invalidated(request: Request, response: Response) -> tuple[str, ...]:
    """The cache keys that a response to an unsafe request makes invalid (4.4).

    That of the target, and those of ``Location`` and ``Content-Location`` if
    they have the same origin; none of them if the response is an error.
    """
    if request.method in _SAFE or not 200 <= response.status <= 399:
        return ()
    keys = [cache_key(request.uri)]
    for name in ("location", "content-location"):
        for reference in response.fields.lines(name)[:1]:
            uri = resolve(request.uri, reference)
            if origin(uri) == origin(request.uri):
                keys.append(cache_key(uri))
    return tuple(dict.fromkeys(keys))


def _replaces(status: int) -> bool:
    """Whether a response says what the resource is now: older ones are no longer right (4.3.3)."""
    return status in (404, 410) or (200 <= status <= 399 and status not in (206, 304))


def _too_many(variants: Collection[Entry], superseded: Collection[Entry]) -> tuple[Entry, ...]:
    """The oldest of the entries that stay, so that there is room for one more."""
    excess = len(variants) - len(superseded) + 1 - MOST_VARIANTS
    if excess <= 0:
        return ()
    staying = [entry for entry in variants if entry not in superseded]
    return tuple(sorted(staying, key=lambda entry: entry.response_time)[:excess])


def _updating(
    updates: list[Update], refused: Refusal, *, serve: Entry | None = None, again: bool = False
) -> Outcome:
    return Outcome(
        serve=serve,
        again=again,
        refused=refused,
        updates=tuple([(each.old, each.new) for each in updates if each.keep is Keep.NEW]),
        remove=tuple([each.old for each in updates if each.keep is Keep.NONE]),
    )
