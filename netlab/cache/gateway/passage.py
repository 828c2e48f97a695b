"""Requests that the cache does not answer: they are written through (RFC 9111, 4)."""

from __future__ import annotations

from collections.abc import Callable

from netlab.cache.policy import (
    Forward,
    Options,
    Request,
    Revalidate,
    cache_key,
    is_error,
    receive,
    status_of,
)
from netlab.cache.store import Store
from netlab.fields import end_to_end
from netlab.http import Request as HttpRequest
from netlab.http import Response
from netlab.http.fetching import FetchError

from .bodies import Content, Fetched, Passing
from .fallback import Fallback
from .flight import Amend, received
from .flights import Flights
from .replies import Replies
from .upstream import Upstream


class Passage:
    """Passes on what is not a GET, or has content; both bodies stream.

    What comes back may say that something stored is outdated.
    """

    def __init__(
        self,
        store: Store,
        upstream: Upstream,
        fallback: Fallback,
        flights: Flights,
        replies: Replies,
        *,
        options: Options,
        amend: Amend,
        clock: Callable[[], float],
        changed: Callable[[], None],
    ) -> None:
        self._store = store
        self._upstream = upstream
        self._fallback = fallback
        self._flights = flights
        self._replies = replies
        self._options = options
        self._amend = amend
        self._clock = clock
        self._changed = changed

    async def reply(
        self, request: HttpRequest, asked: Request, verdict: Forward | Revalidate
    ) -> Response:
        """The reply to ``request``. Raises what its body does."""
        body = request.body if asked.content else None
        sent_at = self._clock()
        try:
            fetched = await self._upstream.fetch(asked.method, asked.uri, verdict.fields, body)
        except FetchError as error:
            return await self._fallback.of_error(asked, verdict, error)
        content = Passing(fetched, asked.uri)
        reply = None
        try:
            reply = await self._received(asked, verdict, fetched, content, sent_at)
        finally:
            if reply is None or reply.body is not content:
                content.close()
        return reply

    async def _received(
        self,
        asked: Request,
        verdict: Forward | Revalidate,
        fetched: Fetched,
        content: Content,
        sent_at: float,
    ) -> Response:
        """What comes back, and what follows from it for the store."""
        now = self._clock()
        response = self._amend(asked, received(fetched, now))
        if is_error(response.status, self._options):
            instead = await self._fallback.of_response(asked, verdict, response)
            if instead is not None:
                return instead
        outcome = receive(
            asked,
            response,
            self._store.entries(cache_key(asked.uri)),
            request_time=sent_at,
            response_time=now,
            options=self._options,
        )
        for old, new in outcome.updates:
            self._store.update(old, new)
        for entry in outcome.remove:
            self._store.remove(entry)
        for key in outcome.invalidate:
            self._store.invalidate(key)
            self._flights.outdate(key)
        if outcome.updates or outcome.remove or outcome.invalidate:
            self._changed()
        status = status_of(self._replies.name, verdict)
        body = None if asked.method == "HEAD" else content
        fields = end_to_end(response.fields)
        return self._replies.passed(response.status, fields, fetched.version, body, status)
