"""Datagrams with a forged source, by raw sockets (raw(7)): only root may send them."""

from __future__ import annotations

import ipaddress
import socket
import struct
from types import TracebackType
from typing import Self

from twisted.trial.unittest import SkipTest

Address = tuple[str, int]


class Forger:
    """Sends UDP datagrams on loopback that claim to come from anywhere.

    Skips the test where that is not allowed.
    """

    def __init__(self) -> None:
        self._socks: list[socket.socket] = []
        try:
            for family in (socket.AF_INET, socket.AF_INET6):
                sock = socket.socket(family, socket.SOCK_RAW, socket.IPPROTO_RAW)
                self._socks.append(sock)
        except PermissionError as error:
            self.close()
            raise SkipTest("forging a source needs the right to open raw sockets") from error
        except OSError:
            pass  # no IPv6

    def send(self, data: bytes, source: Address, target: Address) -> None:
        """``data`` goes to ``target`` and seems to come from ``source``."""
        six = ":" in target[0]
        family = socket.AF_INET6 if six else socket.AF_INET
        ends = socket.inet_pton(family, source[0]) + socket.inet_pton(family, target[0])
        length = 8 + len(data)
        udp = struct.pack("!HHHH", source[1], target[1], length, 0) + data
        if six:
            head = struct.pack("!IHBB", 6 << 28, length, socket.IPPROTO_UDP, 64) + ends
            pseudo = ends + struct.pack("!II", length, socket.IPPROTO_UDP)
            udp = udp[:6] + struct.pack("!H", _checksum(pseudo + udp) or 0xFFFF) + udp[8:]
        else:  # the checksum of the head is the kernel's to make, that of UDP may be left out
            total = 20 + length
            head = struct.pack("!BBHHHBBH", 0x45, 0, total, 0, 0, 64, socket.IPPROTO_UDP, 0) + ends
        sock = self._socks[six]
        sock.sendto(head + udp, (target[0], 0))

    def close(self) -> None:
        """No more."""
        for each in self._socks:
            each.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


def strangers(network: str = "198.18.0.0/15", port: int = 40000) -> list[Address]:
    """Thousands of addresses that nobody has (RFC 2544 has set them aside for tests)."""
    first = int(ipaddress.ip_network(network)[0])
    return [(str(ipaddress.ip_address(first + number)), port) for number in range(65536)]


def _checksum(data: bytes) -> int:
    """The Internet checksum (RFC 1071)."""
    data += bytes(len(data) % 2)
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF
