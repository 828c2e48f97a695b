"""A datagram client on Twisted: requests with time-outs and retries, any number at a time."""

from __future__ import annotations

import random
import socket
from copy import copy
from types import TracebackType
from typing import Any, TypeVar

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.threads import deferToThreadPool
from twisted.python.failure import Failure

from netlab.errors import ConnectionClosed, NoReply, Unreachable
from netlab.transport import Hub, hub_for
from netlab.transport.alarm import Alarm
from netlab.transport.deadline import sleep
from netlab.transport.hub import READ

from .connected import ROOM, Outlet, Refused, connect, receive, transmit
from .destination import parse_destination
from .exchange import Exchange, Match, Retransmission, UsedPorts, check_length
from .lookup import Address, look_up, numeric, unreachable

_BUDGET = 16  # datagrams read in one go

T = TypeVar("T")


class DatagramClient:
    """Asks a UDP server, again when no answer comes.

    ::

        async with DatagramClient("localhost:8007") as client:
            print(await client.request(b"hello"))

    target   ``HOST:PORT`` or ``udp:HOST:PORT``; an IPv6 address goes in brackets
    timeout  seconds to wait for the answer to the first try, lengthened by a random
             share of up to a half; each further try waits twice as long as the last
    retries  how often a request is sent again. A server may get it several times.
    match    ``match(request, reply)`` says whether a datagram from the server is the
             answer; others are ignored. Without it the first one is.
    reactor  the global reactor unless given

    Raises ``ConfigurationError`` when an argument cannot work. Names are looked up
    in a thread, at the first request and again after one that failed. Any number
    of coroutines may use one client; to cancel one frees all that it holds.

    Each request goes from a socket of its own, on a random port that none of the
    last 1000 has had: a late answer to an earlier request is never taken for the
    answer to this one, and a forged one must guess the port (RFC 6056).
    """

    def __init__(
        self,
        target: str,
        *,
        timeout: float = 1.0,
        retries: int = 3,
        match: Match | None = None,
        reactor: Any = None,
    ) -> None:
        self._destination = parse_destination(target)
        self._retransmission = Retransmission(timeout=timeout, retries=retries)
        self._match = match
        if reactor is None:
            from twisted.internet import reactor
        self._reactor: Any = reactor
        self._hub = hub_for(reactor)
        self._random = random.Random()
        self._ports = UsedPorts()
        self._addresses: list[Address] | None = None
        self._looking: list[Deferred[None]] = []
        self._outlet = Outlet()
        self._under_way: set[Deferred[Any]] = set()
        self._closed = False

    async def request(self, data: bytes) -> bytes:
        """Sends ``data`` and returns the answer.

        Raises ``NoReply`` after the last try, ``Unreachable`` when the name is not
        known, there is no way, or nothing listens there (a name's other addresses
        are tried first), ``LocalProtocolError`` for more than 65,507 bytes, and
        ``ConnectionClosed`` when the client is closed.
        """
        exchange = Exchange(
            data, self._destination, self._retransmission, self._match, self._random
        )
        failure = OSError("the host has no address")
        for address in await self._look_up():
            try:
                answer = await self._ask(exchange, address)
            except Refused as refused:
                failure = refused.error
            except NoReply:
                self._addresses = None
                raise
            else:
                self._prefer(address)
                return answer
        raise self._unreachable(failure) from failure

    async def send(self, data: bytes) -> None:
        """Sends ``data``, to which no answer is wanted. It may get lost.

        All that is sent so comes from one port. Waits when the system has no room.
        Raises ``LocalProtocolError`` for more than 65,507 bytes, ``ConnectionClosed``,
        and ``Unreachable`` as ``request``. What the server's machine says of a datagram
        comes after it: that nothing listens there, a later call raises, whose datagram
        is not sent then.
        """
        check_length(data)
        try:
            while not self._outlet.send(data, await self._look_up()):
                await self._wait(sleep(self._hub, self._reactor, ROOM))
        except Refused as refused:
            raise self._unreachable(refused.error) from refused.error

    async def close(self) -> None:
        """Closes the client; what is under way fails with ``ConnectionClosed``."""
        self._closed = True
        for each in list(self._under_way):
            each.cancel()
        self._outlet.close()

    async def __aenter__(self) -> DatagramClient:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Closes the client."""
        await self.close()

    # -- what the calls above are made of

    async def _ask(self, exchange: Exchange, address: Address) -> bytes:
        question = _Question(self._hub, connect(address, self._ports), exchange)
        try:
            question.begin()
            return await self._wait(question.answer)
        finally:
            question.end()

    async def _wait(self, waiting: Deferred[T]) -> T:
        """The result of ``waiting``; the client's end is the end of that too."""
        self._under_way.add(waiting)
        try:
            return await waiting
        except CancelledError:
            if self._closed:
                raise ConnectionClosed("the client is closed") from None
            raise
        finally:
            self._under_way.discard(waiting)

    async def _look_up(self) -> list[Address]:
        if self._closed:
            raise ConnectionClosed("the client is closed")
        if self._addresses is None:
            self._addresses = numeric(self._destination)
        while self._addresses is None:
            done: Deferred[None] = Deferred(self._looking.remove)
            self._looking.append(done)
            if len(self._looking) == 1:
                pool = self._reactor.getThreadPool()
                found = deferToThreadPool(self._reactor, pool, look_up, self._destination)
                found.addBoth(self._looked_up)
            await self._wait(done)
        return list(self._addresses)

    def _looked_up(self, result: list[Address] | Failure) -> None:
        waiting, self._looking = self._looking, []
        if not isinstance(result, Failure):
            self._addresses = result
        for each in waiting:
            if isinstance(result, Failure):
                each.errback(copy(result.value))
            else:
                each.callback(None)

    def _prefer(self, address: Address) -> None:
        """``address`` works: it will be tried first."""
        if self._addresses is not None:
            self._addresses.sort(key=lambda each: each != address)

    def _unreachable(self, failure: OSError) -> Unreachable:
        self._addresses = None
        return unreachable(self._destination, failure)


class _Question:
    """One request to one address. A ``netlab.transport.hub.Descriptor``.

    ``answer`` fires with the answer, or fails with ``NoReply``, ``Refused`` or what
    ``match`` raises. Call ``end`` in any case.
    """

    def __init__(self, hub: Hub, sock: socket.socket, exchange: Exchange) -> None:
        self.answer: Deferred[bytes] = Deferred()
        self._hub = hub
        self._socket = sock
        self._exchange = exchange
        self._alarm: Alarm | None = None
        sock.setblocking(False)

    def begin(self) -> None:
        """Sends the request; raises ``Refused`` or ``LocalProtocolError``."""
        self._hub.register(self._socket.fileno(), self, READ)
        self._transmit()

    def end(self) -> None:
        """Gives back the socket and the timer; harmless when done before."""
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        if self._socket.fileno() >= 0:
            self._hub.unregister(self._socket.fileno())
            self._socket.close()

    def _transmit(self) -> None:
        transmit(self._socket, self._exchange.request)
        self._exchange.sent(self._hub.time())
        self._alarm = self._hub.call_at(self._exchange.deadline, self._expired)

    def _expired(self) -> None:
        try:
            self._exchange.expired(self._hub.time())
            self._transmit()
        except Exception:
            self.failed()

    def readable(self) -> None:
        """Looks whether the answer has come."""
        try:
            for _ in range(_BUDGET):
                datagram = receive(self._socket)
                if datagram is None:
                    return
                if self._exchange.accepts(datagram):
                    self.end()
                    self.answer.callback(datagram)
                    return
        except Exception:
            self.failed()

    def event(self, mask: int) -> None:
        """The network has said something: it comes out of the next call."""
        self.readable()

    def failed(self) -> None:
        """The exception that is being handled is the end of it."""
        self.end()
        if not self.answer.called:
            self.answer.errback()

    def flush(self) -> None:
        """There is nothing to flush: see ``Descriptor``."""
