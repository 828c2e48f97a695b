"""Sockets with one peer, and the border where the system's errors become netlab's.

To connect a UDP socket sends nothing. It makes the kernel drop what comes from
anybody else, and report when the peer's machine says that nothing listens.
"""

from __future__ import annotations

import errno
import socket

from netlab.errors import LocalProtocolError

from .exchange import UsedPorts
from .lookup import Address

ROOM = 0.001
"""Seconds until it is worth trying again when there was no room. Nobody tells: a socket is
writable also while the network card's queue is full."""

_MOST = 65535
_ATTEMPTS = 20


class Refused(Exception):
    """There is no way to an address; ``error`` is what the system says."""

    def __init__(self, error: OSError) -> None:
        self.error = error
        super().__init__(error)


def connect(address: Address, used: UsedPorts | None = None) -> socket.socket:
    """A new socket, connected to ``address``, on a port that the kernel chooses at random.

    Not one of those in ``used``, to which it is added. Raises ``Refused``.
    """
    family, name = address
    for _ in range(_ATTEMPTS):
        try:
            sock = socket.socket(family, socket.SOCK_DGRAM)
        except OSError as error:
            raise Refused(error) from error
        try:
            sock.connect(name)
            if used is None or used.take(sock.getsockname()[1]):
                return sock
        except OSError as error:
            sock.close()
            raise Refused(error) from error
        except BaseException:
            sock.close()
            raise
        sock.close()
    return connect(address)  # the system has few ports: an old one must do


class Outlet:
    """The socket of datagrams that want no answer: one port for all of them.

    It goes to the first address until that refuses, then to the next one, and so on.
    """

    def __init__(self) -> None:
        self._socket: socket.socket | None = None
        self._address: Address | None = None
        self._refused: dict[Address, OSError] = {}

    def send(self, data: bytes, addresses: list[Address]) -> bool:
        """Sends ``data`` as ``transmit`` does; ``Refused`` when all addresses have refused.

        After that, all are worth a try again.
        """
        while True:
            sock = self._socket or self._open(addresses)
            try:
                return transmit(sock, data)
            except Refused as refused:
                assert self._address is not None
                self._refused[self._address] = refused.error
                self.close()

    def close(self) -> None:
        """Gives the socket back to the system; the next ``send`` makes another."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _open(self, addresses: list[Address]) -> socket.socket:
        error = OSError("the host has no address")
        for address in addresses:
            if address in self._refused:
                error = self._refused[address]
                continue
            try:
                self._socket = connect(address)
            except Refused as refused:
                error = self._refused[address] = refused.error
            else:
                self._socket.setblocking(False)
                self._address = address
                return self._socket
        self._refused.clear()
        raise Refused(error)


def transmit(sock: socket.socket, data: bytes) -> bool:
    """Sends ``data``; ``False`` when there is no room for it at the moment.

    Raises ``Refused``, mostly because of an earlier datagram (this one is not sent
    then), and ``LocalProtocolError`` when the system does not send so much.
    """
    try:
        sock.send(data)
    except (BlockingIOError, TimeoutError):
        return False
    except OSError as error:
        if error.errno == errno.ENOBUFS:
            return False
        if error.errno == errno.EMSGSIZE:
            raise LocalProtocolError(
                f"this system does not send a datagram of {len(data)} bytes"
            ) from error
        raise Refused(error) from error
    return True


def receive(sock: socket.socket) -> bytes | None:
    """A datagram; ``None`` when none is there, or none came in time. Raises ``Refused``."""
    try:
        return sock.recv(_MOST)
    except (BlockingIOError, TimeoutError):
        return None
    except OSError as error:
        raise Refused(error) from error
