"""From an async iterator to a subscriber: items go as fast as credit and the connection allow."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from twisted.internet.defer import CancelledError, Deferred

from netlab.errors import OutgoingFrameTooLong
from netlab.transport.answers import begin

from .declare import WhenSlow
from .jsonrpc.errors import Code, RpcError, error_of
from .jsonrpc.subscriptions import Publication
from .wire import Wire

if TYPE_CHECKING:
    from .serving import Serving

TURN = 64
"""Items of one subscription that are sent before the others have their turn."""

_NOTHING: Any = object()


@runtime_checkable
class Feed(Protocol):
    """Items of which a subscription can be served without a coroutine.

    For many subscribers to the same items: the iterator that a method returns may have
    one as ``feed``. It is used in the iterator's place with ``when_slow="block"``.
    """

    @property
    def ended(self) -> bool:
        """Whether nothing comes after what is there."""

    def take(self) -> Any:
        """The next item, or ``None``: it is not there yet."""

    def wait(self, wake: Callable[[], None]) -> None:
        """Calls ``wake`` once, when ``take`` has something to give, or it has ended."""

    def close(self) -> None:
        """Nobody wants any more; harmless afterwards."""


def feed_of(iterator: AsyncIterator[Any]) -> Feed | None:
    """The feed of ``iterator``, if it has one."""
    feed = getattr(iterator, "feed", None)
    return feed if isinstance(feed, Feed) else None


async def close(iterator: AsyncIterator[Any]) -> None:
    """Ends ``iterator``, as far as it can be ended; it may have been read, or not."""
    feed = feed_of(iterator)
    if feed is not None:
        feed.close()
    elif hasattr(iterator, "aclose"):
        await iterator.aclose()


class FeedPump:
    """A ``Pump`` of a ``Feed``.

    An item of a thousand subscribers passes here a thousand times, and each time what it
    touches is in no cache: so it goes past the connection's session to its sender, and
    there is little else to touch.
    """

    __slots__ = ("_connection", "_feed", "_over", "_sender", "_waiting", "_wire", "publication")

    def __init__(
        self, connection: Serving, publication: Publication, feed: Feed, wire: Wire
    ) -> None:
        self.publication = publication
        self._connection = connection
        self._sender = connection.sender
        self._feed = feed
        self._wire = wire
        self._waiting = False
        self._over = False

    def start(self) -> None:
        """Begins: with the answer that there is a subscription."""
        self._connection.flush()
        self._go()

    def stop(self) -> None:
        """The subscriber wants no more."""
        self._end(None)

    def has_room(self) -> None:
        """There is credit, or the connection takes more."""
        if not self._waiting:
            self._go()

    def _go(self) -> None:
        self._waiting = False
        publication, sender, feed = self.publication, self._sender, self._feed
        try:
            for _ in range(TURN):
                if self._over or not publication.open or publication.credit == 0:
                    return
                if sender.stream.full:  # else nothing is unsent: items keep their order
                    self._connection.wants_room(self)
                    return
                item = feed.take()
                if item is None:
                    if feed.ended:
                        self._end(None)
                    else:
                        self._waiting = True
                        feed.wait(self._go)
                    return
                sender.send_frame(self._wire.frame(publication, item, sender.framing))
                if publication.credit is not None:
                    publication.credit -= 1
            self._connection.hub.soon(self._go)
        except (Exception, SystemExit) as error:
            self._end(_said_of(error, self._connection, publication))

    def _end(self, error: RpcError | None) -> None:
        if self._over:
            return
        self._over = True
        try:
            self._feed.close()
        except Exception:
            error = self._connection.incident(self.publication.method)
        self._connection.pump_ended(self, error)


class Pump:
    """Sends the items of ``iterator`` as those of ``publication``, then its end.

    With ``block`` the next item is asked for when it can be sent. Otherwise items are
    taken as they come: one that cannot be sent waits until the next one takes its place
    (``drop``), or ends the subscription (``close``).
    """

    __slots__ = (
        "_connection",
        "_dropped",
        "_error",
        "_iterator",
        "_newest",
        "_room",
        "_running",
        "_sent",
        "_stopped",
        "_when_slow",
        "_wire",
        "publication",
    )

    def __init__(
        self,
        connection: Serving,
        publication: Publication,
        iterator: AsyncIterator[Any],
        wire: Wire,
        when_slow: WhenSlow,
    ) -> None:
        self.publication = publication
        self._connection = connection
        self._iterator = iterator
        self._wire = wire
        self._when_slow = when_slow
        self._room: Deferred[None] | None = None
        self._running: Deferred[None] | None = None
        self._newest: Any = _NOTHING
        self._error: RpcError | None = None  # of an item that was sent outside of the loop
        self._dropped = 0
        self._sent = 0
        self._stopped = False

    def start(self) -> None:
        """Begins; ``Serving.pump_ended`` is called at the end."""
        running = begin(self._run())
        if isinstance(running, Deferred):
            self._running = running
            if self._stopped:
                running.cancel()

    def stop(self) -> None:
        """The subscriber wants no more: cancels what the iterator waits for."""
        self._stopped = True
        if self._running is not None:
            self._running.cancel()

    def has_room(self) -> None:
        """There is credit, or the connection takes more: perhaps it can go on."""
        if not self._ready():
            if self.publication.ready:
                self._connection.wants_room(self)
            return
        room, self._room = self._room, None
        if room is not None:
            room.callback(None)
        elif self._newest is not _NOTHING:
            newest, self._newest = self._newest, _NOTHING
            try:
                self._send(newest)
            except (Exception, SystemExit) as error:
                self._error = _said_of(error, self._connection, self.publication)
                self.stop()

    # -- the loop

    async def _run(self) -> None:
        error: RpcError | None = None
        connection = self._connection
        try:
            if self._when_slow == "block":
                await self._wait_for_room()
            async for item in self._iterator:
                if self._stopped:
                    break
                await self._take(item)
                if self._sent >= TURN:
                    self._sent = 0
                    await connection.next_turn()
                if self._when_slow == "block":
                    await self._wait_for_room()
            if self._newest is not _NOTHING:
                await self._wait_for_room()
                self._send(self._newest)
        except (Exception, SystemExit) as raised:
            if not (self._stopped and isinstance(raised, CancelledError)):
                error = _said_of(raised, connection, self.publication)
        try:
            await close(self._iterator)
        except CancelledError:
            pass  # it was told to stop, and does
        except (Exception, SystemExit):
            error = connection.incident(self.publication.method)
        connection.pump_ended(self, error or self._error)

    async def _take(self, item: Any) -> None:
        if self._ready() and self._newest is _NOTHING:
            self._send(item)
        elif self._when_slow == "close":
            raise error_of(Code.SUBSCRIBER_TOO_SLOW)
        elif self._when_slow == "drop":
            self._dropped += self._newest is not _NOTHING
            self._newest = item
            self._connection.wants_room(self)
            self._sent += 1  # an iterator that never waits lets others have their turn, too
        else:  # others filled the connection while the item was made
            await self._wait_for_room()
            self._send(item)

    async def _wait_for_room(self) -> None:
        while not self._ready():
            if self._stopped:
                raise CancelledError
            self._room = room = Deferred[None](self._give_up)
            self._connection.wants_room(self)
            await room

    def _give_up(self, room: Deferred[None]) -> None:
        self._room = None

    def _ready(self) -> bool:
        return self.publication.ready and not self._connection.is_full()

    def _send(self, item: Any) -> None:
        if not self.publication.open:
            return
        dropped, self._dropped = self._dropped, 0
        self._sent += 1
        self._connection.session.publish(self.publication, self._wire.result(item), dropped=dropped)
        self._connection.flush()


def _said_of(error: BaseException, connection: Serving, publication: Publication) -> RpcError:
    """What the subscriber is told of ``error``, which is being handled."""
    if isinstance(error, RpcError):
        return error
    if isinstance(error, OutgoingFrameTooLong):
        return error_of(Code.ANSWER_TOO_LONG, f"an item: {error}")
    return connection.incident(publication.method)
