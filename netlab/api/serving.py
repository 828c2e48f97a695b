"""Serving the calls of the peer: each is answered when it is done, and cancelled when it must be.

A method that returns at once, or whose coroutine never waits, costs no Deferred, no timer
and no task: its answer is what ``message_received`` returns.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from msgspec import Raw
from twisted.internet.defer import CancelledError, Deferred
from twisted.python.failure import Failure

from netlab.errors import ConnectionClosed, NetlabError, ServerStopping
from netlab.escaping import escape
from netlab.transport.answers import begin

from .context import Context
from .declare import Subscribable
from .identity import Identity, identity_of
from .jsonrpc.codecs import UNREADABLE, Codec
from .jsonrpc.errors import Code, RpcError, error_of
from .jsonrpc.events import (
    Cancelled,
    CreditCame,
    NotificationCame,
    RequestCame,
    Unsubscribed,
)
from .jsonrpc.limits import SessionLimits
from .jsonrpc.subscriptions import Publication
from .pumping import FeedPump, Pump, close, feed_of
from .quick import Answer, unpacked
from .sending import Sending
from .servant import Entry, Servant

GUESSES = 20
"""How often a connection is told which method it may have meant. Nobody types more."""


class Running:
    """A call of the peer whose method waits for something."""

    __slots__ = ("alarm", "cancelled", "deferred", "expired")

    def __init__(self, deferred: Deferred[Any]) -> None:
        self.deferred = deferred
        self.cancelled = False
        self.expired = False
        self.alarm: Any = None

    def cancel(self) -> None:
        """Tells the method to stop."""
        self.cancelled = True
        self.deferred.cancel()

    def expire(self) -> None:
        """Its time is up."""
        self.expired = True
        self.deferred.cancel()


class Serving(Sending):
    """A connection whose peer may call.

    servant  answers the calls
    state    the connection's own, given to methods with the context
    """

    def __init__(self, servant: Servant, codec: Codec, limits: SessionLimits) -> None:
        super().__init__(codec, limits)
        self.servant = servant
        self.state: dict[str, Any] = {}
        self._entries = servant.entries(codec)
        self._decode, self._quick = servant.quick(codec)
        self._is_sound = codec.is_sound
        self._max_depth = limits.max_depth
        self._max_message = limits.max_message
        self._encode = codec.encode_any
        self._identity: Identity | None = None
        self._identified = False
        self._unknown = 0
        self._running: dict[RequestCame | NotificationCame, Running] = {}
        self._pumps: dict[Publication, Pump | FeedPump] = {}
        self._crowded: Deferred[None] | None = None
        self._ending: NetlabError | None = None

    def _take(self, message: bytes) -> None:
        """Gives ``message`` to the session, and acts on what it tells."""
        raise NotImplementedError

    def ending(self, reason: NetlabError | None) -> None:
        """See ``MessageProtocol``: calls are finished, subscriptions end."""
        self._ending = reason or ConnectionClosed("the peer has ended its side")
        for pump in list(self._pumps.values()):
            self.session.end(pump.publication, self._no_more())
            pump.stop()
        self.flush()

    @property
    def _under_way(self) -> bool:
        return bool(self._running or self._pumps)

    def _say_farewell(self) -> None:
        """The connection is gone: cancels what no session knows of, and tells the api."""
        for running in list(self._running.values()):
            if not running.cancelled:
                running.cancel()
        farewell = self.servant.farewell
        if farewell is None:
            return
        context = Context(
            method="disconnected", peer=self.peer, identity=self._identity, state=self.state
        )
        try:
            outcome = begin(farewell(context))
        except (Exception, SystemExit):
            self.incident("disconnected")
        else:
            if isinstance(outcome, Deferred):
                outcome.addErrback(self._farewell_failed)

    def _farewell_failed(self, failure: Failure) -> None:
        self.incident("disconnected", failure)

    # -- calls

    def _answer_at_once(self, message: bytes) -> bytes | None:
        """What the session would do with a call that is answered at once, in fewer steps.

        When that is not what ``message`` is, or turns out to be, the session has it.
        """
        # Each call of a busy server passes here: mind the cost of every line. Functions that
        # are kept in attributes are read first; see ``MessageConnection.data_received``.
        session, decode = self.session, self._decode
        is_sound, encode = self._is_sound, self._encode
        try:
            call = decode(message)
            entry = self._quick[call.__class__]
            id = call.id
            args = call.params
            members = 4
            if args.__class__ is not tuple:
                members, args = unpacked(args)
            if (
                id.__class__ is not int
                or not session.would_take(id)
                or not is_sound(message, members, self._max_depth)
            ):
                raise KeyError
        except (KeyError, *UNREADABLE):
            self._take(message)
            return None
        try:
            value = entry.function(*args)
            if value.__class__ is not entry.exact:
                if isinstance(value, Awaitable):
                    value = begin(value)
                if not isinstance(value, Deferred):
                    value = entry.wire.result(value)
        except (Exception, SystemExit):
            value = Failure()
        else:
            if not isinstance(value, Deferred):
                try:
                    answer: bytes = encode(Answer(id, value))
                    if len(answer) <= self._max_message:
                        return answer
                except UNREADABLE:
                    pass  # an integer that is too great for the codec; the session knows better
        (request,) = session.receive(message)
        assert isinstance(request, RequestCame)
        if isinstance(value, Raw):
            session.reply(request, value)
        elif isinstance(value, Failure):
            self._finish(request, entry, value, None)
        else:
            self._begin(request, entry, value)
        return None

    def _request(self, event: RequestCame) -> None:
        entry = self._entries.get(event.method)
        if entry is None:
            self._elsewhere(event)
        else:
            self._invoke(event, entry)

    def _elsewhere(self, event: RequestCame) -> None:
        """A method that is not the api's own."""
        try:
            guess = self._unknown < GUESSES
            document = self.servant.built_in(event.method, self.session.codec, guess=guess)
        except RpcError as error:
            self._unknown += 1
            self.session.reply_error(event, error)
        except Exception:
            self.session.reply_error(event, self.incident(event.method))
        else:
            self.session.reply(event, document)

    def _notification(self, event: NotificationCame) -> None:
        entry = self._entries.get(event.method)
        if entry is None or isinstance(entry.declared, Subscribable):
            self.log.debug(
                "a notification of {name}: no such method", name=escape(event.method, 80)
            )
        else:
            self._invoke(event, entry)

    def _invoke(self, event: RequestCame | NotificationCame, entry: Entry) -> None:
        try:
            args, named, token = entry.arguments(event.params)
            context = self._context(event, token) if entry.wants_context else None
            value = entry.call(event, args, named, context)
        except RpcError as error:
            self._fail(event, error)
        except (Exception, SystemExit):
            self._fail(event, self.incident(event.method))
        else:
            self._begin(event, entry, value)

    def _begin(self, event: RequestCame | NotificationCame, entry: Entry, value: Any) -> None:
        """Takes what a method returned: a value, or what has to be waited for."""
        try:
            outcome = begin(value)
        except (Exception, SystemExit):
            self._finish(event, entry, Failure(), None)
            return
        if not isinstance(outcome, Deferred):
            self._finish(event, entry, outcome, None)
            return
        running = self._running[event] = Running(outcome)
        if self.servant.deadline is not None:
            hub = self.hub
            running.alarm = hub.call_at(hub.time() + self.servant.deadline, running.expire)
        outcome.addBoth(self._settled, event, entry)
        if event in self._running:
            if event.__class__ is NotificationCame and self._is_crowded():
                self._crowded = self._crowded or Deferred()
            self._account()

    def _is_crowded(self) -> bool:
        """Whether notifications, which no limit of the session counts, have to wait."""
        return len(self._running) - self.session.serving >= self.session.limits.max_in_flight

    def _settled(self, result: Any, event: RequestCame | NotificationCame, entry: Entry) -> None:
        running = self._running.pop(event)
        if running.alarm is not None:
            running.alarm.cancel()
        self._finish(event, entry, result, running)
        self.flush()
        crowded = self._crowded
        if crowded is not None and not self._is_crowded():
            self._crowded = None
            if not crowded.called:
                crowded.callback(None)
        if not self._over:
            self._account()

    def _finish(
        self,
        event: RequestCame | NotificationCame,
        entry: Entry,
        result: Any,
        running: Running | None,
    ) -> None:
        """The outcome of a call is there: a value, or a ``Failure``."""
        if isinstance(result, Failure):
            error = self._error_of(result, event.method, running)
            if error is not None:
                self._fail(event, error)
            return
        if event.__class__ is NotificationCame:
            return
        assert isinstance(event, RequestCame)
        try:
            if isinstance(entry.declared, Subscribable):
                self._publish(event, entry, entry.declared, result)
            else:
                self.session.reply(event, entry.wire.result(result))
        except RpcError as error:
            self._fail(event, error)
        except Exception:
            self._fail(event, self.incident(event.method))

    def _error_of(self, failure: Failure, method: str, running: Running | None) -> RpcError | None:
        """What the peer is told of ``failure``; ``None`` when there is nobody to tell."""
        if isinstance(failure.value, KeyboardInterrupt):
            failure.raiseException()
        if isinstance(failure.value, RpcError):
            return failure.value
        if running is not None and failure.check(CancelledError):
            if running.expired:
                return error_of(Code.DEADLINE_EXCEEDED, f"{self.servant.deadline:g} s")
            if running.cancelled:
                return error_of(Code.REQUEST_CANCELLED)
        if self._over and failure.check(CancelledError, ConnectionClosed):
            return None
        return self.incident(method, failure)

    def _fail(self, event: RequestCame | NotificationCame, error: RpcError) -> None:
        if isinstance(event, RequestCame):
            self.session.reply_error(event, error)
        else:
            self.log.debug("{method}: {error}", method=event.method, error=escape(str(error), 400))

    def incident(self, method: str, failure: Failure | None = None) -> RpcError:
        """Logs ``failure``, the error being handled unless given; what the peer is told."""
        return self.servant.incident(method, failure or Failure(), self.peer)

    def _cancelled(self, event: Cancelled) -> None:
        running = self._running.get(event.request)
        if running is not None and not running.cancelled:
            running.cancel()

    # -- what methods know

    @property
    def remote(self) -> Any:
        """What calls the other end, for methods to use."""
        raise NotImplementedError

    def _context(self, event: RequestCame | NotificationCame, token: int | str | None) -> Context:
        report: Callable[[Any], None] | None = None
        if token is not None and isinstance(event, RequestCame):
            request, progress = event, token

            def report(value: Any) -> None:
                if not (request.answered or self._over or self.is_full()):
                    self.session.progress(progress, value)
                    self.flush()

        if not self._identified:
            self._identified = True
            self._identity = identity_of(self.get_handle())
        return Context(
            method=event.method,
            peer=self.peer,
            identity=self._identity,
            state=self.state,
            report=report,
            remote=self.remote,
        )

    # -- subscriptions

    def _no_more(self) -> RpcError:
        stopping = isinstance(self._ending, ServerStopping)
        return error_of(Code.SERVER_STOPPING if stopping else Code.REQUEST_CANCELLED)

    def _publish(
        self,
        request: RequestCame,
        entry: Entry,
        declared: Subscribable[Any, Any, Any, Any],
        items: AsyncIterator[Any],
    ) -> None:
        iterator = aiter(items)
        try:
            if self._ending is not None:
                raise self._no_more()
            if len(self._pumps) >= self.session.limits.max_subscriptions:  # some still tidy up
                raise error_of(Code.TOO_MANY_SUBSCRIPTIONS, "those that end count, too")
            publication = self.session.accept(request)
        except RpcError:
            self._let_go(iterator, request.method)
            raise
        if not publication.open:  # the connection went while the method made it
            self._let_go(iterator, request.method)
            return
        pump: Pump | FeedPump
        feed = feed_of(iterator)
        if declared.when_slow == "block" and feed is not None:
            pump = FeedPump(self, publication, feed, entry.wire)
        else:
            pump = Pump(self, publication, iterator, entry.wire, declared.when_slow)
        self._pumps[publication] = pump
        self._account()
        pump.start()

    def _let_go(self, iterator: AsyncIterator[Any], method: str) -> None:
        """Closes an iterator that nobody will read."""
        closing = Deferred.fromCoroutine(close(iterator))
        closing.addErrback(lambda failure: self.incident(method, failure))

    def pump_ended(self, pump: Pump | FeedPump, error: RpcError | None) -> None:
        """``pump`` has sent all it had, or failed with ``error``."""
        self.session.end(pump.publication, error)
        self._wanting.pop(pump, None)
        self._pumps.pop(pump.publication, None)
        if not self._over:
            self.flush()
            self._account()

    def _credit(self, event: CreditCame) -> None:
        pump = self._pumps.get(event.publication)
        if pump is not None:
            pump.has_room()

    def _unsubscribed(self, event: Unsubscribed) -> None:
        pump = self._pumps.get(event.publication)
        if pump is not None:
            pump.stop()
