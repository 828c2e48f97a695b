"""Whether a response may be stored, and what of it (RFC 9111, 3)."""

from __future__ import annotations

from enum import StrEnum

from netlab.cache.policy.conditions import can_be_validated
from netlab.cache.policy.entry import Entry
from netlab.cache.policy.freshness import (
    HEURISTICALLY_CACHEABLE,
    depended_on,
    explicit_lifetime,
    freshness,
    response_control,
)
from netlab.cache.policy.messages import Options, Request, Response
from netlab.cache.policy.selecting import selecting, vary_names
from netlab.cache.policy.uris import cache_key
from netlab.fields import (
    Fields,
    connection_options,
    end_to_end,
    format_date,
    parse_cache_control,
    parse_date,
)

UNDERSTOOD = frozenset(
    {
        *(200, 201, 202, 203, 204, 205, 300, 301, 302, 303, 305, 307, 308),
        *(400, 402, 403, 404, 405, 406, 408, 409, 410, 411, 413, 414, 415, 422, 426),
        *(500, 501, 502, 503, 504, 505),
    }
)
"""Status codes that this cache understands, for ``must-understand`` (5.2.2.3)."""
ONE_REQUEST_ONLY = frozenset(
    {
        206,  # a part (3.3): only complete responses are stored
        304,  # about what the client has stored
        *(401, 407),  # about the credentials of one client
        *(412, 416, 417),  # about If-Match, Range, Expect
        421,  # about the connection on which it came
        *(428, 429, 431, 511),  # "MUST NOT be stored by a cache" (RFC 6585, 3 to 6)
    }
)
"""Status codes that say something of one request and not of the resource: never stored."""


class Refusal(StrEnum):
    """Why a response is not stored. The values are tokens, fit for ``Cache-Status``'s detail."""

    METHOD = "method"
    """Only responses to GET are stored: nothing else is understood (3)."""
    CONTENT = "request-content"
    """The request had content, which the cache key knows nothing of."""
    REQUEST_NO_STORE = "request-no-store"
    """The client asks for it (5.2.1.5)."""
    AUTHORIZATION = "authorization"
    """The request was authenticated, and nothing allows to share the response (3.5)."""
    STATUS = "status"
    """Not a final status code, or one that is of no use to others (3)."""
    MUST_UNDERSTAND = "must-understand"
    """The status code is not understood, and has to be (5.2.2.3)."""
    NO_STORE = "no-store"
    """The origin forbids it (5.2.2.5)."""
    PRIVATE = "private"
    """The response is for one user (5.2.2.7)."""
    VARY = "vary"
    """``Vary: *``, or what only the gateway knows: it could never be selected (4.1)."""
    CONNECTION = "connection"
    """``Connection`` removes a field that caching depends on."""
    NOT_CACHEABLE = "not-cacheable"
    """Nothing says that it may be stored, neither its status code nor a field (3)."""
    SET_COOKIE = "set-cookie"
    """It names its user, and the origin does not say that it is fresh for all of them."""
    USELESS = "useless"
    """It is never fresh and could not be validated."""


_OF_THE_REQUEST = frozenset(
    {Refusal.METHOD, Refusal.CONTENT, Refusal.REQUEST_NO_STORE, Refusal.AUTHORIZATION}
)


def admit(
    request: Request,
    response: Response,
    *,
    request_time: float,
    response_time: float,
    options: Options,
) -> Entry | Refusal:
    """The entry to store a response under, its content yet to come; or why there is none.

    The times are those of the request's sending and of the response's arrival,
    in seconds since the epoch.
    """
    refused = refusal(request, response, response_time=response_time, options=options)
    if refused is not None:
        return refused
    names = vary_names(response.fields) or ()
    entry = Entry(
        key=cache_key(request.uri),
        selecting=selecting(names, request.fields),
        status=response.status,
        reason=response.reason,
        fields=stored_fields(response.fields, response_time, options),
        request_time=request_time,
        response_time=response_time,
    )
    return entry if _useful(entry, options) else Refusal.USELESS


def refusal(
    request: Request, response: Response, *, response_time: float, options: Options
) -> Refusal | None:
    """Why a response must not be stored; ``None`` if it may be."""
    if request.method != "GET":
        return Refusal.METHOD
    if request.content:
        return Refusal.CONTENT
    if parse_cache_control(request.fields.get("cache-control") or "").no_store:
        return Refusal.REQUEST_NO_STORE
    if not 200 <= response.status <= 599 or response.status in ONE_REQUEST_ONLY:
        return Refusal.STATUS
    fields = response.fields
    control, _ = response_control(fields, options)
    if control.must_understand:
        if response.status not in UNDERSTOOD:
            return Refusal.MUST_UNDERSTAND
    elif control.no_store:
        return Refusal.NO_STORE
    if control.private:
        return Refusal.PRIVATE
    if "authorization" in request.fields and not (
        control.public or control.must_revalidate or control.s_maxage is not None
    ):
        return Refusal.AUTHORIZATION
    names = vary_names(fields)
    if names is None or not options.told.isdisjoint(names):
        return Refusal.VARY
    if depended_on(connection_options(fields), options):
        return Refusal.CONNECTION
    explicit = explicit_lifetime(fields, response_time, options)
    if explicit is None and not (control.public or response.status in HEURISTICALLY_CACHEABLE):
        return Refusal.NOT_CACHEABLE
    return Refusal.SET_COOKIE if sets_one_cookie(fields, response_time, options) else None


def sets_one_cookie(fields: Fields, response_time: float, options: Options) -> bool:
    """Whether ``Set-Cookie`` is for one client: the session, as like as not.

    It does not inhibit caching (7.3), and where the origin says that the response is fresh
    it is for all. But where that is not said, as many origins send it, each use would be
    validated, and a 304 to a client that has its cookie would give it another one's.
    """
    if "set-cookie" not in fields:
        return False
    control, _ = response_control(fields, options)
    if "set-cookie" in control.private_fields | control.no_cache_fields:
        return False  # it is not stored
    return not explicit_lifetime(fields, response_time, options)


def about_the_request(refused: Refusal) -> bool:
    """Whether another request for the same could get a response that is stored."""
    return refused in _OF_THE_REQUEST


def stored_fields(fields: Fields, response_time: float, options: Options) -> Fields:
    """What is stored of a response's fields (3.1).

    Left out are those of one connection, those that ``private`` and ``no-cache``
    name, and ``Trailer``: trailers are not stored. ``Date`` is there, and valid
    (RFC 9110, 6.6.1).
    """
    control, _ = response_control(fields, options)
    kept = end_to_end(fields).without("trailer", *control.private_fields, *control.no_cache_fields)
    date = kept.get("date")
    if date is None or parse_date(date, response_time) is None:
        kept = kept.setting("Date", format_date(response_time))
    return kept


def _useful(entry: Entry, options: Options) -> bool:
    """Whether an entry can ever be served, at least after validation.

    What is allowed to be stale only by the options is not enough: a response
    that says nothing of caching might be meant for one user.
    """
    about = freshness(entry, options)
    windows = (about.control.stale_while_revalidate or 0, about.control.stale_if_error or 0)
    return about.lifetime > 0 or max(windows) > 0 or can_be_validated(entry)
