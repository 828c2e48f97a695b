"""Fetching from upstreams: queue, deadlines, redirects."""

from __future__ import annotations

from collections.abc import AsyncIterable, Callable
from importlib.metadata import PackageNotFoundError, version
from typing import Any, NoReturn

from twisted.internet.defer import Deferred

from netlab.fields import Fields, ProxyError

from .errors import FetchError, unsuccessful
from .fetched import Fetched
from .limits import FetchLimits
from .pool import Pool
from .queue import Places
from .sending import Outgoing, prepare
from .trust import trust_roots
from .uris import Where, parse_uri, redirected

MAX_REDIRECTS = 5
_REDIRECTS = (301, 302, 303, 307, 308)
_SECRETS = ("authorization", "cookie")

_NO_FIELDS = Fields()


class Fetcher:
    """An HTTP/1.1 client for a gateway (RFC 9110, 7; RFC 9112).

    reactor      connects, and tells the time
    limits       ``FetchLimits()`` unless given
    authorities  a PEM file of authorities to trust instead of the platform's
    user_agent   the ``User-Agent`` of requests that have none; ``netlab/VERSION`` unless given

    Raises ``ConfigurationError`` if there is no certificate in ``authorities``.
    """

    def __init__(
        self,
        *,
        reactor: Any,
        limits: FetchLimits | None = None,
        authorities: str | None = None,
        user_agent: str | None = None,
    ) -> None:
        self._reactor = reactor
        self._limits = limits or FetchLimits()
        self._user_agent = user_agent or _user_agent()
        self._pool = Pool(reactor, self._limits, trust_roots(authorities))
        self._places = Places(self._limits.max_connections, self._limits.max_waiting)
        self._under_way: set[Deferred[Fetched]] = set()
        self._closed = False

    def fetch(
        self,
        method: str,
        uri: str,
        fields: Fields = _NO_FIELDS,
        body: AsyncIterable[bytes] | bytes | None = None,
        *,
        redirect_to: Callable[[str], bool] | None = None,
    ) -> Deferred[Fetched]:
        """Asks the origin of ``uri``; fires with the answer as soon as its head is there.

        fields       those of the request. Hop-by-hop fields and ``Expect`` are left out;
                     ``Host`` and the framing are made here. Nothing is added but
                     ``User-Agent``, so no content coding is asked for.
        body         goes with ``Content-Length`` if it is ``bytes`` or ``fields`` has that
                     field, else in chunks.
        redirect_to  asked for each URI to which GET or HEAD is redirected, up to five
                     times; only if it says so the redirect is followed. What is secret
                     is not told to another origin.

        Fails with ``FetchError``; with ``LocalProtocolError`` for a request that cannot
        be written; and with what the iterator of ``body`` raises. Cancelling it ends
        the fetch.
        """
        ended = False

        def cancel(_: object) -> None:
            nonlocal ended
            ended = True
            inner.cancel()

        def forward(result: Any) -> None:
            self._under_way.discard(inner)
            if not ended:
                outer.callback(result)
            elif isinstance(result, Fetched):
                result.abort()

        outer: Deferred[Fetched] = Deferred(cancel)
        inner = Deferred.fromCoroutine(self._fetch(method, uri, fields, body, redirect_to))
        self._under_way.add(inner)
        limit = self._limits.total_timeout
        started = self._reactor.seconds()
        inner.addTimeout(limit, self._reactor, self._late)
        inner.addCallback(self._limit_body, started + limit)
        inner.addBoth(forward)
        return outer

    def close(self) -> Deferred[None]:
        """Ends all: idle connections are closed, fetches under way fail. Fires when all is gone."""
        self._closed = True
        for each in list(self._under_way):
            each.cancel()
        return self._pool.close()

    async def _fetch(
        self,
        method: str,
        uri: str,
        fields: Fields,
        body: AsyncIterable[bytes] | bytes | None,
        redirect_to: Callable[[str], bool] | None,
    ) -> Fetched:
        where = parse_uri(uri)
        for _ in range(MAX_REDIRECTS):
            fetched = await self._once(prepare(method, where, fields, body, self._user_agent))
            if redirect_to is None or body is not None or method not in ("GET", "HEAD"):
                return fetched
            target = _target(fetched, where)
            if target is None or not redirect_to(str(target)):
                return fetched
            fetched.abort()
            if target.origin != where.origin:
                fields = fields.without(*_SECRETS)
            where = target
        return await self._once(prepare(method, where, fields, body, self._user_agent))

    async def _once(self, outgoing: Outgoing) -> Fetched:
        """One request, one answer."""
        origin = outgoing.where.origin
        try:
            if self._closed:
                raise _closed()
            await self._places.take(origin)
            try:
                fetched = await self._pool.send(outgoing)
            except BaseException:
                self._places.give_back(origin)
                raise
        except Exception as error:
            if self._closed:
                raise _closed() from None
            raise unsuccessful(error, origin) from None
        fetched.when_over(lambda: self._places.give_back(origin))
        return fetched

    def _limit_body(self, fetched: Fetched, end: float) -> Fetched:
        """The body has the rest of the time."""
        if not fetched.over:
            left = max(0.0, end - self._reactor.seconds())
            timer = self._reactor.callLater(left, fetched.abort, self._too_slow())
            fetched.when_over(lambda: timer.cancel() if timer.active() else None)
        return fetched

    def _late(self, _: object, seconds: float) -> NoReturn:
        raise self._too_slow()

    def _too_slow(self) -> FetchError:
        return FetchError(
            ProxyError.HTTP_RESPONSE_TIMEOUT,
            f"the upstream's answer was not complete within {self._limits.total_timeout:g} s",
        )


def _target(fetched: Fetched, where: Where) -> Where | None:
    """Where an answer redirects to (RFC 9110, 15.4); ``None``: nowhere."""
    locations = fetched.fields.lines("location")
    if fetched.status not in _REDIRECTS or len(locations) != 1:
        return None
    return redirected(where, locations[0])


def _closed() -> FetchError:
    return FetchError(ProxyError.DESTINATION_UNAVAILABLE, "the fetcher was closed")


def _user_agent() -> str:
    """This program and its version (RFC 9110, 10.1.5)."""
    try:
        return f"netlab/{version('netlab')}"
    except PackageNotFoundError:  # run from its source
        return "netlab"
