"""The machine between a stream and a ``MessageProtocol``.

Everything that decides *when* the application is called is here. One read is
cut into messages in one go and handled in one loop; what is answered goes out
as one write. No Deferred, timer or log event is made for a message whose
handler returns at once, or whose coroutine never waits.

A connection is in one of these states:

* idle: the next bytes are read and handled;
* busy: a handler waits for something; reading is paused, ``_inbox`` keeps the
  messages that were cut already;
* queued: the turn's budget is used up, or the peer is slow to take answers;
  ``_continue`` goes on when it is this connection's turn again.
"""

from __future__ import annotations

from collections.abc import Awaitable
from time import monotonic
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.python.failure import Failure

from netlab.errors import (
    ConnectionClosed,
    FrameTimeout,
    HandlerFailed,
    IdleTimeout,
    LocalProtocolError,
    NetlabError,
    RemoteProtocolError,
    ServerStopping,
    SlowPeer,
)
from netlab.framing import Framing
from netlab.framing.base import BIG_PAYLOAD
from netlab.transport import NEVER, Hub, Limits, Log, Stats, Stream
from netlab.transport.answers import begin, discard, message_of

from .protocol import MessageProtocol, Sending, Sent

BUDGET = 256
"""Messages handled for one connection before the others have their turn. It is theirs as
well when more than ``high_water`` bytes were answered."""
_READ_SIZE = 64 * 1024
_MAX_READ = 1024 * 1024
_DRAIN_READS = 64

_SENT = Sent()
_CLOSED = Sent(closed=True)


def _never_whole(data: bytes) -> bytes | None:
    return None


class MessageConnection:
    """A ``netlab.transport.Receiver`` that drives one ``MessageProtocol``."""

    log = Log()

    __slots__ = (
        "_began",
        "_decoder",
        "_ending",
        "_frame_since",
        "_handler",
        "_handling",
        "_high_water",
        "_hub",
        "_inbox",
        "_owing",
        "_peer_ended",
        "_queued",
        "_replies",
        "_running",
        "_stats",
        "_stopped",
        "_waiting",
        "_whole",
        "app",
        "framing",
        "stream",
    )

    stream: Stream
    _stats: Stats
    _hub: Hub

    def __init__(self, app: MessageProtocol, framing: Framing, limits: Limits) -> None:
        self.app = app
        app._connection = self
        self.framing = framing
        self._decoder = framing.decoder()
        self._whole = self._decoder.whole
        self._handler = app.message_received
        self._high_water = limits.high_water
        self._inbox: list[bytes] = []
        self._replies: list[bytes] = []
        self._handling = False
        self._running: Deferred[Any] | None = None
        self._queued = False
        self._stopped = False  # closed, aborted or lost: the application hears no more
        self._peer_ended = False
        self._ending = False  # the peer or the server has ended: close when all is answered
        self._owing = False
        self._began = 0.0
        self._frame_since: float | None = None
        self._waiting: list[Deferred[None]] | None = None

    # -- for the application

    def send(self, message: bytes) -> Awaitable[None]:
        """See ``MessageProtocol.send``."""
        if self._stopped:
            return _CLOSED
        stream = self.stream
        if message.__class__ is bytes and len(message) < BIG_PAYLOAD:
            buffers = [self.framing.encode(message)]
        else:
            buffers = self.framing.buffers((message,))
        if self._replies:
            self._write_replies()  # what was answered before goes first
        if stream.full and stream.buffered >= stream.limits.max_buffered:
            self.abort(SlowPeer(f"{stream.buffered} bytes wait and the peer does not read them"))
            return _CLOSED
        stream.stats.messages_out += 1
        for each in buffers:
            stream.write(each)
        return Sending(self) if stream.full else _SENT

    def send_frame(self, frame: bytes) -> None:
        """Sends what ``framing.encode`` made: a message to many is framed once.

        Nothing bounds what waits: do not call it while ``stream.full``.
        """
        if self._stopped:
            return
        if self._replies:
            self._write_replies()
        stream = self.stream
        stream.stats.messages_out += 1
        stream.write(frame)

    def wait_for_room(self) -> Deferred[None] | None:
        """A Deferred that fires when ``send`` need not wait, or ``None``: it need not now."""
        if self._stopped:
            raise ConnectionClosed("the connection is closed")
        if not self.stream.full:
            return None
        room: Deferred[None] = Deferred()
        if self._waiting is None:
            self._waiting = []
        self._waiting.append(room)
        return room

    def close(self, reason: NetlabError | None = None) -> None:
        """See ``MessageProtocol.close``."""
        if not self._stopped:
            self._stopped = True
            self._inbox = []
            if not self._handling:  # else _handle closes, behind the answers
                self.stream.close(reason)

    def abort(self, reason: NetlabError | None = None) -> None:
        """See ``MessageProtocol.abort``."""
        self._stopped = True
        self._inbox = []
        self._replies.clear()
        self.stream.abort(reason)

    @property
    def owing(self) -> bool:
        """Whether the application has answers to give that it will ``send`` by itself.

        Until it says that it has not, the end of the peer's input and a stop of the server
        wait for it, and the connection is not idle. It may set this at any time.
        """
        return self._owing

    @owing.setter
    def owing(self, owing: bool) -> None:
        self._owing = owing
        if not owing and not self._stopped:
            stream = self.stream
            stream.next_check = min(stream.next_check, stream.hub.now + 1.0)
            if self._ending:
                stream.hub.soon(self._maybe_finish)

    # -- as the stream's receiver

    def connected(self, stream: Stream) -> None:
        """See ``Receiver``."""
        self.stream = stream
        self._stats = stream.stats
        self._hub = stream.hub
        self._began = monotonic()
        self._handling = True
        try:
            result = self.app.connected()
            if result is not None:
                self._settle(result)
            self._write_replies()
        except BaseException:  # sys.exit() in a handler must not end the server either
            self._handler_failed(Failure())
        self._handling = False
        if self._stopped:
            stream.close()

    def data_received(self, data: bytes) -> bytes | None:
        """See ``Receiver``: cuts the messages out of ``data`` and handles them.

        The common case, one message that is answered at once, is here in full;
        ``_handle`` does all others.
        """
        # Slots that hold functions are read first: CPython looks up a call through a slot
        # as a method, in vain, and does not learn from it.
        whole = self._whole
        message = whole(data)
        if message is None:
            self._cut(data)
            return None
        try:
            handler = self._handler
            reply = handler(message)
            if reply.__class__ is bytes and len(reply) < BIG_PAYLOAD and not self._stopped:
                return self.framing.encode(reply)
        except BaseException:  # sys.exit() in a handler must not end the server either
            self._stats.messages_in += 1
            self._handler_failed(Failure())
            return None
        self._take(reply)
        return None

    def _take(self, reply: Any) -> None:
        """What a handler returned, if it is not a small message to be sent at once."""
        self._stats.messages_in += 1
        try:
            if self._stopped:
                discard(reply)  # it closed the connection: this comes too late
            elif reply is not None and self._settle(reply):
                self._write_replies()
        except BaseException:
            self._handler_failed(Failure())
        self._count_time()

    def _count_time(self) -> None:
        """Counts the time since ``Hub.mark``; an answer to come is counted from here on."""
        hub = self._hub
        now = self._began = monotonic()
        self._stats.handler_seconds += now - hub.mark
        hub.mark = now

    def _cut(self, data: bytes) -> None:
        try:
            messages = self._decoder.feed(data, BUDGET)
        except RemoteProtocolError as error:
            self.close(error)
            return
        if messages:
            self._handle(messages)
        self._after_read(messages)

    def _after_read(self, messages: list[bytes]) -> None:
        decoder = self._decoder
        if decoder.buffered:
            if messages or self._frame_since is None:
                self._start_frame_clock()
            self._size_reads(decoder.needed)
        elif decoder.error is not None:
            self._go_on()
        elif self._frame_since is not None:
            self._stop_frame_clock()

    def end_received(self) -> None:
        """See ``Receiver``: answers what has come whole, then closes."""
        self._peer_ended = True
        self._end_when_answered()
        self._tell_ending(None)
        self._maybe_finish()

    def _end_when_answered(self) -> None:
        self._ending = True
        self._whole = _never_whole  # after each message, see whether it was the last

    def _tell_ending(self, reason: NetlabError | None) -> None:
        if not self._stopped:
            try:
                self.app.ending(reason)
            except (Exception, SystemExit):
                self._handler_failed(Failure())

    def can_write(self) -> None:
        """See ``Receiver``: whoever waited for the peer goes on."""
        waiting, self._waiting = self._waiting, None
        for each in waiting or ():
            each.callback(None)
        if self._frame_since is not None:
            self._start_frame_clock()
        self._go_on()

    def check(self, now: float) -> float:
        """See ``Receiver``: the frame and idle deadlines."""
        limits = self.stream.limits
        due = NEVER
        if self._running is not None or self.stream.blocked:
            # Nothing is read for the application's sake, or till the peer takes more of
            # what waits, which has a deadline of its own.
            return now + (limits.idle_timeout or NEVER)
        if self._frame_since is not None and limits.frame_timeout is not None:
            due = self._frame_since + limits.frame_timeout
            if now >= due:
                text = f"a message begun was not complete after {limits.frame_timeout:g} s"
                self.abort(FrameTimeout(text))
                return NEVER
        if limits.idle_timeout is not None:
            idle = self.stream.last_activity + limits.idle_timeout
            if self._owing:
                idle = max(idle, now + limits.idle_timeout)
            if now >= idle:
                self.close(IdleTimeout(f"nothing came for {limits.idle_timeout:g} s"))
                return self.stream.next_check
            due = min(due, idle)
        return due

    def drain(self) -> None:
        """See ``Receiver``: answers what the system has received, then closes."""
        self._end_when_answered()
        self._tell_ending(ServerStopping("the server is stopping"))
        for _ in range(_DRAIN_READS):
            if self._busy() or not self.stream.read_more():
                break
        self._maybe_finish()

    def lost(self, reason: NetlabError | None) -> None:
        """See ``Receiver``: the application's last call."""
        self._stopped = True
        self._inbox = []
        self._replies = []
        waiting, self._waiting = self._waiting, None
        closed = reason if isinstance(reason, ConnectionClosed) else ConnectionClosed("it ended")
        for each in waiting or ():
            each.errback(closed)
        running, self._running = self._running, None
        if running is not None:
            try:
                running.cancel()
            except Exception:
                self._log_failure(Failure())
        try:
            self.app.disconnected(reason)
        except (Exception, SystemExit):
            self.log.failure("{app}.disconnected raised an error", app=type(self.app).__name__)

    # -- the loop

    def _handle(self, messages: list[bytes]) -> None:
        """Hands ``messages`` to the application, as far as it goes in this turn."""
        stream = self.stream
        handler = self._handler
        replies = self._replies
        high_water = self._high_water
        left = iter(messages)
        rest: list[bytes] | None = None
        size = 0
        self._handling = True
        try:
            for message in left:
                reply = handler(message)
                if self._stopped:
                    discard(reply)
                    break
                if reply.__class__ is bytes:
                    replies.append(reply)
                elif reply is None:
                    continue
                elif not self._settle(reply):
                    break
                elif not replies:
                    continue
                size += len(replies[-1])
                if size > high_water:  # enough for one turn, whether the peer takes it or not
                    break
            else:
                rest = []
            if replies:
                self._write_replies()
        except BaseException:  # sys.exit() in a handler must not end the server either
            self._handler_failed(Failure())
        self._handling = False
        if rest is None:
            rest = list(left)
        self._stats.messages_in += len(messages) - len(rest)
        self._count_time()
        if self._stopped:
            stream.close()
        elif rest or len(messages) == BUDGET:
            self._inbox = rest
            self._queue()
        elif self._ending:
            stream.hub.soon(self._maybe_finish)

    def _write_replies(self) -> None:
        """Gives what was answered to the stream, as few buffers."""
        replies = self._replies
        stream = self.stream
        stream.stats.messages_out += len(replies)
        try:
            for each in self.framing.buffers(replies):
                stream.write(each)
        except (LocalProtocolError, TypeError):
            for reply in replies:  # those before the bad one are good
                stream.write(self.framing.encode(reply))
            raise
        finally:
            replies.clear()

    def _queue(self) -> None:
        """Goes on in a later turn; until then nothing more is read."""
        self.stream.pause()
        if self._running is None and not self._queued and not self.stream.blocked:
            self._queued = True
            self.stream.hub.soon(self._continue)

    def _go_on(self) -> None:
        decoder = self._decoder
        if self._inbox or decoder.buffered or decoder.error is not None:
            self._queue()
        elif self._running is None:
            self.stream.resume()
            if self._ending:
                self.stream.hub.soon(self._maybe_finish)

    def _continue(self) -> None:
        self._queued = False
        self._hub.mark = monotonic()
        if self._stopped or self._running is not None or self.stream.blocked:
            return
        messages, self._inbox = self._inbox, []
        cut = not messages
        if cut:
            try:
                messages = self._decoder.feed(b"", BUDGET)
            except RemoteProtocolError as error:
                self.close(error)
                return
        if messages:
            self._handle(messages)
        if self._inbox or self._queued or self._running is not None or self._stopped:
            return
        if not cut or self._decoder.error is not None or len(messages) == BUDGET:
            self._queue()  # there may be more to cut
            return
        if self._decoder.buffered:
            self._start_frame_clock()
        else:
            self._stop_frame_clock()
        self.stream.resume()
        if self._ending:
            self._maybe_finish()

    # -- answers that take time

    def _settle(self, result: Any) -> bool:
        """Takes an answer of any kind; returns whether it is there already."""
        if result.__class__ is bytes:
            self._replies.append(result)
            return True
        pending = begin(result)
        if not isinstance(pending, Deferred):
            self._accept(pending)
            return True
        self._running = pending
        handling, self._handling = self._handling, True
        pending.addBoth(self._answered)
        self._handling = handling
        if self._running is None:
            return True
        self.stream.pause()
        return False

    def _accept(self, value: Any) -> None:
        if value is not None:
            self._replies.append(message_of(value))

    def _answered(self, result: Any) -> None:
        running, self._running = self._running, None
        if running is None or self._stopped:
            # The connection went first. An error is still worth knowing,
            # unless it is the cancellation itself.
            if isinstance(result, Failure) and not result.check(CancelledError, ConnectionClosed):
                self._log_failure(result)
            return
        if isinstance(result, Failure):
            self._handler_failed(result)
        else:
            try:
                self._accept(result)
                if not self._handling:
                    self._write_replies()
            except Exception:
                self._handler_failed(Failure())
        if self._handling:  # it had its answer ready: the loop goes on
            return
        self.stream.stats.handler_seconds += monotonic() - self._began
        if not self._stopped:
            self._go_on()

    def _handler_failed(self, failure: Failure) -> None:
        if failure.check(KeyboardInterrupt):
            failure.raiseException()
        if self._stopped and failure.check(ConnectionClosed):
            return
        self._log_failure(failure)
        if not self._stopped:
            self._stopped = True
            self._inbox = []
            try:
                self._write_replies()  # what was answered before the error
            except (NetlabError, TypeError):
                self.log.debug("{count} answers cannot be sent", count=len(self._replies))
            name = type(failure.value).__name__
            self.stream.close(HandlerFailed(f"the handler raised {name}"))

    def _log_failure(self, failure: Failure) -> None:
        self.log.failure(
            "{app}: the handler raised an error; its connection is closed",
            failure=failure,
            app=type(self.app).__name__,
        )

    # -- time and the end

    def _start_frame_clock(self) -> None:
        stream = self.stream
        now = self._frame_since = stream.hub.now
        if stream.limits.frame_timeout is not None:
            due = now + stream.limits.frame_timeout
            if due < stream.next_check:
                stream.next_check = due

    def _stop_frame_clock(self) -> None:
        self._frame_since = None
        self._size_reads(0)

    def _size_reads(self, needed: int) -> None:
        """Asks for the rest of a big message at once, up to a bound."""
        self.stream.read_size = min(max(needed, _READ_SIZE), _MAX_READ)

    def _busy(self) -> bool:
        return bool(self._running is not None or self._inbox or self._queued or self._stopped)

    def _maybe_finish(self) -> None:
        """Closes if the peer or the server has ended and everything is answered."""
        if self._busy() or self._owing or self.stream.full:
            return
        if self._peer_ended:
            try:
                self._decoder.eof()
            except RemoteProtocolError as error:
                self.close(error)
                return
        elif self._decoder.buffered:
            return  # a draining server lets a message that has begun arrive
        elif self.stream.read_more():
            return  # more was there: its own end comes back here
        self._stopped = True
        self.stream.finish()
