"""A client for datagrams, with plain blocking calls: ``netlab.blocking.DatagramClient``."""

from __future__ import annotations

import random
import socket
from time import monotonic, sleep
from types import TracebackType

from netlab.datagram.connected import ROOM, Outlet, Refused, connect, receive, transmit
from netlab.datagram.destination import parse_destination
from netlab.datagram.exchange import Exchange, Match, Retransmission, UsedPorts, check_length
from netlab.datagram.lookup import Address, look_up, unreachable
from netlab.errors import ConnectionClosed, NoReply, Unreachable


class DatagramClient:
    """Asks a UDP server, again when no answer comes.

    ::

        with DatagramClient("localhost:8007") as client:
            print(client.request(b"hello"))

    target   ``HOST:PORT`` or ``udp:HOST:PORT``; an IPv6 address goes in brackets
    timeout  seconds to wait for the answer to the first try, lengthened by a random
             share of up to a half; each further try waits twice as long as the last
    retries  how often a request is sent again. A server may get it several times.
    match    ``match(request, reply)`` says whether a datagram from the server is the
             answer; others are ignored. Without it the first one is.

    Raises ``ConfigurationError`` when an argument cannot work. Names are looked up
    at the first request, and again after one that failed. (That takes as long as
    the system's resolver takes.) Use it from one thread at a time.

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
    ) -> None:
        self._destination = parse_destination(target)
        self._retransmission = Retransmission(timeout=timeout, retries=retries)
        self._match = match
        self._random = random.Random()
        self._ports = UsedPorts()
        self._addresses: list[Address] | None = None
        self._outlet = Outlet()
        self._closed = False

    def request(self, data: bytes) -> bytes:
        """Sends ``data`` and returns the answer.

        Raises ``NoReply`` after the last try, ``Unreachable`` when the name is not
        known, there is no way, or nothing listens there (a name's other addresses
        are tried first), and ``LocalProtocolError`` for more than 65,507 bytes.
        """
        exchange = Exchange(
            data, self._destination, self._retransmission, self._match, self._random
        )
        failure = OSError("the host has no address")
        for address in self._look_up():
            try:
                with connect(address, self._ports) as sock:
                    answer = _ask(sock, exchange)
            except Refused as refused:
                failure = refused.error
            except NoReply:
                self._addresses = None
                raise
            else:
                self._prefer(address)
                return answer
        raise self._unreachable(failure) from failure

    def send(self, data: bytes) -> None:
        """Sends ``data``, to which no answer is wanted. It may get lost.

        All that is sent so comes from one port. Waits when the system has no room.
        Raises ``LocalProtocolError`` for more than 65,507 bytes, and ``Unreachable`` as
        ``request``. What the server's machine says of a datagram comes after it: that
        nothing listens there, a later call raises, whose datagram is not sent then.
        """
        check_length(data)
        try:
            while not self._outlet.send(data, self._look_up()):
                sleep(ROOM)
        except Refused as refused:
            raise self._unreachable(refused.error) from refused.error

    def close(self) -> None:
        """Closes the client; calling it twice does nothing."""
        self._closed = True
        self._outlet.close()

    def __enter__(self) -> DatagramClient:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Closes the client."""
        self.close()

    def _look_up(self) -> list[Address]:
        if self._closed:
            raise ConnectionClosed("the client is closed")
        if self._addresses is None:
            self._addresses = look_up(self._destination)
        return list(self._addresses)

    def _prefer(self, address: Address) -> None:
        """``address`` works: it will be tried first."""
        assert self._addresses is not None
        self._addresses.sort(key=lambda each: each != address)

    def _unreachable(self, failure: OSError) -> Unreachable:
        self._addresses = None
        return unreachable(self._destination, failure)


def _ask(sock: socket.socket, exchange: Exchange) -> bytes:
    """Asks until there is an answer; raises ``NoReply`` or ``Refused``."""
    while True:
        transmit(sock, exchange.request)
        exchange.sent(monotonic())
        while (left := exchange.deadline - monotonic()) > 0:
            sock.settimeout(left)
            datagram = receive(sock)
            if datagram is not None and exchange.accepts(datagram):
                return datagram
        exchange.expired(monotonic())
