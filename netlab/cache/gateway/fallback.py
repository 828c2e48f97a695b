"""What is sent when an origin does not answer, or with an error: something stale, or why not."""

from __future__ import annotations

from collections.abc import Callable

from msgspec.structs import replace

from netlab.cache.policy import (
    CacheStatus,
    Forward,
    Options,
    Request,
    Response,
    Revalidate,
    cache_key,
    instead_of_error,
    status_of,
)
from netlab.fields import ProxyStatus
from netlab.http import Response as HttpResponse
from netlab.http.fetching import FetchError

from .breaker import Breakers
from .replies import Replies
from .serving import Gone, Serving, finished
from .upstream import retry_after


class Fallback:
    """Stale responses in the place of errors; their origin is not asked for them for a while.

    ``resting`` has a breaker for the cache key of each of them.
    """

    def __init__(
        self,
        replies: Replies,
        serving: Serving,
        *,
        options: Options,
        seconds: Callable[[], float],
        clock: Callable[[], float],
    ) -> None:
        self._replies = replies
        self._serving = serving
        self._options = options
        self._seconds = seconds
        self._clock = clock
        self.resting = Breakers(1)

    async def of_error(
        self, asked: Request, verdict: Forward | Revalidate, error: FetchError
    ) -> HttpResponse:
        """The reply when no answer came."""
        text = str(error)
        said = ProxyStatus(proxy=self._replies.name, error=error.proxy_status, details=text)
        status = status_of(self._replies.name, verdict)
        instead = await self._stale(asked, verdict, status, said)
        if instead is None:
            return self._replies.failed(error.proxy_status, text, status=error.status)
        self._rest(asked, 0.0)
        return instead

    async def of_response(
        self, asked: Request, verdict: Forward | Revalidate, response: Response
    ) -> HttpResponse | None:
        """The reply in the place of ``response``, which is an error; ``None`` if that is sent."""
        status = replace(status_of(self._replies.name, verdict), fwd_status=response.status)
        instead = await self._stale(asked, verdict, status)
        if instead is not None:
            self._rest(asked, retry_after(response.fields, self._clock()))
        return instead

    async def unasked(self, asked: Request, verdict: Forward | Revalidate) -> HttpResponse | None:
        """The reply while the origin is left alone: not forwarded, so it is a hit (RFC 9211, 2)."""
        status = CacheStatus(cache=self._replies.name, hit=True)
        return await self._stale(asked, verdict, status)

    def rests(self, asked: Request) -> bool:
        """Whether it is too early to ask for this again."""
        found = self.resting.get(cache_key(asked.uri))
        return found is not None and self._seconds() < found.until

    def _rest(self, asked: Request, asked_for: float) -> None:
        key, now = cache_key(asked.uri), self._seconds()
        if self.resting.allows(key, now):
            self.resting.failed(key, now, asked_for)

    async def _stale(
        self,
        asked: Request,
        verdict: Forward | Revalidate,
        status: CacheStatus,
        said: ProxyStatus | None = None,
    ) -> HttpResponse | None:
        found = instead_of_error(verdict, self._clock(), self._options)
        if found is None:
            return None
        status = replace(status, ttl=found.ttl)
        try:
            return await finished(self._serving.reply(asked, found, status, said=said))
        except Gone:
            return None
