"""One request under way, from its head to the end of its response, whichever comes last.

The handler runs, the body comes in, the response goes out: several of these at once.
"""

from __future__ import annotations

from collections.abc import Callable
from secrets import token_hex
from time import monotonic, time
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.python.failure import Failure

from netlab.errors import (
    ConnectionClosed,
    FrameTimeout,
    HandlerFailed,
    LocalProtocolError,
    NetlabError,
)
from netlab.escaping import escape
from netlab.fields import split_list
from netlab.transport import NEVER, Log
from netlab.transport.answers import begin

from .access import Access
from .arrival import Arrival
from .dates import server_line
from .errors import BodyTimeout, RequestError
from .head import Section
from .incoming import Incoming
from .message import Content, FileBody, Request, Response, error_response, kind_of
from .outgoing import Plan, plan
from .sending import FileSender, Sender, StreamSender, close_body

if TYPE_CHECKING:
    from .connection import HttpConnection

_JOIN = 16 * 1024
"""Bodies of responses up to this are copied behind their head."""


class Exchange:
    """One request and its response.

    ``incoming`` is the body that is to come. ``start`` calls the handler; one that was
    called already has its result passed to ``settle``, or its failure to ``failed``.
    """

    log = Log()

    __slots__ = (
        *("_began", "_connection", "_incident", "_plan", "_request", "_responded", "_response"),
        *("_running", "_section", "_sender", "_size", "_waiting_since", "_written", "arrival"),
    )

    def __init__(
        self,
        connection: HttpConnection,
        request: Request,
        section: Section,
        incoming: Incoming | None = None,
    ) -> None:
        self._connection = connection
        self._request = request
        self._section = section
        self._running: Deferred[Any] | None = None
        self._response: Response | None = None
        self._plan: Plan | None = None
        self._sender: Sender | None = None
        self._responded = False  # a response was begun: no other one can be sent
        self._written = False  # and all of it is written
        self._size = 0
        self._incident = ""
        self._began = self._waiting_since = monotonic()
        self.arrival: Arrival | None = None
        connection.server.stats.messages_in += 1
        if incoming is not None:
            limits = connection.server.limits
            self.arrival = Arrival(connection.stream, section, incoming, limits, self._over)
            request.body = self.arrival.body

    def start(self, handler: Callable[[Request], Any]) -> None:
        """Calls the handler."""
        if self.arrival is not None:
            self.arrival.deliver()
            if self.arrival.error is not None:
                self.failed(Failure(self.arrival.error))
                return
        try:
            result = handler(self._request)
        except BaseException:  # sys.exit() in a handler must not end the server either
            self.failed(Failure())
        else:
            self.settle(result)

    # -- the handler's answer

    def settle(self, result: Any) -> None:
        """Takes what the handler returned: a response, or something to wait for."""
        if not isinstance(result, Response):
            try:
                result = begin(result)
            except BaseException:
                self.failed(Failure())
                return
            if isinstance(result, Deferred):
                hub = self._connection.hub
                now = self._waiting_since = monotonic()
                self._connection.server.stats.handler_seconds += now - hub.mark
                hub.mark = now
                self._running = result
                result.addBoth(self._answered)
                return
        self.respond(result)

    def _answered(self, result: Any) -> None:
        running, self._running = self._running, None
        if running is None:  # the connection went first
            if isinstance(result, Failure):
                if not result.check(CancelledError, ConnectionClosed, RequestError):
                    self.log.failure("a handler raised an error, its client being gone", result)
            elif isinstance(result, Response):
                _let_go(result.body)
            return
        self._connection.server.stats.handler_seconds += monotonic() - self._waiting_since
        if isinstance(result, Failure):
            self.failed(result)
        else:
            self.respond(result)

    def failed(self, failure: Failure) -> None:
        """The handler, or what it returned, raised an error before the response was begun."""
        if failure.check(KeyboardInterrupt):
            failure.raiseException()
        error = failure.value
        if isinstance(error, RequestError):
            self.respond(error_response(error.status, error.text))
            return
        incident = self._report("the handler raised an error", failure)
        self.respond(
            error_response(500, f"something went wrong; the server's log has it as {incident}")
        )

    def _report(self, what: str, failure: Failure) -> str:
        """Writes ``failure`` into the log; returns the number under which it is there."""
        self._incident = token_hex(4)
        self.log.failure(
            "{name}: incident {incident}: {what} for {method} {target}",
            failure,
            name=self._connection.server.name,
            incident=self._incident,
            what=what,
            method=escape(self._request.method),
            target=escape(self._request.target),
        )
        return self._incident

    # -- the response

    def respond(self, response: Any) -> None:
        """Begins to send ``response``."""
        try:
            self._plan = planned = self._plan_for(response)
        except Exception:
            _let_go(getattr(response, "body", None))
            self.failed(Failure())
            return
        self._response = response
        body = response.body
        stream = self._connection.stream
        if not planned.has_body or body is None:
            self._open()
            _let_go(body)
            self._done(None)
        elif isinstance(body, bytes):
            self._size = len(body)
            if len(body) <= _JOIN:
                self._open(body)
            else:
                self._open()
                stream.write(body)
            self._done(None)
        else:
            if isinstance(body, FileBody):
                self._open()
                self._sender = FileSender(stream, self._done, body)
            else:
                self._sender = StreamSender(
                    stream,
                    self._done,
                    response,
                    planned,
                    begin=self._open,
                    trailers=self._takes_trailers(),
                )
            self._sender.start()

    def _plan_for(self, response: Any) -> Plan:
        if not isinstance(response, Response):
            raise TypeError(
                f"a handler returned {type(response).__name__}: return a Response, "
                "or an awaitable of one"
            )
        body, trailers = response.body, response.trailers
        length: int | None
        if body is None:
            length = 0
        elif isinstance(body, bytes):
            length = len(body)
        elif isinstance(body, FileBody):
            if body.fd < 0:
                raise LocalProtocolError("a FileBody can be sent once: this one was")
            length = body.length
        elif hasattr(body, "__aiter__"):
            length = None
        else:
            raise TypeError(
                f"the body of a response is {type(body).__name__}: "
                "give bytes, an async iterable of bytes, a FileBody or None"
            )
        names = response.fields.names()
        own = b"" if "date" in names else self._connection.server.dates.line()
        if "server" not in names:
            own += server_line()
        return plan(
            response.status,
            response.fields,
            length,
            trailers if trailers is not None and self._takes_trailers() else None,
            method=self._request.method,
            version=self._section.version,
            keep=self._may_keep(streamed=length is None),
            own=own,
        )

    def _may_keep(self, *, streamed: bool) -> bool:
        """Whether the next request will be found behind this one (RFC 9112, 9.3)."""
        if not self._section.keep_alive or self._connection.last_request:
            return False
        return self.arrival is None or self.arrival.reusable(wanted=streamed)

    def _takes_trailers(self) -> bool:
        value = self._request.fields.get("te")  # RFC 9110, 10.1.4
        return value is not None and "trailers" in map(str.lower, split_list(value))

    def _open(self, body: bytes = b"") -> None:
        """Writes the head, and a small body behind it."""
        assert self._plan is not None
        assert self._response is not None
        self._responded = True
        if self.arrival is not None:
            self.arrival.do_not_expect()
        stats = self._connection.server.stats
        stats.messages_out += 1
        stats.responses[kind_of(self._response.status)] += 1
        self._connection.stream.write(self._plan.head + body)

    def _done(self, failure: Failure | None) -> None:
        """The response is written, or as much of it as there will ever be."""
        assert self._plan is not None
        if self._sender is not None:
            self._size = self._sender.sent
            self._sender = None
        if failure is not None and not self._responded:
            self.failed(failure)
            return
        self._written = True
        if failure is not None:
            self._cut_off(failure)
            return
        self._log_access(complete=not self._connection.stream.closing)
        arrival = self.arrival
        if arrival is not None and (self._plan.keep or arrival.error is not None):
            arrival.discard()
            return
        if arrival is not None:
            arrival.lost(ConnectionClosed("the response has been sent"))
        self._connection.exchange_over(keep=self._plan.keep)

    def _cut_off(self, failure: Failure) -> None:
        """The body of the response ended in an error: the client must not take it for whole."""
        assert self._plan is not None
        reason = HandlerFailed("the body of a response raised an error")
        if not isinstance(failure.value, RequestError) and not self._connection.stream.closing:
            self._report("the response's body raised an error", failure)
        self._log_access(complete=False)
        if self.arrival is not None:
            self.arrival.lost(reason)
        if self._plan.length is None and not self._plan.chunked:
            self._connection.stream.abort(reason)  # an orderly end would be its end
        else:
            self._connection.exchange_over(keep=False, reason=reason)

    def _over(self, whole: bool) -> None:
        """The request's body has come, or will not."""
        reason: NetlabError | None = self.arrival.error if self.arrival is not None else None
        if isinstance(reason, BodyTimeout):
            reason = FrameTimeout(reason.text)
        self._connection.exchange_over(keep=whole, reason=reason)

    # -- what the connection hears of

    def can_write(self) -> None:
        """The client took enough of what was written."""
        if self._sender is not None:
            self._sender.can_write()

    def end_received(self) -> None:
        """The client will send nothing more."""
        if self.arrival is not None:
            self.arrival.end_received()

    def check(self, now: float) -> float:
        """See ``Receiver``."""
        return NEVER if self.arrival is None else self.arrival.check(now)

    def lost(self, reason: NetlabError | None) -> None:
        """The connection is gone."""
        closed = reason if isinstance(reason, ConnectionClosed) else ConnectionClosed("it ended")
        running, self._running = self._running, None
        sender, self._sender = self._sender, None
        if self._responded and not self._written:
            self._size = sender.sent if sender is not None else 0
            self._log_access(complete=False)
        if sender is not None:
            sender.give_up()
        if self.arrival is not None:
            self.arrival.lost(closed)
        if running is not None:
            try:
                running.cancel()
            except Exception:
                self.log.failure("a handler could not be cancelled")

    def _log_access(self, *, complete: bool) -> None:
        log = self._connection.server.access_log
        if log is None or self._response is None:
            return
        log(
            Access(
                self._connection.peer,
                self._request,
                self._response.status,
                self._size,
                monotonic() - self._began,
                time(),
                complete,
                self._incident,
            )
        )


def _let_go(body: Content) -> None:
    """A body that will not be sent."""
    if isinstance(body, FileBody):
        body.close()
    elif body is not None and not isinstance(body, bytes):
        try:
            closing = begin(close_body(body))
        except Exception:
            _log_closing(Failure())
        else:
            if isinstance(closing, Deferred):
                closing.addErrback(_log_closing)


def _log_closing(failure: Failure) -> None:
    Exchange.log.failure("the body of a response raised an error when it was closed", failure)
