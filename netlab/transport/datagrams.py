"""Sockets for datagrams: many are read, and many sent, in one go.

Both kinds of socket here give and take datagrams in batches. ``Datagram`` is
what one is on its way through: its bytes, the peer's address and the way back.
Addresses stay as the system writes them (a *name*) until somebody asks:
making Python's tuples of them costs as much as receiving the datagram.

``BatchSocket`` uses Linux's recvmmsg(2) and sendmmsg(2) through ctypes: one
call for up to 64 datagrams. ``PlainSocket`` does the same one by one with
Python's own ``socket`` module, for other systems.
"""

from __future__ import annotations

import ctypes
import errno
import mmap
import os
import socket
import struct
import sys
from collections.abc import Sequence
from typing import Any, Literal, Protocol

BATCH = 64
"""The most datagrams that one ``receive`` returns."""
LONGEST = 65507
"""The longest payload of a UDP datagram on IPv4 (RFC 768, RFC 791); IPv6 has room for 65,527."""
_MOST = 65535

Name = Any
"""A peer's address as the socket knows it, to be handed back to it. Names are equal when
the addresses are; a ``BatchSocket`` makes bytes of them, a ``PlainSocket`` tuples."""
Peer = tuple[Any, ...]
"""A peer's address as Python's ``socket`` writes it: (host, port), on IPv6 with two more."""
Way = bytes
"""How to answer from the address that was asked: empty where there is only one."""
Datagram = tuple[bytes, Name, Way]

_NUMERIC = socket.NI_NUMERICHOST | socket.NI_NUMERICSERV
_RECEIVE_BUFFER = 1 << 20
"""Bytes that the kernel is asked to hold for us: a burst comes while others are served."""

DROP_BROADCAST = b"broadcast"
DROP_MULTICAST = b"multicast"
"""Ways of datagrams that were not sent to this machine alone."""


class DatagramSocket(Protocol):
    """What both kinds of socket do. ``OSError`` is raised as the system reports it."""

    sock: socket.socket

    def receive(self, most: int = BATCH) -> list[Datagram]:
        """Returns what has come, ``most`` (``BATCH`` or less) at most; may be empty."""

    def send(self, datagrams: Sequence[tuple[Any, ...]]) -> int:
        """Sends ``datagrams``, ``BATCH`` at most; returns how many the system took.

        Each is a tuple that begins as a ``Datagram``. Raises ``OSError`` when it takes
        not even the first of them.
        """

    def peer(self, name: Name) -> Peer:
        """The address that ``name`` stands for."""

    def name(self, peer: Peer) -> Name:
        """The name of an address. Raises ``OSError`` or ``ValueError`` when it is none."""

    def host(self, way: Way) -> str:
        """The address of this machine that a datagram came to, or goes from."""

    def source(self, name: Name) -> bytes | str:
        """Whom to count this peer as: its IPv4 address, or its IPv6 network of 64 bits."""

    def port(self, name: Name) -> int:
        """The peer's port."""


def bind(host: str, port: int) -> DatagramSocket:
    """A non-blocking UDP socket on ``host`` (a numeric address) and ``port``.

    ``0.0.0.0`` and ``::`` are all addresses of their family, and of no other.
    Raises ``OSError``.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    address = socket.getaddrinfo(
        host, port, family, socket.SOCK_DGRAM, 0, socket.AI_NUMERICHOST | socket.AI_PASSIVE
    )[0][4]
    sock = socket.socket(family, socket.SOCK_DGRAM)
    try:
        sock.setblocking(False)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER)
        sock.bind(address)
        everywhere = address[0] in ("0.0.0.0", "::")
        if _library is not None:
            return BatchSocket(sock, everywhere=everywhere)
        return PlainSocket(sock)
    except BaseException:
        sock.close()
        raise


class PlainSocket:
    """One datagram a call, with nothing but Python's ``socket``.

    On a socket for all addresses the system chooses the address it answers from.
    """

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock

    def receive(self, most: int = BATCH) -> list[Datagram]:
        """See ``DatagramSocket``."""
        datagrams: list[Datagram] = []
        for _ in range(most):
            try:
                data, name = self.sock.recvfrom(_MOST)
            except BlockingIOError:
                break
            except OSError:
                if not datagrams:
                    raise
                break
            datagrams.append((data, name, b""))
        return datagrams

    def send(self, datagrams: Sequence[tuple[Any, ...]]) -> int:
        """See ``DatagramSocket``."""
        for sent, datagram in enumerate(datagrams):
            try:
                self.sock.sendto(datagram[0], datagram[1])
            except OSError:
                if not sent:
                    raise
                return sent
        return len(datagrams)

    def peer(self, name: Name) -> Peer:
        """See ``DatagramSocket``."""
        return tuple(name)

    def name(self, peer: Peer) -> Name:
        """See ``DatagramSocket``."""
        address, port, flow, scope = _parts(self.sock.family, peer)
        host = socket.inet_ntop(self.sock.family, address)
        if self.sock.family == socket.AF_INET:
            return host, port
        # As recvfrom writes it: with the name of the link, where it has a part in the address.
        host, _ = socket.getnameinfo((host, port, flow, scope), _NUMERIC)
        return host, port, flow, scope

    def host(self, way: Way) -> str:
        """See ``DatagramSocket``."""
        return str(self.sock.getsockname()[0])

    def source(self, name: Name) -> bytes | str:
        """See ``DatagramSocket``."""
        host: str = name[0]
        if ":" not in host:
            return host
        return socket.inet_pton(socket.AF_INET6, host.partition("%")[0])[:8]

    def port(self, name: Name) -> int:
        """See ``DatagramSocket``."""
        return int(name[1])


def _parts(family: int, peer: Peer) -> tuple[bytes, int, int, int]:
    """The bytes, port, flow and scope of an address. Raises ``OSError`` or ``ValueError``."""
    six = family == socket.AF_INET6
    if not isinstance(peer, tuple) or len(peer) not in ((2, 4) if six else (2,)):
        raise ValueError("an address is (host, port), on IPv6 with or without flow and scope")
    host, port, flow, scope = (*peer, 0, 0)[:4]
    if not isinstance(host, str):
        raise ValueError(f"host {host!r} is not text")
    if six and "%" in host:
        host, _, zone = host.partition("%")
        scope = int(zone) if zone.isdecimal() else socket.if_nametoindex(zone)
    for what, number, most in (("port", port, 65535), ("flow", flow, 0xFFFFF)):
        if not isinstance(number, int) or not 0 <= number <= most:
            raise ValueError(f"{what} {number!r} is not from 0 to {most}")
    if not isinstance(scope, int) or not 0 <= scope <= 0xFFFFFFFF:
        raise ValueError(f"scope {scope!r} is no interface")
    return socket.inet_pton(family, host), port, flow, scope


# -- recvmmsg(2) and sendmmsg(2)


class _Vector(ctypes.Structure):  # struct iovec
    _fields_ = (("base", ctypes.c_void_p), ("length", ctypes.c_size_t))


class _Message(ctypes.Structure):  # struct mmsghdr, with its struct msghdr
    _fields_ = (
        ("name", ctypes.c_void_p),
        ("name_length", ctypes.c_uint32),
        ("vectors", ctypes.POINTER(_Vector)),
        ("vectors_count", ctypes.c_size_t),
        ("control", ctypes.c_void_p),
        ("control_length", ctypes.c_size_t),
        ("flags", ctypes.c_int),
        ("_end", ctypes.c_void_p * 0),  # pads struct msghdr to its own alignment
        ("length", ctypes.c_uint),
    )


def _load() -> Any:
    if not sys.platform.startswith("linux"):
        return None
    library = ctypes.CDLL(None, use_errno=True)
    if not hasattr(library, "recvmmsg") or not hasattr(library, "sendmmsg"):
        return None
    pointer, uint, int_ = ctypes.c_void_p, ctypes.c_uint, ctypes.c_int
    library.recvmmsg.argtypes = (int_, pointer, uint, int_, pointer)
    library.sendmmsg.argtypes = (int_, pointer, uint, int_)
    return library


_library = _load()
_STRIDE = 65536 + 192
"""Bytes from one datagram's place to the next: no power of two, or all would share one
line of the processor's cache."""
_NAME = 28  # sizeof(struct sockaddr_in6)
_CONTROL = 64
_PKTINFO, _RECVPKTINFO, _IPV6_PKTINFO = 8, 49, 50  # ip(7), ipv6(7)
_KNOWN_WAYS = 1024


class _Places:
    """Memory for ``BATCH`` datagrams and the headers that describe it to the kernel."""

    def __init__(self, name_size: int, control_size: int) -> None:
        self.data = mmap.mmap(-1, BATCH * _STRIDE)
        self.names = mmap.mmap(-1, BATCH * _NAME)
        self.controls = mmap.mmap(-1, BATCH * _CONTROL)
        self.headers = mmap.mmap(-1, BATCH * ctypes.sizeof(_Message))
        self._vectors = (_Vector * BATCH)()
        messages = (_Message * BATCH).from_buffer(self.headers)
        data, names, controls = map(_address, (self.data, self.names, self.controls))
        for index in range(BATCH):
            vector, message = self._vectors[index], messages[index]
            vector.base = data + index * _STRIDE
            vector.length = _MOST
            message.name = names + index * _NAME
            message.name_length = name_size
            message.vectors = ctypes.pointer(vector)
            message.vectors_count = 1
            if control_size:
                message.control = controls + index * _CONTROL
                message.control_length = control_size
        self.address = ctypes.addressof(messages)
        self.fresh = bytes(self.headers)
        self.lengths = _column(memoryview(self.headers), _Message, "length", "I")
        sizes = memoryview(self._vectors).cast("B")
        # On Linux an unsigned long is as wide as a size_t.
        self.sizes = _column(sizes, _Vector, "length", "L")
        # Made once: building a slice costs as much as using it.
        self.starts = range(0, BATCH * _STRIDE, _STRIDE)
        self.name_places = [slice(at * _NAME, at * _NAME + name_size) for at in range(BATCH)]
        self.control_places = [
            slice(at * _CONTROL, at * _CONTROL + control_size) for at in range(BATCH)
        ]


def _column(
    memory: memoryview, kind: type[ctypes.Structure], field: str, letter: Literal["I", "L"]
) -> memoryview[int]:
    """The numbers in ``field`` of all structures in ``memory``, to be read and set by index."""
    size = struct.calcsize(letter)
    first = getattr(kind, field).offset // size
    return memory.cast("B").cast(letter)[first :: ctypes.sizeof(kind) // size]


def _address(memory: mmap.mmap) -> int:
    return ctypes.addressof(ctypes.c_char.from_buffer(memory))


class BatchSocket:
    """Datagrams by recvmmsg(2) and sendmmsg(2). A name is a ``struct sockaddr``."""

    def __init__(self, sock: socket.socket, *, everywhere: bool) -> None:
        self.sock = sock
        self._six = sock.family == socket.AF_INET6
        self._everywhere = everywhere
        self._ways: dict[bytes, Way] = {}
        name_size = 28 if self._six else 16
        control_size = 0
        if everywhere:
            # The kernel says which of our addresses was asked, and answers from it.
            control_size = socket.CMSG_SPACE(20 if self._six else 12)
            if self._six:
                sock.setsockopt(socket.IPPROTO_IPV6, _RECVPKTINFO, 1)
            else:
                sock.setsockopt(socket.IPPROTO_IP, _PKTINFO, 1)
            self._any_way = _control(sock.family, bytes(20 if self._six else 12))
        self._in = _Places(name_size, control_size)
        self._out = _Places(name_size, control_size)
        self._source = slice(8, 16) if self._six else slice(4, 8)

    def receive(self, most: int = BATCH) -> list[Datagram]:
        """See ``DatagramSocket``."""
        places = self._in
        places.headers[:] = places.fresh  # the kernel has written into the last ones
        count = _library.recvmmsg(
            self.sock.fileno(), places.address, most, socket.MSG_DONTWAIT, None
        )
        if count <= 0:
            number = ctypes.get_errno()
            if count == 0 or number in (errno.EAGAIN, errno.EINTR):
                return []
            raise OSError(number, os.strerror(number))
        data, names = places.data, places.names
        if not self._everywhere:
            return [
                (data[start : start + length], names[place], b"")
                for start, length, place in zip(
                    places.starts, places.lengths[:count], places.name_places, strict=False
                )
            ]
        datagrams: list[Datagram] = []
        ways = self._ways
        for index in range(count):
            start = places.starts[index]
            control = places.controls[places.control_places[index]]
            way = ways.get(control)
            if way is None:
                way = self._way(control)
            datagrams.append(
                (
                    data[start : start + places.lengths[index]],
                    names[places.name_places[index]],
                    way,
                )
            )
        return datagrams

    def send(self, datagrams: Sequence[tuple[Any, ...]]) -> int:
        """See ``DatagramSocket``."""
        places = self._out
        data, names, sizes = places.data, places.names, places.sizes
        index = 0
        for datagram, start, place in zip(
            datagrams, places.starts, places.name_places, strict=False
        ):
            payload = datagram[0]
            size = sizes[index] = len(payload)
            data[start : start + size] = payload
            names[place] = datagram[1]
            if self._everywhere:
                way = datagram[2] or self._any_way
                places.controls[places.control_places[index]] = way
            index += 1
        count: int = _library.sendmmsg(
            self.sock.fileno(), places.address, index, socket.MSG_DONTWAIT
        )
        if count < 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))
        return count

    def _way(self, control: bytes) -> Way:
        """What to send with an answer, made of what came with the question."""
        start = socket.CMSG_LEN(0)
        if self._six:
            address, interface = struct.unpack_from("16sI", control, start)
            if address[:2] != b"\xfe\x80":  # only a link's own addresses need the link named
                interface = 0
            way = _control(self.sock.family, struct.pack("16sI", address, interface))
            if address[0] == 0xFF:
                way = DROP_MULTICAST
        else:
            _, local, asked = struct.unpack_from("I4s4s", control, start)
            way = _control(self.sock.family, struct.pack("I4s4s", 0, local, local))
            if asked != local:
                way = DROP_MULTICAST if 224 <= asked[0] < 240 else DROP_BROADCAST
        if len(self._ways) >= _KNOWN_WAYS:
            self._ways.clear()
        self._ways[control] = way
        return way

    def peer(self, name: Name) -> Peer:
        """See ``DatagramSocket``."""
        if not self._six:
            return socket.inet_ntoa(name[4:8]), int.from_bytes(name[2:4])
        (scope,) = struct.unpack_from("I", name, 24)
        host = socket.inet_ntop(socket.AF_INET6, name[8:24])
        return host, int.from_bytes(name[2:4]), int.from_bytes(name[4:8]), scope

    def name(self, peer: Peer) -> Name:
        """See ``DatagramSocket``."""
        address, port, flow, scope = _parts(self.sock.family, peer)
        head = struct.pack("H", self.sock.family) + port.to_bytes(2)
        if not self._six:
            return head + address + bytes(8)
        return head + flow.to_bytes(4) + address + struct.pack("I", scope)

    def host(self, way: Way) -> str:
        """See ``DatagramSocket``."""
        if len(way) < socket.CMSG_LEN(8):  # none, or one of those that are dropped
            return str(self.sock.getsockname()[0])
        start = socket.CMSG_LEN(0)
        if self._six:
            return socket.inet_ntop(socket.AF_INET6, way[start : start + 16])
        return socket.inet_ntoa(way[start + 4 : start + 8])

    def source(self, name: Name) -> bytes | str:
        """See ``DatagramSocket``."""
        source: bytes = name[self._source]
        return source

    def port(self, name: Name) -> int:
        """See ``DatagramSocket``."""
        return int.from_bytes(name[2:4])


def _control(family: int, content: bytes) -> bytes:
    """A control message that names the address to send from (struct cmsghdr, cmsg(3))."""
    six = family == socket.AF_INET6
    level, kind = (socket.IPPROTO_IPV6, _IPV6_PKTINFO) if six else (socket.IPPROTO_IP, _PKTINFO)
    head = struct.pack("Nii", socket.CMSG_LEN(len(content)), level, kind)
    start = socket.CMSG_LEN(0)
    return (head.ljust(start, b"\0") + content).ljust(socket.CMSG_SPACE(len(content)), b"\0")
