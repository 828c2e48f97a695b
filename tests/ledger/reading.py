"""A reader of captures that shares nothing with the code under test.

Written from draft-ietf-opsawg-pcapng and the RFCs of IP, UDP and TCP; it is strict,
and raises AssertionError for what a writer must not write.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16


@dataclass
class Block:
    """One block: its type, its body, and the options at the end of the body."""

    kind: int
    body: bytes
    options: dict[int, bytes] = field(default_factory=dict)


@dataclass
class Packet:
    """One IP packet with UDP or TCP in it, and what the capture says of it."""

    time: int
    direction: str
    comment: str
    lost: int
    source: tuple[str, int]
    target: tuple[str, int]
    protocol: str
    data: bytes
    sequence: int = 0
    acknowledged: int = 0
    flags: int = 0


@dataclass
class Section:
    """A section of a capture."""

    application: str
    interface: dict[str, Any]
    packets: list[Packet]
    statistics: list[dict[str, int]]


def u16(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 2], "little")


def u32(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 4], "little")


def u64(data: bytes) -> int:
    assert len(data) == 8
    return int.from_bytes(data, "little")


def check(good: bool, what: str) -> None:
    if not good:
        raise AssertionError(what)


_FIXED = {0x0A0D0D0A: 16, 1: 8, 5: 12, 6: 20}


def blocks(data: bytes) -> Iterator[Block]:
    """Every block of ``data``, which must end with a whole one."""
    at = 0
    while at < len(data):
        kind, total = u32(data, at), u32(data, at + 4)
        check(kind in _FIXED, f"block type {kind} at {at}")
        check(total % 4 == 0 and total >= 12, f"length {total} at {at}")
        check(at + total <= len(data), f"the block at {at} is torn")
        check(u32(data, at + total - 4) == total, f"lengths of the block at {at} differ")
        body = data[at + 8 : at + total - 4]
        fixed = _FIXED[kind]
        if kind == 6:
            size = u32(body, 12)
            fixed += size + -size % 4
            check(not any(body[20 + size : fixed]), "padding that is not zero")
        yield Block(kind, body, dict(options(body[fixed:])))
        at += total


def options(data: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    seen = set()
    while True:
        check(at + 4 <= len(data), "options without an end")
        code, length = u16(data, at), u16(data, at + 2)
        if code == 0:
            check(length == 0 and at + 4 == len(data), "the end of options is not the end")
            return
        check(code not in seen, f"option {code} twice")
        seen.add(code)
        value = data[at + 4 : at + 4 + length]
        check(len(value) == length, "an option is torn")
        at += 4 + length
        check(not any(data[at : at + -length % 4]), "padding that is not zero")
        at += -length % 4
        yield code, value


def sections(data: bytes) -> list[Section]:
    """What is in a capture."""
    found: list[Section] = []
    described = False
    for block in blocks(data):
        body, given = block.body, block.options
        if block.kind == 0x0A0D0D0A:
            check(u32(body, 0) == 0x1A2B3C4D, "byte order")
            check((u16(body, 4), u16(body, 6)) == (1, 0), "version")
            check(body[8:16] == b"\xff" * 8, "section length")
            found.append(Section(given[4].decode(), {}, [], []))
            described = False
        elif block.kind == 1:
            check(not described, "two interfaces")
            check(u16(body, 2) == 0, "reserved")
            found[-1].interface = {
                "link": u16(body, 0),
                "snap": u32(body, 4),
                "name": given[2].decode(),
                "resolution": given[9][0],
            }
            check(len(given[9]) == 1, "if_tsresol")
            described = True
        elif block.kind == 5:
            check(described and u32(body, 0) == 0, "interface")
            taken = u32(body, 4) << 32 | u32(body, 8)
            end = given[3]
            check(u32(end, 0) << 32 | u32(end, 4) == taken, "isb_endtime")
            found[-1].statistics.append(
                {"time": taken, "received": u64(given[4]), "dropped": u64(given[5])}
            )
        else:
            check(described and u32(body, 0) == 0, "interface")
            size = u32(body, 12)
            check(u32(body, 16) == size, "original length")
            time = u32(body, 4) << 32 | u32(body, 8)
            check(len(given[2]) == 4 and u32(given[2], 0) in (1, 2), "epb_flags")
            direction = "in" if u32(given[2], 0) == 1 else "out"
            comment = given.get(1, b"").decode()
            lost = u64(given[4]) if 4 in given else 0
            packet = ip_packet(body[20 : 20 + size])
            packet.time, packet.direction = time, direction
            packet.comment, packet.lost = comment, lost
            found[-1].packets.append(packet)
    return found


def packets(data: bytes) -> list[Packet]:
    """The packets of a capture, of all its sections."""
    return [packet for section in sections(data) for packet in section.packets]


def ones_complement(data: bytes) -> int:
    """The sum of RFC 1071, word by word."""
    if len(data) % 2:
        data += b"\0"
    total = 0
    for at in range(0, len(data), 2):
        total += data[at] << 8 | data[at + 1]
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total


def ip_packet(data: bytes) -> Packet:
    """Takes an IP packet apart; its lengths and checksums must be right."""
    version = data[0] >> 4
    if version == 4:
        check(data[0] == 0x45, "IPv4 header length")
        check(int.from_bytes(data[2:4], "big") == len(data), "IPv4 total length")
        check(ones_complement(data[:20]) == 0xFFFF, "IPv4 header checksum")
        check(data[6:8] == b"\x40\0", "fragment")
        protocol, payload = data[9], data[20:]
        ends = [socket.inet_ntop(socket.AF_INET, data[at : at + 4]) for at in (12, 16)]
        pseudo = data[12:20]
    else:
        check(version == 6, f"IP version {version}")
        check(int.from_bytes(data[4:6], "big") == len(data) - 40, "IPv6 payload length")
        protocol, payload = data[6], data[40:]
        ends = [socket.inet_ntop(socket.AF_INET6, data[at : at + 16]) for at in (8, 24)]
        pseudo = data[8:40]
    pseudo += len(payload).to_bytes(4, "big") + bytes((0, 0, 0, protocol))
    check(ones_complement(pseudo + payload) == 0xFFFF, "UDP or TCP checksum")
    ports = [int.from_bytes(payload[at : at + 2], "big") for at in (0, 2)]
    source, target = zip(ends, ports, strict=True)
    if protocol == 17:
        check(int.from_bytes(payload[4:6], "big") == len(payload), "UDP length")
        check(payload[6:8] != b"\0\0", "no UDP checksum")
        return Packet(0, "", "", 0, source, target, "udp", payload[8:])
    check(protocol == 6, f"protocol {protocol}")
    header = payload[12] >> 4 << 2
    return Packet(
        0,
        "",
        "",
        0,
        source,
        target,
        "tcp",
        payload[header:],
        sequence=int.from_bytes(payload[4:8], "big"),
        acknowledged=int.from_bytes(payload[8:12], "big"),
        flags=payload[13],
    )


def streams(found: list[Packet]) -> list[tuple[bytes, bytes]]:
    """What each TCP connection carried: from who opened it, and back.

    Reassembled by sequence numbers; every byte must be there once.
    """
    open_ones: dict[frozenset[tuple[str, int]], Any] = {}
    carried = []
    for packet in found:
        if packet.protocol != "tcp":
            continue
        ends = frozenset((packet.source, packet.target))
        if packet.flags & SYN and not packet.flags & ACK:
            open_ones[ends] = {packet.source: [packet.sequence + 1, b""]}
            carried.append((open_ones[ends], packet.source, packet.target))
            continue
        flow = open_ones[ends]
        if packet.flags & SYN:
            flow[packet.source] = [packet.sequence + 1, b""]
            continue
        mine, other = flow[packet.source], flow[packet.target]
        check(packet.sequence == mine[0] & 0xFFFFFFFF, "sequence number")
        check(packet.acknowledged == other[0] & 0xFFFFFFFF, "acknowledgement")
        mine[0] += len(packet.data) + (1 if packet.flags & FIN else 0)
        mine[1] += packet.data
    return [(flow[source][1], flow[target][1]) for flow, source, target in carried]


def lines(data: bytes) -> list[dict[str, Any]]:
    """The objects of a ledger, whose bytes must be harmless on a terminal."""
    check(not data or data.endswith(b"\n"), "the last line is torn")
    check(all(byte == 10 or 32 <= byte < 127 for byte in data), "a raw control character")

    def plain(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        check(len({key for key, _ in pairs}) == len(pairs), "a key twice")
        return dict(pairs)

    def never(text: str) -> None:
        raise AssertionError(f"{text} is not JSON")

    return [
        json.loads(line, object_pairs_hook=plain, parse_constant=never)
        for line in data.splitlines()
    ]
