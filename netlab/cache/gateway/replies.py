"""What a gateway sends: what comes from origins and from the store, and what it says itself."""

from __future__ import annotations

from netlab.cache.policy import CacheStatus, Request, add_cache_status
from netlab.fields import Fields, ProxyError, ProxyStatus, add_via
from netlab.http import FileBody, Response
from netlab.http.message import error_body

from .bodies import Content

_SAID = Fields([("Content-Type", "text/plain; charset=utf-8"), ("Cache-Control", "no-store")])
_ALLOWED = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"


class Replies:
    """Makes responses.

    name      of this cache in Cache-Status and Proxy-Status
    via       this gateway's pseudonym in Via
    unsaid    fields that are not for clients, in lower case
    """

    def __init__(self, name: str, via: str, unsaid: frozenset[str]) -> None:
        self.name = name
        self.via = via
        self._unsaid = unsaid

    def passed(
        self,
        status: int,
        fields: Fields,
        version: str,
        body: bytes | FileBody | Content | None,
        told: CacheStatus,
    ) -> Response:
        """A response of an origin, stored or on its way through; ``fields`` are end-to-end ones.

        ``version`` is that of HTTP in which it came.
        """
        if self._unsaid and not self._unsaid.isdisjoint(fields.names()):
            fields = fields.excluding(self._unsaid)
        return Response(status, add_cache_status(add_via(fields, version, self.via), told), body)

    def failed(
        self,
        error: ProxyError,
        text: str,
        *,
        status: int | None = None,
    ) -> Response:
        """A response that says why there is no answer of the origin (RFC 9209, 2.3)."""
        said = ProxyStatus(proxy=self.name, error=error, details=text)
        return self.own(error.status if status is None else status, text, said)

    def same_error(self, status: int, retry: str | None) -> Response:
        """For who waited for the answer to another request, which was an error; see ``own``."""
        text = "the origin answered another request for the same with this status"
        said = ProxyStatus(proxy=self.name, received_status=status, details=text)
        reply = self.own(status, text, said)
        return reply if retry is None else reply.adding(("Retry-After", retry))

    def held_back(self, seconds: float) -> Response:
        """For who has to wait until the origin is asked again."""
        wait = max(1, int(seconds) + 1)
        text = f"the origin has failed several times; it will be asked again in {wait} s"
        reply = self.failed(ProxyError.DESTINATION_UNAVAILABLE, text)
        return reply.adding(("Retry-After", str(wait)))

    def last_hop(self, asked: Request) -> Response:
        """For a request that may go no further (RFC 9110, 7.6.2): TRACE is not done here."""
        status = 200 if asked.method == "OPTIONS" else 405
        return self.own(status, "this gateway is the last hop").adding(("Allow", _ALLOWED))

    def own(self, status: int, text: str, said: ProxyStatus | None = None) -> Response:
        """A response of the gateway itself: a sentence without its full stop."""
        fields = _SAID if said is None else _SAID.adding(("Proxy-Status", str(said)))
        return Response(status, fields, error_body(status, text))
