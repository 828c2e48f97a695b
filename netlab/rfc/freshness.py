"""How long what the RFC Editor publishes is kept: the same rules for a server and for a command.

What is published does not change, or is corrected a few times in a decade; what the
upstream says of that is not asked. For ``netlab.cache.policy``.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from netlab.cache.policy import Options, Request, Response
from netlab.cache.policy.uris import origin
from netlab.rfc.names import HOSTS, Listing

FRESHNESS = "netlab-cache-control"
"""The field that says how long a response is kept here: ours, and never sent to anybody."""

_MINUTE, _DAY = 60, 86_400
_YEARS = 10 * 365 * _DAY
_ERRORS = frozenset({403, 429, 500, 502, 503, 504})

OPTIONS = Options(targets=(FRESHNESS,), errors=_ERRORS)
"""For the cache: whatever goes wrong at the upstream, what was stored is better than nothing."""
TROUBLED = _ERRORS - {403}
"""What the upstream says when it should be left alone for a while."""

DOCUMENT_LIFETIME = 7 * _DAY
"""For how many seconds a document is not asked for again."""
LISTING_LIFETIME = _DAY
"""For how many seconds the index and the errata are not."""

_DOCUMENT = f"max-age={DOCUMENT_LIFETIME}, stale-while-revalidate={_YEARS}, stale-if-error={_YEARS}"
_LISTING = f"max-age={LISTING_LIFETIME}, stale-while-revalidate={7 * _DAY}, stale-if-error={_YEARS}"
_MISSING = f"max-age={5 * _MINUTE}"
_LISTINGS = tuple(f"/{each.value}" for each in Listing)
_KEPT = ("content-type", "date", "etag", "last-modified", "location", "retry-after", "age")


def amended(asked: Request, response: Response) -> Response:
    """``response`` with how long it is kept, and without what is not about the document."""
    fields = response.fields.only(*_KEPT)
    if response.status in (200, 304):
        listing = asked.uri.endswith(_LISTINGS)
        fields = fields.adding((FRESHNESS, _LISTING if listing else _DOCUMENT))
    elif response.status in (404, 410):
        fields = fields.adding((FRESHNESS, _MISSING))
    length = response.fields.get("content-length")
    if length is not None:
        fields = fields.adding(("Content-Length", length))
    return Response(response.status, fields, response.reason)


def is_upstream(base: str, uri: str) -> bool:
    """Whether ``uri``, which a redirection names, is on the hosts of the upstream ``base``.

    And not in the clear, if that is not.
    """
    if base.startswith("https:") and origin(uri)[0] != "https":
        return False
    if origin(uri) == origin(base):
        return True
    host = (urlsplit(base).hostname or "").lower()
    return host in HOSTS and (urlsplit(uri).hostname or "").lower() in HOSTS
