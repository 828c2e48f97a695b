"""The rules of a shared HTTP cache (RFC 9111), as functions of values: no I/O and no clock.

A gateway keeps entries under their ``cache_key``, and asks:

- ``decide``, for each request: ``Serve`` an entry, ``Revalidate`` it,
  ``Forward`` the request, or say that it is ``Unavailable``;
- ``answer``, for what to send when it serves one;
- ``receive``, for each response that comes: what to store, to update, to remove;
- ``instead_of_error``, when no response came, or an error did;
- ``CacheStatus``, for what to say about it all.

Moments are seconds since the epoch, as ``float``.

What RFC 9111 allows and is not done here: only responses to GET are stored,
and only complete ones; parts are never stored, nor joined (3.3, 3.4). Trailers
are discarded (3.1). A request is validated with the validators of one entry,
never with those of several (4.3.2).
"""

from netlab.cache.policy.answering import Answer, answer
from netlab.cache.policy.conditions import filling_fields
from netlab.cache.policy.deciding import (
    Forward,
    Reason,
    Revalidate,
    Serve,
    Unavailable,
    Verdict,
    decide,
    instead_of_error,
    is_error,
)
from netlab.cache.policy.entry import Entry, completed, from_json, to_json
from netlab.cache.policy.messages import DEFAULTS, Options, Request, Response
from netlab.cache.policy.receiving import Outcome, invalidated, receive
from netlab.cache.policy.storing import Refusal
from netlab.cache.policy.telling import CacheStatus, add_cache_status, status_of
from netlab.cache.policy.uris import cache_key

__all__ = [
    "DEFAULTS",
    "Answer",
    "CacheStatus",
    "Entry",
    "Forward",
    "Options",
    "Outcome",
    "Reason",
    "Refusal",
    "Request",
    "Response",
    "Revalidate",
    "Serve",
    "Unavailable",
    "Verdict",
    "add_cache_status",
    "answer",
    "cache_key",
    "completed",
    "decide",
    "filling_fields",
    "from_json",
    "instead_of_error",
    "invalidated",
    "is_error",
    "receive",
    "status_of",
    "to_json",
]
