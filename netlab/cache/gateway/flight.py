"""One request to an origin, and all who wait for its answer."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from msgspec import Struct
from msgspec.structs import replace
from twisted.internet.defer import CancelledError, Deferred

from netlab.cache.policy import (
    Entry,
    Forward,
    Options,
    Outcome,
    Request,
    Response,
    Revalidate,
    Serve,
    cache_key,
    decide,
    filling_fields,
    is_error,
    receive,
)
from netlab.cache.store import Store, StoreFailed
from netlab.errors import LocalProtocolError
from netlab.fields import Fields, ProxyError, format_date, parse_content_length
from netlab.http import RequestError
from netlab.http.fetching import FetchError
from netlab.transport import Log

from .bodies import Content, Fetched, Passing, broken_off, tell_broken_off
from .growing import Growing

Ask = Callable[[str, str, Fields], Awaitable[Fetched]]
"""``Upstream.fetch``, without a body."""
Amend = Callable[[Request, Response], Response]

_OF_ONE_REQUEST = ("cache-control", "pragma", "if-match", "if-unmodified-since")


class Landed(Struct, frozen=True, eq=False):
    """What came of a flight.

    response  its head
    outcome   what followed for the store; the updates are made
    growing   the content of ``outcome.new``, if it has one
    failed    whether it is an error in whose place something stale may be sent
    ttl       for how many seconds it may answer others as well; ``None`` if it may not
    """

    response: Response
    version: str
    outcome: Outcome
    growing: Growing | None
    failed: bool
    ttl: float | None = None

    @property
    def entry(self) -> Entry | None:
        """The stored response that it is, or will be."""
        return self.outcome.serve or self.outcome.new

    @property
    def stored(self) -> bool:
        """Whether it is being stored, as far as is known now."""
        return self.growing is not None and self.growing.failure is None


class Flight:
    """Asks for ``asked`` as ``verdict`` says, once; ``landing`` waits for what came of it.

    fetch    see ``Ask``
    amend    what is made of each response before the policy sees it
    clock    the time in seconds since the epoch
    done     is called when the last of the content has come, or will not
    changed  is called when what is stored is no longer what it was
    shared   whether others may wait for it
    """

    log = Log()

    def __init__(
        self,
        asked: Request,
        verdict: Forward | Revalidate,
        *,
        fetch: Ask,
        store: Store,
        options: Options,
        amend: Amend,
        clock: Callable[[], float],
        done: Callable[[Flight], None],
        changed: Callable[[], None],
        shared: bool,
    ) -> None:
        self.asked = asked
        self.verdict = verdict
        self.shared = shared
        self.key = cache_key(asked.uri)
        self.landed: Landed | None = None
        self._fetch = fetch
        self._store = store
        self._options = options
        self._amend = amend
        self._clock = clock
        self._done = done
        self._changed = changed
        self._waiting: dict[Deferred[Landed], None] = {}
        self._error: Exception | None = None
        self._running: Deferred[None] | None = None
        self._over = False
        self._led = False
        self._outdated = False
        self._content: Content | None = None

    # -- for those who wait

    async def lead(self) -> Landed:
        """Sets off, and waits as ``landing`` does. Then ``take_content`` has to be called."""
        self._led = True
        self._running = Deferred.fromCoroutine(self._run())
        try:
            return await self.landing()
        except BaseException:
            self._led = False
            raise

    async def landing(self) -> Landed:
        """What came of it, as soon as its head is there. Raises what the fetch did.

        When the last who waits is cancelled, the flight is broken off.
        """
        if self.landed is not None:
            return self.landed
        if self._error is not None:
            raise self._error
        waiting: Deferred[Landed] = Deferred()
        self._waiting[waiting] = None
        try:
            return await waiting
        finally:
            if waiting in self._waiting:  # cancelled: a client went away
                del self._waiting[waiting]
                if not self._waiting and self.landed is None:
                    self.stop()

    def take_content(self) -> Content | None:
        """The content, for who has led the flight; it has to be closed. ``None`` after a 304."""
        content, self._content = self._content, None
        return content

    @property
    def joinable(self) -> bool:
        """Whether one more can share what comes."""
        if not self.shared or self._over or self._outdated or self._error is not None:
            return False
        landed = self.landed
        return landed is None or (landed.growing is not None and landed.growing.joinable)

    def stop(self) -> None:
        """Breaks it off."""
        if self._running is not None:
            self._running.cancel()

    def outdate(self) -> None:
        """The resource has changed: what comes is for those who have asked before, no others."""
        self._outdated = True

    # -- how it goes

    async def _run(self) -> None:
        try:
            landed, fetched = await self._land(self.verdict)
        except BaseException as error:
            self._finish()
            self._fail(error)
            return
        self.landed = landed
        # Who comes first may want none of it: that must not end it for the others.
        held = None if landed.growing is None else landed.growing.reader()
        waiting, self._waiting = self._waiting, {}
        for each in waiting:
            each.callback(landed)
        if held is not None:
            held.close()
        if not self._led and (content := self.take_content()) is not None:
            content.close()  # who had led it went away
        if landed.growing is not None:
            await self._fill(landed.growing, fetched, landed.outcome)
        self._finish()

    def _fail(self, error: BaseException) -> None:
        if isinstance(error, CancelledError):
            text = "the request to the origin was broken off"
            error = FetchError(ProxyError.DESTINATION_UNAVAILABLE, text)
        if not isinstance(error, Exception):
            raise error
        self._error = error
        waiting, self._waiting = self._waiting, {}
        for each in waiting:
            each.errback(error)

    def _finish(self) -> None:
        if not self._over:
            self._over = True
            self._done(self)

    async def _land(self, verdict: Forward | Revalidate) -> tuple[Landed, Fetched]:
        sent_at = self._clock()
        fetched = await self._fetch("GET", self.asked.uri, verdict.fields)
        try:
            landed = self._receive(verdict, fetched, sent_at)
        except BaseException:
            fetched.abort()
            raise
        if landed is not None:
            return landed, fetched
        fetched.abort()
        return await self._land(Forward(verdict.reason, filling_fields(verdict.fields)))

    def _receive(
        self, verdict: Forward | Revalidate, fetched: Fetched, sent_at: float
    ) -> Landed | None:
        """What came of it; ``None`` if all of it has to be asked for once more."""
        asked, options = self.asked, self._options
        came_at = self._clock()
        response = self._amend(asked, received(fetched, came_at))
        failed = is_error(response.status, options)
        if failed and verdict.entry is not None:
            # What is stored stays, and may take the place of this.
            self._content = Passing(fetched, asked.uri)
            return Landed(response, fetched.version, Outcome(), None, failed)
        outcome = receive(
            asked,
            response,
            self._store.entries(self.key),
            request_time=sent_at,
            response_time=came_at,
            validated=verdict.entry if isinstance(verdict, Revalidate) else None,
            options=options,
        )
        for old, new in outcome.updates:
            self._store.update(old, new)
            self._changed()
        serve = outcome.serve
        growing = None
        if outcome.new is None:
            self._remove(outcome)
        if outcome.again:
            return None
        if outcome.new is not None:
            growing = self._grow(fetched)
            self._content = growing.reader()
        elif serve is None:
            self._content = Passing(fetched, asked.uri)
        else:
            fetched.abort()  # a 304 has no content
        ttl = self._ttl(serve or outcome.new, came_at)
        return Landed(response, fetched.version, outcome, growing, failed, ttl)

    def _ttl(self, entry: Entry | None, now: float) -> float | None:
        """See ``Landed``; whatever this one request wishes."""
        if entry is None:
            return None
        asked = replace(self.asked, fields=self.asked.fields.without(*_OF_ONE_REQUEST))
        found = decide(asked, [entry], now, self._options)
        return found.ttl if isinstance(found, Serve) else None

    def _grow(self, fetched: Fetched) -> Growing:
        def abandoned() -> None:
            fetched.abort(LocalProtocolError("nobody reads it, and it cannot be stored"))

        try:
            announced = parse_content_length(fetched.fields.get("content-length") or "")
            return Growing(self._store.begin(announced or 0), abandoned=abandoned)
        except StoreFailed as error:
            return Growing(None, error, abandoned=abandoned)

    def _remove(self, outcome: Outcome, but: Entry | None = None) -> None:
        for entry in outcome.remove:
            if entry != but:
                self._store.remove(entry)
            self._changed()

    async def _fill(self, growing: Growing, fetched: Fetched, outcome: Outcome) -> None:
        error: RequestError | None = None
        try:
            async for piece in fetched:
                await growing.add(piece)
        except CancelledError:
            fetched.abort()
            error = RequestError(503, "the request to the origin was broken off")
        except Exception as failed:
            fetched.abort()
            error = broken_off(failed)
            if growing.wanted:
                tell_broken_off(self.asked.uri, failed)
        else:
            try:
                self._keep(growing, outcome)
            except Exception:
                self.log.failure("a response could not be stored")
        growing.end(error)

    def _keep(self, growing: Growing, outcome: Outcome) -> None:
        new = outcome.new
        assert new is not None
        stored = None
        if growing.failure is None and growing.writing is not None and self._is_latest(new):
            try:
                stored = growing.writing.commit(new)
            except StoreFailed as error:
                growing.failure = error
            except LocalProtocolError as error:  # Content-Length says otherwise
                growing.failure = StoreFailed(str(error))
        self._remove(outcome, stored)  # it is outdated, whether the new one could be stored or not
        if growing.failure is not None:
            self.log.debug("not stored: {reason}", reason=str(growing.failure))

    def _is_latest(self, new: Entry) -> bool:
        """Whether nothing newer was stored, and nothing was changed, while it came."""
        return not self._outdated and not any(
            each.selecting == new.selecting and each.response_time > new.response_time
            for each in self._store.entries(self.key)
        )


def received(fetched: Fetched, now: float) -> Response:
    """The head of a response: with a ``Date`` (RFC 9110, 6.6.1), one ``Content-Length`` at most."""
    fields = fetched.fields.without("trailer")  # trailers are discarded
    if "date" not in fields:
        fields = fields.adding(("Date", format_date(now)))
    length = fields.get("content-length")
    if length is not None and (number := parse_content_length(length)) is not None:
        fields = fields.setting("Content-Length", str(number))
    return Response(fetched.status, fields, fetched.reason)
