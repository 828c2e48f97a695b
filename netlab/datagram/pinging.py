"""The loop of ``netlab ping``: one socket, deadlines on the monotonic clock, no reactor.

What is sent, and what a reply means, is in ``netlab.datagram.pings``.
"""

from __future__ import annotations

import os
import select
import socket
import struct
import sys
from time import monotonic
from typing import Any, Protocol

from .destination import Destination
from .lookup import Address, look_up, unreachable
from .pings import Pings, Reply

_BUDGET = 64  # datagrams received between two looks at the clock
_BUFFER = 1 << 20  # bytes that the kernel is asked to hold for us
_ATTEMPTS = 3  # to send one packet, when the system has to tell of earlier ones first
_PATIENCE = 2
"""Round trips, of the longest, that copies of the last reply are waited for."""

# ip(7) and ipv6(7); Python's socket module does not have them
_RECVERR = {
    socket.AF_INET: (socket.IPPROTO_IP, 11),
    socket.AF_INET6: (socket.IPPROTO_IPV6, 25),
}
_EXTENDED_ERROR = struct.Struct("=I")  # the number, which struct sock_extended_err begins with


class Listener(Protocol):
    """Who is told what happens."""

    def replied(self, reply: Reply) -> None:
        """A reply came."""

    def lost(self, sequence: int) -> None:
        """No reply came in time."""

    def failed(self, sequence: int | None, error: OSError) -> None:
        """The system or the network says that a packet did not get there.

        Without a ``sequence`` it cannot be told which.
        """

    def strayed(self, size: int, source: str, sequence: int | None) -> None:
        """Something came that is no reply, or the reply to ``sequence`` from a wrong ``source``."""


class PingSocket:
    """A UDP socket for one peer, that hears of everything that concerns it.

    A connected socket would not see replies that come from another address, and
    they say a lot: a server that answers from the wrong socket is a common mistake.
    On Linux the network's error messages come without a connection too, with the
    packet that they are about (ip(7), ``IP_RECVERR``); elsewhere the socket is
    connected after all.

    ``peer`` is the address. Raises ``Unreachable`` when it has none that works.
    """

    def __init__(self, destination: Destination) -> None:
        family, self._address = _choose(destination)
        self.peer = _name(self._address)
        self._socket = socket.socket(family, socket.SOCK_DGRAM)
        self._has_queue = sys.platform.startswith("linux")
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)
        if self._has_queue:
            self._socket.setsockopt(*_RECVERR[socket.AddressFamily(family)], 1)
        else:
            self._socket.connect(self._address)

    def fileno(self) -> int:
        """The descriptor, for ``select``."""
        return self._socket.fileno()

    def close(self) -> None:
        """Gives the socket back to the system."""
        self._socket.close()

    def send(self, packet: bytes) -> None:
        """Sends ``packet``. Raises ``OSError``, also for what the network said of earlier ones."""
        if self._has_queue:
            self._socket.sendto(packet, self._address)
        else:
            self._socket.send(packet)

    def receive(self) -> tuple[bytes, str] | None:
        """A datagram and where it came from, if there is one. Raises as ``send``."""
        try:
            data, source = self._socket.recvfrom(65535, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return None
        return data, _name(source)

    def errors(self) -> list[tuple[OSError, bytes]]:
        """What the network has said, each with what it quotes of the packet; Linux only."""
        errors: list[tuple[OSError, bytes]] = []
        while self._has_queue:
            try:
                data, ancillary, _, _ = self._socket.recvmsg(
                    65535, 512, socket.MSG_ERRQUEUE | socket.MSG_DONTWAIT
                )
            except OSError:  # there are no more
                break
            for _, _, message in ancillary:
                (number,) = _EXTENDED_ERROR.unpack_from(message)
                errors.append((OSError(number, os.strerror(number)), data))
        return errors


class Pinging:
    """Sends packets and takes replies until all is done, or ``stop`` becomes readable.

    count     packets to send; ``None``: any number
    interval  seconds from one packet to the next
    window    packets that may be waiting for a reply at a time; ``None``: any number
    stop      a descriptor
    """

    def __init__(
        self,
        sock: PingSocket,
        pings: Pings,
        listener: Listener,
        *,
        count: int | None,
        interval: float,
        window: int | None,
        stop: int,
    ) -> None:
        self._socket = sock
        self._pings = pings
        self._listener = listener
        self._count = count
        self._interval = interval
        self._window = window
        self._stop = stop
        self._last_sent = 0.0
        self.duration = 0.0
        """Seconds that it took, when it is over."""

    def run(self) -> None:
        """Returns when every packet has its reply or is lost, or when told to stop."""
        began = send_at = monotonic()
        watched = [self._socket.fileno(), self._stop]
        try:
            while True:
                now = monotonic()
                for sequence in self._pings.expire(now):
                    self._listener.lost(sequence)
                if self._may_send() and now >= send_at:
                    self._send()
                    send_at = self._after(send_at, now)
                wake_at = self._next_event(send_at)
                now = monotonic()
                if wake_at is None or (self._is_done() and now >= wake_at):
                    return
                # select(2) and not poll(2), which counts milliseconds
                ready, _, _ = select.select(watched, [], [], max(0.0, wake_at - now))
                if self._stop in ready:
                    return
                if ready:
                    self._receive()
        finally:
            self.duration = monotonic() - began

    def _after(self, send_at: float, now: float) -> float:
        """When the packet after this one is due; those that were missed are not made up for."""
        if not self._interval:
            return now
        return send_at + self._interval * (1 + (now - send_at) // self._interval)

    def _may_send(self) -> bool:
        if self._pings.sent_count == self._count:
            return False
        return self._window is None or self._pings.waiting < self._window

    def _is_done(self) -> bool:
        sent = self._pings.sent_count
        return sent == self._count and not self._pings.waiting

    def _next_event(self, send_at: float) -> float | None:
        if self._is_done():
            patience = min(self._pings.wait, _PATIENCE * self._pings.round_trips.maximum)
            return self._last_sent + patience
        expiry = self._pings.next_expiry
        if not self._may_send():
            return expiry
        return send_at if expiry is None else min(send_at, expiry)

    def _send(self) -> None:
        packet = self._pings.next_packet
        for attempt in range(_ATTEMPTS):
            now = self._last_sent = monotonic()
            try:
                self._socket.send(packet)
            except OSError as error:
                # Mostly it is what the network said of an earlier packet, and this
                # one was not sent.
                if self._hear(error, sending=True) and attempt + 1 < _ATTEMPTS:
                    continue
                self._pings.sent(now)
                self._listener.failed(self._pings.failed(packet), error)
            else:
                self._pings.sent(now)
            return

    def _receive(self) -> None:
        for _ in range(_BUDGET):
            try:
                received = self._socket.receive()
            except OSError as error:
                self._hear(error)
                continue
            now = monotonic()
            if received is None:
                break
            self._take(*received, now)
        self._hear()

    def _hear(self, raised: OSError | None = None, *, sending: bool = False) -> bool:
        """Tells of what the network said of earlier packets; whether it said anything."""
        said = self._socket.errors()
        earlier = not sending or isinstance(raised, ConnectionRefusedError)
        if not said and raised is not None and earlier:
            said = [(raised, b"")]
        for error, quoted in said:
            self._listener.failed(self._pings.failed(quoted), error)
        return bool(said)

    def _take(self, data: bytes, source: str, now: float) -> None:
        if source == self._socket.peer:
            reply = self._pings.received(data, now)
            if reply is not None:
                self._listener.replied(reply)
                return
            sequence = None
        else:
            self._pings.strays += 1
            found = self._pings.recognize(data)
            sequence = None if found is None else found[0]
        self._listener.strayed(len(data), source, sequence)


def _choose(destination: Destination) -> Address:
    """The first of the destination's addresses that there is a way to, and its family."""
    failure: Exception = OSError("the host has no address")
    for family, address in look_up(destination):
        try:
            with socket.socket(family, socket.SOCK_DGRAM) as probe:
                probe.connect(address)  # sends nothing: it only looks for a route
                return family, probe.getpeername()
        except OSError as error:
            failure = error
    raise unreachable(destination, failure) from failure


def _name(address: tuple[Any, ...]) -> str:
    return str(Destination(address[0], address[1]))
