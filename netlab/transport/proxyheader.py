"""The PROXY header that a load balancer puts in front of a connection.

Versions 1 and 2 of the PROXY protocol (haproxy.org, ``proxy-protocol.txt``),
parsed by Twisted's own parsers. The header comes first on the wire, before
any TLS; exactly its bytes are taken from the socket and not one more, so that
whatever follows finds the stream untouched.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable
from ipaddress import IPv4Address as IPv4
from ipaddress import IPv6Address as IPv6
from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.interfaces import IAddress
from twisted.protocols.haproxy import _v1parser, _v2parser
from twisted.protocols.haproxy._exceptions import InvalidProxyHeader

from netlab.errors import ConnectionReset, CorruptedFrame, HandshakeTimeout, NetlabError

from .hub import READ, Hub

_V1_MAX = 107  # "a 108-byte buffer is always enough" with its trailing zero, section 2.1
_V2_FIXED = 16
_V2_MAX = _V2_FIXED + 2048

Addresses = tuple[IAddress | None, IAddress | None]
Done = Callable[[socket.socket, IAddress | None, IAddress | None, NetlabError | None], None]


class ProxyHeader:
    """Waits for the header on ``sock`` and calls ``done`` once.

    ``done(sock, peer, host, error)``: the addresses the header gives, ``None``
    where it gives none (LOCAL, UNKNOWN), or the error that ends the connection.
    """

    def __init__(self, hub: Hub, sock: socket.socket, timeout: float | None, done: Done) -> None:
        self.hub = hub
        self.sock = sock
        self.done = done
        self.buffer = b""
        self._timeout = timeout
        self.deadline = float("inf") if timeout is None else hub.now + timeout
        self._fd = sock.fileno()
        self._finished = False
        hub.register(self._fd, self, READ)
        hub.start_ticking(self.tick)

    def tick(self, now: float) -> None:
        """Gives up when the header has not come in time."""
        if now >= self.deadline:
            text = f"no PROXY header within {self._timeout:g} s"
            self.finish(None, None, HandshakeTimeout(text))

    def readable(self) -> None:
        """Takes from the socket what is certain to belong to the header."""
        try:
            ahead = self.sock.recv(_V2_MAX, socket.MSG_PEEK)
            if ahead:
                self.buffer += self.sock.recv(self._belongs(ahead))
        except BlockingIOError:
            return
        except OSError as error:
            self.finish(None, None, ConnectionReset(str(error)))
            return
        if not ahead:
            self.finish(None, None, ConnectionReset("the peer hung up before its PROXY header"))
            return
        try:
            addresses = self._parse()
        except (InvalidProxyHeader, ValueError, KeyError, struct.error):
            text = "not a PROXY header: is the peer connecting without the load balancer?"
            self.finish(None, None, CorruptedFrame(text))
        else:
            if addresses is not None:
                self.finish(*addresses, None)

    def _belongs(self, ahead: bytes) -> int:
        have = len(self.buffer)
        total = self.buffer + ahead
        if have < _V2_FIXED and not total.startswith(b"PROXY"):
            return min(len(ahead), _V2_FIXED - have)
        if total.startswith(b"PROXY"):
            end = total.find(b"\n")
            return (end + 1 if end >= 0 else len(total)) - have
        length = _V2_FIXED + int(struct.unpack_from("!H", total, 14)[0])
        return min(len(ahead), max(0, length - have))

    def _parse(self) -> Addresses | None:
        """The header's addresses, or ``None``: it is not complete. Raises what a bad one raises."""
        buffer = self.buffer
        signature = _v2parser.V2Parser.PREFIX
        if buffer.startswith(b"PROXY"[: len(buffer)]):
            if len(buffer) > _V1_MAX:
                raise ValueError(buffer)
            if buffer == b"PROXY UNKNOWN\r\n":
                return None, None
            if buffer.endswith(b"\r\n"):
                return _checked(_v1parser.V1Parser.parse(buffer[:-2]))
            if b"\n" in buffer:
                raise ValueError(buffer)
        elif buffer.startswith(signature[: len(buffer)]):
            if len(buffer) >= _V2_FIXED:
                length = _V2_FIXED + struct.unpack_from("!H", buffer, 14)[0]
                if length > _V2_MAX:
                    raise ValueError(length)
                if len(buffer) == length:
                    return _checked(_v2parser.V2Parser.parse(buffer))
        else:
            raise ValueError(buffer)
        return None

    def event(self, mask: int) -> None:
        """Errors and hang-ups show themselves when read."""
        self.readable()

    def flush(self) -> None:
        """Nothing is ever written here."""

    def failed(self) -> None:
        """See ``Descriptor.failed``."""
        self.finish(None, None, ConnectionReset("internal error"))

    def finish(
        self, peer: IAddress | None, host: IAddress | None, error: NetlabError | None
    ) -> None:
        """Hands the socket on, or says why not."""
        if self._finished:
            return
        self._finished = True
        self.hub.stop_ticking(self.tick)
        self.hub.unregister(self._fd)
        self.done(self.sock, peer, host, error)


def _checked(info: Any) -> Addresses:
    return _usual(info.source), _usual(info.destination)


def _usual(address: IAddress | None) -> IAddress | None:
    """``address`` with its host as everybody writes it (RFC 5952): one host, one text.

    Raises ``ValueError`` when it is no address.
    """
    if isinstance(address, (IPv4Address, IPv6Address)) and not 0 <= address.port < 65536:
        raise ValueError(address.port)
    if isinstance(address, IPv6Address):
        return IPv6Address("TCP", str(IPv6(address.host)), address.port)
    if isinstance(address, IPv4Address):
        return IPv4Address("TCP", str(IPv4(address.host)), address.port)
    return address
