"""IP packets with UDP and TCP in them, as they look on the wire.

A server sees payloads; the kernel keeps the headers to itself. Here they are
drawn again, with lengths and checksums that are right, for a capture file.
What cannot be known is fixed: 64 hops, no fragments, no IP options. A scope
(``fe80::1%eth0``) is not part of a packet and is left out.

Internet Protocol: RFC 791 and RFC 8200; UDP: RFC 768; TCP: RFC 9293; the
checksum: RFC 1071.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from ipaddress import ip_address
from struct import Struct
from typing import TypeAlias

BytesLike: TypeAlias = bytes | bytearray | memoryview

Endpoint: TypeAlias = tuple[str, int]
"""An IP address as text, and a port."""

SEGMENT = 65_000
"""The most bytes put into one TCP segment: an IP packet holds at most 65,535 of all kinds."""

LONGEST_DATAGRAM = 65_507
"""The most bytes of payload in a UDP datagram on IPv4; on IPv6 there is room for 20 more."""

FIN, SYN, RST, PSH, ACK = 0x01, 0x02, 0x04, 0x08, 0x10

_IPV4 = Struct("!2sH6sH8s")
_IPV6 = Struct("!4sH34s")
_UDP = Struct("!HHHH")
_TCP = Struct("!HHIIBBHHH")
_UDP_NUMBER, _TCP_NUMBER = 17, 6  # https://www.iana.org/assignments/protocol-numbers
_HOPS = 64
_WINDOW = 65_535

# Of a SYN: maximum segment size, and windows of up to 1 GiB (RFC 7323, section 2),
# so that a reader does not take a drawn segment for more than the window allows.
_SYN_OPTIONS = b"\x02\x04" + SEGMENT.to_bytes(2, "big") + b"\x01\x03\x03\x0e"


@dataclass(frozen=True, slots=True)
class _Path:
    """What all packets from one endpoint to another have in common."""

    ipv6: bool
    addresses: bytes  # source, then target
    ports: tuple[int, int]
    ip_sum: int  # of the fields of an IPv4 header that stay the same
    pseudo_sum: int  # of ports, and of the pseudo-header but for the length


def longest_datagram(source: Endpoint, target: Endpoint) -> int:
    """The most bytes of payload that a UDP packet from ``source`` to ``target`` holds.

    On IPv4 a packet's length counts its own header, on IPv6 it does not.
    """
    extra = _IPV4.size if _path(source, target, _UDP_NUMBER).ipv6 else 0
    return LONGEST_DATAGRAM + extra


def udp_packet(source: Endpoint, target: Endpoint, data: BytesLike) -> bytes:
    """An IP packet with ``data``, at most ``longest_datagram`` bytes, in a UDP datagram.

    Text that is no IP address counts as the unspecified one, ``0.0.0.0`` or ``::``;
    when one end is IPv4 and the other IPv6, the first is mapped (``::ffff:192.0.2.1``).
    Raises ``struct.error`` for ports and lengths that no packet holds.
    """
    path = _path(source, target, _UDP_NUMBER)
    length = _UDP.size + len(data)
    checksum = -(path.pseudo_sum + 2 * length + _words(data)) % 0xFFFF
    # Zero would say that there is no checksum; all ones is the same number (RFC 768).
    udp = _UDP.pack(*path.ports, length, checksum or 0xFFFF)
    return b"".join((_ip_header(path, _UDP_NUMBER, length), udp, data))


def tcp_packet(
    source: Endpoint,
    target: Endpoint,
    sequence: int,
    acknowledged: int,
    flags: int,
    data: BytesLike = b"",
) -> bytes:
    """An IP packet with a TCP segment of at most ``SEGMENT`` bytes of ``data``.

    ``sequence`` and ``acknowledged`` may be beyond 32 bits: they wrap as TCP's do.
    A SYN carries the options that fit such segments. For addresses and errors
    see ``udp_packet``.
    """
    path = _path(source, target, _TCP_NUMBER)
    options = _SYN_OPTIONS if flags & SYN else b""
    length = _TCP.size + len(options) + len(data)
    fields = (
        *path.ports,
        sequence & 0xFFFFFFFF,
        acknowledged & 0xFFFFFFFF if flags & ACK else 0,
        (_TCP.size + len(options)) // 4 << 4,
        flags,
        _WINDOW,
    )
    head = _TCP.pack(*fields, 0, 0) + options
    # The ports are in the path's sum already.
    checksum = -(path.pseudo_sum + length + _words(head[4:]) + _words(data)) % 0xFFFF
    tcp = _TCP.pack(*fields, checksum, 0)
    return b"".join((_ip_header(path, _TCP_NUMBER, length), tcp, options, data))


def _ip_header(path: _Path, protocol: int, length: int) -> bytes:
    if path.ipv6:
        return _IPV6.pack(b"\x60\0\0\0", length, bytes((protocol, _HOPS)) + path.addresses)
    total = _IPV4.size + length
    checksum = -(path.ip_sum + total) % 0xFFFF
    # "Don't fragment": such a packet needs no identification (RFC 6864, section 4.1).
    unchanging = b"\0\0\x40\0" + bytes((_HOPS, protocol))
    return _IPV4.pack(b"\x45\0", total, unchanging, checksum, path.addresses)


@lru_cache(maxsize=4096)
def _path(source: Endpoint, target: Endpoint, protocol: int) -> _Path:
    packed = [_packed(source[0]), _packed(target[0])]
    ipv6 = any(each is not None and len(each) == 16 for each in packed)
    addresses = b"".join(_widened(each) if ipv6 else each or bytes(4) for each in packed)
    ports = (source[1], target[1])
    sum_of_addresses = _words(addresses)
    return _Path(
        ipv6,
        addresses,
        ports,
        0x4500 + 0x4000 + (_HOPS << 8 | protocol) + sum_of_addresses,
        sum_of_addresses + protocol + sum(ports),
    )


def _packed(text: str) -> bytes | None:
    try:
        return ip_address(text).packed
    except ValueError:
        return None


def _widened(packed: bytes | None) -> bytes:
    if packed is None:
        return bytes(16)
    return packed if len(packed) == 16 else bytes(10) + b"\xff\xff" + packed


def _words(data: BytesLike) -> int:
    """A number that is congruent, modulo 65,535, to the sum of the 16-bit words of ``data``.

    65,536 is 1 modulo 65,535, so all of ``data`` as one number is that already:
    five times faster than to add up word by word.
    """
    words = int.from_bytes(data, "big") % 0xFFFF
    return words << 8 if len(data) % 2 else words
