"""A shared cache in front of origins: it answers, asks, stores and tells (RFC 9110, 9111).

A request that is not answered from the store goes to the origin once, however
many clients ask for the same meanwhile: see ``Flight``. An origin that fails is
left alone for a while, and what is stale takes the place of its errors for as
long as the policy lets it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from secrets import token_hex
from typing import Any

from msgspec.structs import replace
from twisted.internet.defer import Deferred

from netlab.cache.policy import (
    DEFAULTS,
    CacheStatus,
    Entry,
    Forward,
    Options,
    Request,
    Response,
    Revalidate,
    Serve,
    Unavailable,
    answer,
    cache_key,
    decide,
    filling_fields,
    status_of,
)
from netlab.cache.store import Store
from netlab.errors import LocalProtocolError
from netlab.fields import ProxyError, add_via, end_to_end, passed_through
from netlab.http import Again
from netlab.http import Request as HttpRequest
from netlab.http import Response as HttpResponse
from netlab.http.fetching import FetchError
from netlab.transport import Log

from .bodies import Content
from .fallback import Fallback
from .flight import Amend, Flight, Landed
from .flights import Flights
from .passage import Passage
from .replies import Replies
from .requests import asked_for, has_condition, max_forwards
from .serving import Gone, Reply, Serving, finished
from .telling import Tell, tell_nothing
from .upstream import OUT_OF_REACH, Fetch, Upstream, retry_after

_PATIENCE = 2
"""For how many answers to others a request waits, until it is passed on itself."""


def unchanged(_asked: Request, response: Response) -> Response:
    """Leaves a response as it came."""
    return response


class Gateway:
    """Answers requests for the resources of origins.

    store    where responses are kept; whoever opened it closes it
    fetch    asks an origin: ``Fetcher.fetch``
    reactor  its threads read what takes long, and it tells the time for back-off
    name     of this cache in ``Cache-Status`` and ``Proxy-Status``
    options  of the policy
    tell     makes the fields that the origin gets besides, of the client's request
    amend    is given each request and response, and returns the response that the policy sees
    unsaid   names of fields that ``amend`` adds and no client is to see, in lower case
    fills    whether a request for a part, or with a condition, fetches all of it for the store
    troubled status codes by which an origin says that it cannot cope, whatever is asked for
    clock    the time in seconds since the epoch
    """

    log = Log()

    def __init__(
        self,
        store: Store,
        fetch: Fetch,
        *,
        reactor: Any,
        name: str = "netlab",
        options: Options = DEFAULTS,
        tell: Tell = tell_nothing,
        amend: Amend = unchanged,
        unsaid: frozenset[str] = frozenset(),
        fills: bool = False,
        troubled: frozenset[int] = frozenset(),
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.store = store
        self.again = Again(clock)
        """For whoever hands requests on: what was answered from the store a moment ago."""
        self._seconds = seconds = reactor.seconds
        self._clock = clock
        self._options = options
        self._tell = tell
        self._amend = amend
        self._fills = fills
        # Two gateways of one name may well stand behind each other: a loop is one twice.
        replies = self._replies = Replies(name, f"{name}-{token_hex(4)}", unsaid)
        serving = self._serving = Serving(store, replies, reactor=reactor, clock=clock)
        self._upstream = Upstream(fetch, seconds=seconds, clock=clock, troubled=troubled)
        self._fallback = Fallback(replies, serving, options=options, seconds=seconds, clock=clock)
        self._flights = Flights(options)
        self._passage = Passage(
            store,
            self._upstream,
            self._fallback,
            self._flights,
            replies,
            options=options,
            amend=amend,
            clock=clock,
            changed=self.again.forget,
        )
        self._closed = False

    def close(self) -> None:
        """Breaks off what is under way; nothing is asked for any more."""
        self._closed = True
        for flight in self._flights:
            flight.stop()

    def purge(self, uri: str) -> int:
        """Removes every variant that is stored for ``uri``; returns how many there were.

        What is on its way for it is not stored either.
        """
        key = cache_key(uri)
        self._flights.outdate(key)
        self.again.forget()
        return self.store.purge(key)

    def purge_all(self) -> int:
        """The same for everything. Raises ``StoreFailed`` if the disk fails."""
        for flight in self._flights:
            flight.outdate()
        self.again.forget()
        return self.store.purge_all()

    def respond(self, request: HttpRequest, uri: str) -> Reply:
        """The response to ``request``, whose target is ``uri``: ``http:`` or ``https:``, whole."""
        asked = asked_for(request, uri)
        left = max_forwards(asked)
        if left is not None:
            if not left:
                return self._replies.last_hop(asked)
            asked = replace(asked, fields=asked.fields.setting("Max-Forwards", str(left - 1)))
        return self._respond(request, asked, self.store.entries(cache_key(uri)))

    def _respond(
        self, request: HttpRequest, asked: Request, variants: tuple[Entry, ...], waited: int = 0
    ) -> Reply:
        """The same, with ``variants`` stored, after it has waited for so many answers."""
        verdict = decide(asked, variants, self._clock(), self._options)
        if isinstance(verdict, Unavailable):
            return self._replies.own(504, "it is not in the cache, and nothing else was asked for")
        if not isinstance(verdict, Serve):
            return self._forward(request, asked, verdict, waited)
        try:
            reply = self._serving.reply(asked, verdict, status_of(self._replies.name, verdict))
        except Gone:
            return self._respond(request, asked, (), waited)
        if verdict.background is not None:
            self._refresh(request, asked, verdict.background)
        return reply if isinstance(reply, HttpResponse) else self._or_miss(request, asked, reply)

    async def _or_miss(self, request: HttpRequest, asked: Request, reply: Reply) -> HttpResponse:
        """What is damaged is as if it were not there."""
        try:
            return await finished(reply)
        except Gone:
            return await finished(self._respond(request, asked, ()))

    # -- from the origin

    async def _forward(
        self, request: HttpRequest, asked: Request, verdict: Forward | Revalidate, waited: int
    ) -> HttpResponse:
        if passed_through(asked.fields, self._replies.via):
            return self._replies.failed(
                ProxyError.PROXY_LOOP_DETECTED, "this request has been here before"
            )
        if self._closed:
            return self._replies.failed(
                ProxyError.DESTINATION_UNAVAILABLE, "this gateway is being closed"
            )
        verdict = self._signed(request, verdict)
        if asked.method != "GET" or asked.content:
            held = await self._held_back(asked, verdict)
            if held is not None:
                return held
            return await self._passage.reply(request, asked, verdict)
        filled = self._fills and isinstance(verdict, Forward)
        if filled:
            verdict = replace(verdict, fields=filling_fields(verdict.fields))
        key = cache_key(asked.uri)
        shared = self._flights.may_share(key) and (
            isinstance(verdict, Revalidate) or not has_condition(verdict.fields)
        )
        if shared and waited < _PATIENCE:
            flight = self._flights.find(asked, self.store.entries(key), self._clock())
            if flight is not None:
                last = waited + 1 == _PATIENCE
                reply = await self._share(asked, verdict, flight, last=last)
                if reply is not None:
                    return reply
                variants = self.store.entries(key)
                return await finished(self._respond(request, asked, variants, waited + 1))
        held = await self._held_back(asked, verdict)
        if held is not None:
            return held
        flight = self._fly(asked, verdict, shared=shared)
        try:
            return await self._lead(asked, verdict, flight, filled=filled)
        except Gone:
            return await finished(self._respond(request, asked, ()))

    def _signed(self, request: HttpRequest, verdict: Any) -> Any:
        """A ``Forward`` or ``Revalidate`` with what a gateway adds to the fields."""
        version = ".".join(map(str, request.version))
        fields = add_via(verdict.fields, version, self._replies.via)
        return replace(verdict, fields=fields.adding(*self._tell(request)))

    def _fly(self, asked: Request, verdict: Forward | Revalidate, *, shared: bool) -> Flight:
        flight = Flight(
            asked,
            verdict,
            fetch=self._upstream.fetch,
            store=self.store,
            options=self._options,
            amend=self._amend,
            clock=self._clock,
            done=self._flights.discard,
            changed=self.again.forget,
            shared=shared,
        )
        self._flights.add(flight)
        return flight

    async def _share(
        self, asked: Request, verdict: Forward | Revalidate, flight: Flight, *, last: bool
    ) -> HttpResponse | None:
        """What another request brings; ``None`` if it cannot answer this one as well.

        An error may be that request's own: then one of those who wait takes over,
        and the others wait for that. If it is the ``last`` time, it is the answer.
        """
        try:
            landed = await flight.landing()
        except FetchError as error:
            if not last and error.proxy_status not in OUT_OF_REACH:
                return None
            return await self._fallback.of_error(asked, verdict, error)
        except LocalProtocolError:  # that request cannot be written
            return None
        if landed.failed:
            instead = await self._fallback.of_response(asked, verdict, landed.response)
            if instead is not None:
                return instead
        entry = landed.entry
        if entry is None:
            if not (landed.failed and last):
                return None
            retry = landed.response.fields.get("retry-after")
            return self._replies.same_error(landed.response.status, retry)
        found = decide(asked, [entry], self._clock(), self._options)
        if not isinstance(found, Serve):
            return None
        status = status_of(self._replies.name, verdict)
        status = replace(status, collapsed=True, stored=landed.stored, ttl=found.ttl)
        growing = landed.growing
        if growing is not None:
            if not growing.joinable:
                return None
            return self._growing(asked, found, landed, growing.reader(), status)
        try:
            return await finished(self._serving.reply(asked, found, status))
        except Gone:
            return None

    async def _lead(
        self, asked: Request, verdict: Forward | Revalidate, flight: Flight, *, filled: bool
    ) -> HttpResponse:
        """The response to the request that a flight is for. Raises ``Gone``."""
        try:
            landed = await flight.lead()
        except FetchError as error:
            return await self._fallback.of_error(asked, verdict, error)
        self._flights.learn(flight, landed)
        content = flight.take_content()
        reply = None
        try:
            reply = await self._reply(asked, verdict, landed, content, filled=filled)
        finally:
            if content is not None and (reply is None or reply.body is not content):
                content.close()
        return reply

    async def _reply(
        self,
        asked: Request,
        verdict: Forward | Revalidate,
        landed: Landed,
        content: Content | None,
        *,
        filled: bool,
    ) -> HttpResponse:
        """See ``_lead``; what ``content`` is not made use of."""
        response = landed.response
        if landed.failed:
            instead = await self._fallback.of_response(asked, verdict, response)
            if instead is not None:
                return instead
        else:
            self._fallback.resting.succeeded(cache_key(asked.uri))
        status = status_of(self._replies.name, verdict)
        status = replace(status, stored=landed.stored, ttl=landed.ttl)
        entry = landed.entry
        if entry is None or not (filled or isinstance(verdict, Revalidate)):
            refused = landed.outcome.refused
            status = replace(status, detail=None if refused is None else refused.value)
            fields = end_to_end(response.fields)
            return self._replies.passed(response.status, fields, landed.version, content, status)
        found = Serve(entry, 0.0, 0.0)
        if landed.growing is not None:
            return self._growing(asked, found, landed, content, status, validated=True)
        status = replace(status, fwd_status=response.status)
        reply = self._serving.reply(asked, found, status, validated=response.fields)
        return await finished(reply)

    def _growing(
        self,
        asked: Request,
        found: Serve,
        landed: Landed,
        content: Content | None,
        status: CacheStatus,
        *,
        validated: bool = False,
    ) -> HttpResponse:
        """The response to ``asked`` from an entry whose ``content`` is still coming."""
        if validated:
            said = landed.response.fields
            made = answer(asked, found.entry, self._clock(), age=None, validated=said)
        else:
            made = answer(asked, found.entry, self._clock(), age=found.age)
        if made.status != landed.response.status:
            status = replace(status, fwd_status=landed.response.status)
        if content is not None and made.stop is not None:
            content.close()
            content = None
        return self._replies.passed(made.status, made.fields, landed.version, content, status)

    async def _held_back(
        self, asked: Request, verdict: Forward | Revalidate
    ) -> HttpResponse | None:
        """The reply if the origin is to be left alone for now; else it has to be asked at once."""
        instead = None
        if self._fallback.rests(asked):
            instead = await self._fallback.unasked(asked, verdict)
        if instead is not None or self._upstream.allows(asked.uri):
            return instead
        instead = await self._fallback.unasked(asked, verdict)
        return instead or self._replies.held_back(self._upstream.rest(asked.uri))

    # -- in the background

    def _refresh(self, request: HttpRequest, asked: Request, verdict: Forward | Revalidate) -> None:
        """Brings an entry up to date for the next request, unless that is done already."""
        key = cache_key(asked.uri)
        resting, now = self._fallback.resting, self._seconds()
        found = self._flights.find(asked, self.store.entries(key), self._clock())
        if self._closed or found is not None or not resting.allows(key, now):
            return
        if not self._upstream.allows(asked.uri):
            resting.given_up(key)
            return
        asked = replace(asked, method="GET")
        flight = self._fly(asked, self._signed(request, verdict), shared=True)
        Deferred.fromCoroutine(self._refreshed(flight)).addErrback(self._not_refreshed, key)

    async def _refreshed(self, flight: Flight) -> None:
        resting = self._fallback.resting
        try:
            landed = await flight.lead()
        except FetchError:
            resting.failed(flight.key, self._seconds())
            return
        content = flight.take_content()
        if content is not None:
            content.close()
        if landed.failed:
            wait = retry_after(landed.response.fields, self._clock())
            resting.failed(flight.key, self._seconds(), wait)
        else:
            resting.succeeded(flight.key)

    def _not_refreshed(self, failure: Any, key: str) -> None:
        self._fallback.resting.failed(key, self._seconds())
        self.log.failure("a refresh in the background failed", failure)
