"""One UDP socket of a server: read in batches, and kept alive whatever the system says."""

from __future__ import annotations

import errno
import socket
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.interfaces import IAddress

from netlab.errors import ListenFailed
from netlab.transport import Hub, Log
from netlab.transport.datagrams import BATCH, Datagram, DatagramSocket, bind
from netlab.transport.hub import READ

_BACK_OFF = 0.1
"""Seconds without reading after an error; the port must answer again within a second."""
_BESIDE_STREAMS = 16
"""Datagrams read at a time while connections are open: they wait for so many answers at most.
64 cost a tenth less each, and made a quiet client's 99th percentile three times as long."""
_REBIND_AFTER = 3
"""Errors in a row after which the socket itself is taken to be broken."""


class DatagramPort:
    """Listens on ``host`` (a numeric address) and ``port``; raises ``ListenFailed``.

    ``received(port, datagrams)`` is called with what came, ``BATCH`` at most and
    once for each time the hub looks: thousands of empty datagrams are no reason
    to keep others waiting. Twisted's own port counts bytes, and those have none.
    An error is counted in ``errors`` by its name; reading goes on a tenth of a
    second later, on a new socket when it happens again and again.
    """

    log = Log()

    def __init__(
        self,
        hub: Hub,
        host: str,
        port: int,
        received: Callable[[DatagramPort, list[Datagram]], None],
        errors: Counter[str],
    ) -> None:
        self.hub = hub
        self._received = received
        self._errors = errors
        self._in_a_row = 0
        self._complained = float("-inf")
        self._resting = False  # after an error
        self._paused = False
        self._closed = False
        self._registered = False
        try:
            self.socket: DatagramSocket = bind(host, port)
        except OSError as error:
            where = f"[{host}]" if ":" in host else host
            reason = (error.strerror or str(error)).lower()
            raise ListenFailed(f"cannot listen on udp {where}:{port}: {reason}") from error
        self._bound = (host, int(self.socket.sock.getsockname()[1]))
        self._register(READ)

    def __repr__(self) -> str:
        return f"<DatagramPort on {self._bound}>"

    @property
    def number(self) -> int:
        """The port's number."""
        return self._bound[1]

    @property
    def address(self) -> IAddress:
        """Where it listens."""
        host, number = self._bound
        kind = IPv6Address if ":" in host else IPv4Address
        return kind("UDP", host, number)

    def readable(self) -> None:
        """Reads one batch."""
        if self._paused or self._resting:
            return
        try:
            datagrams = self.socket.receive(_BESIDE_STREAMS if self.hub.serves_streams else BATCH)
        except OSError as error:
            self._trouble(error)
            return
        if datagrams:
            self._in_a_row = 0
            self._received(self, datagrams)

    def event(self, mask: int) -> None:
        """An error of the socket: it is taken note of, which also clears it."""
        code = self.socket.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if code:
            self._count(code)
        if mask & READ:
            self.readable()

    def flush(self) -> None:
        """Nothing waits: what cannot be sent at once is lost, as on the way."""

    def failed(self) -> None:
        """netlab itself made a mistake, which is logged; the next datagram is another matter."""

    def send(self, datagrams: Sequence[tuple[Any, ...]]) -> Sequence[tuple[Any, ...]]:
        """Sends ``datagrams`` (tuples that begin as a ``Datagram``); returns those that are lost.

        What the system refuses is counted.
        """
        if not self._registered:  # closed, or without a socket for now
            return datagrams
        refused: list[tuple[Any, ...]] = []
        while datagrams:
            try:
                count = self.socket.send(datagrams[:BATCH])
            except OSError as error:
                self._count(error.errno)
                refused.append(datagrams[0])
                datagrams = datagrams[1:]
                continue
            if count == len(datagrams):
                break
            datagrams = datagrams[count:]
        return refused

    def pause(self) -> None:
        """Reads no more."""
        self._paused = True
        self._watch()

    def close(self) -> None:
        """Listens no more; harmless when it was done before."""
        self._closed = self._paused = True
        self._let_go()
        self.hub.stop_ticking(self._keep_hub)

    def _let_go(self) -> None:
        if self._registered:
            self._registered = False
            self.hub.unregister(self.socket.sock.fileno())
        self.socket.sock.close()

    def _count(self, code: int | None) -> None:
        self._errors[errno.errorcode.get(code or 0, str(code))] += 1

    def _trouble(self, error: OSError) -> None:
        self._count(error.errno)
        self._in_a_row += 1
        now = self.hub.time()
        if now - self._complained >= 1:
            self._complained = now
            self.log.warn(
                "{port}: receiving failed: {reason}; trying again",
                port=self,
                reason=error.strerror or str(error),
            )
        self._resting = True
        self._watch()
        self.hub.call_at(now + _BACK_OFF, self._again)

    def _again(self) -> None:
        if self._closed:
            return
        if not self._registered or self._in_a_row % _REBIND_AFTER == 0:
            self.hub.start_ticking(self._keep_hub)
            self._let_go()
            try:
                self.socket = bind(*self._bound)
            except OSError as error:
                self._trouble(error)
                return
            self._register(0)
            self.hub.stop_ticking(self._keep_hub)
        self._resting = False
        self._watch()

    def _keep_hub(self, now: float) -> None:
        """Without a socket or this the hub would close, and forget what others wait for."""

    def _register(self, mask: int) -> None:
        self._registered = True
        self.hub.register(self.socket.sock.fileno(), self, mask)

    def _watch(self) -> None:
        """Waits for datagrams if they are wanted now."""
        if self._registered:
            mask = 0 if self._paused or self._resting else READ
            self.hub.modify(self.socket.sock.fileno(), mask)
