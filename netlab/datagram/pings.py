"""The packets of ``netlab ping``, what became of each, and the figures of them all.

There is no socket and no clock in here: packets and times (in seconds, of a
clock that never steps back) come in as arguments.

A packet is, in network byte order:

    ======  =====  ========  ====================================================
    offset  bytes  field     content
    ======  =====  ========  ====================================================
    0       4      magic     ``NLPG``
    4       4      session   random, the same in all packets of a run
    8       8      sequence  0, 1, 2, ...
    16      4      checksum  CRC-32 (that of zlib) of all the other bytes in order
    20      any    filler    each byte is its own offset, modulo 256
    ======  =====  ========  ====================================================

Every byte is known beforehand. So when a reply comes back damaged, it can be
said which bit is wrong, and mostly also which packet it was: a flipped bit in
the sequence number makes a wrong number, but not one that fits the checksum.

Each packet that was sent is counted once: ``received`` (its first reply came in
time), ``late`` (it came after ``wait`` seconds), ``lost`` (none came) or still
``waiting``. A late packet was lost until its reply came.
"""

from __future__ import annotations

import struct
import zlib
from collections import Counter, OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from itertools import combinations
from typing import Any

from .exchange import LONGEST
from .roundtrips import RoundTrips

HEADER = struct.Struct("!4sIQI")
MAGIC = b"NLPG"
SMALLEST = HEADER.size
LARGEST = LONGEST
KEPT = 50_000
"""Packets that are remembered after their fate is known; replies to older ones are strays."""

_CHECKSUM = slice(16, 20)
_SEQUENCE_BITS = 64
_DOUBT = 8
"""Wrong bits in a header that is still taken for one of ours; a foreign one has about 80."""


class Fate(Enum):
    """What became of a packet."""

    WAITING = "waiting"
    RECEIVED = "received"
    LATE = "late"
    LOST = "lost"


@dataclass(slots=True)
class Packet:
    """One that was sent: when, and the seconds until its first reply came."""

    sequence: int
    sent_at: float
    fate: Fate = Fate.WAITING
    rtt: float | None = None
    corrupted: bool = False


@dataclass(frozen=True, slots=True)
class Reply:
    """One that came back.

    rtt           seconds since its packet was sent
    duplicate     the packet had a reply before this one
    late          it came after ``wait`` seconds
    out_of_order  a first reply to a later packet was here before (RFC 4737, section 3)
    corruption    what is wrong with it, in words; empty when it is as it was sent
    """

    sequence: int
    size: int
    rtt: float
    duplicate: bool
    late: bool
    out_of_order: bool
    corruption: str


class Pings:
    """The packets of one run.

    session  a random number of 32 bits, that tells this run's packets from others'
    size     bytes of each packet, ``SMALLEST`` to ``LARGEST``
    wait     seconds after which a packet without a reply is lost

    To send: take ``next_packet``, send it, call ``sent``. Tell ``received`` of
    all that comes back, and call ``expire`` when it is ``next_expiry``.
    """

    def __init__(self, *, session: int, size: int = 64, wait: float = 1.0) -> None:
        if not SMALLEST <= size <= LARGEST:
            raise ValueError(f"size must be {SMALLEST} to {LARGEST}, not {size}")
        self.wait = wait
        self.size = size
        self.round_trips = RoundTrips(seed=session)
        self.sent_count = 0
        self.duplicates = 0
        self.out_of_order = 0
        self.corrupted = 0
        self.errors = 0
        self.strays = 0
        self._session = session
        self._filler = (bytes(range(256)) * (LARGEST // 256 + 1))[HEADER.size : size]
        self._packets: OrderedDict[int, Packet] = OrderedDict()
        self._counts: Counter[Fate] = Counter()
        self._highest = -1  # of the packets that have had a reply
        self._due = 0  # no packet before this one is waiting

    # -- sending

    @property
    def next_packet(self) -> bytes:
        """The packet that is to be sent next."""
        return self.packet(self.sent_count)

    def packet(self, sequence: int) -> bytes:
        """The packet of that number."""
        return self._head(sequence) + self._filler

    def sent(self, now: float) -> int:
        """``next_packet`` was sent at ``now``; returns its number."""
        sequence = self.sent_count
        self.sent_count += 1
        self._packets[sequence] = Packet(sequence, now)
        self._counts[Fate.WAITING] += 1
        while len(self._packets) > KEPT:
            oldest = next(iter(self._packets.values()))
            if oldest.fate is Fate.WAITING:
                break
            del self._packets[oldest.sequence]
        return sequence

    # -- what becomes of them

    def received(self, data: bytes, now: float) -> Reply | None:
        """``data`` came from the peer at ``now``; ``None`` says that it is a stray."""
        found = self.recognize(data)
        packet = None if found is None else self._packets.get(found[0])
        if found is None or packet is None:
            self.strays += 1
            return None
        sequence, corruption = found
        rtt = now - packet.sent_at
        late = now > packet.sent_at + self.wait
        duplicate = packet.rtt is not None
        out_of_order = not duplicate and sequence < self._highest
        self.corrupted += bool(corruption)
        self.duplicates += duplicate
        self.out_of_order += out_of_order
        if not duplicate:
            packet.rtt = rtt
            packet.corrupted = bool(corruption)
            self._highest = max(self._highest, sequence)
            self._settle(packet, Fate.LATE if late else Fate.RECEIVED)
            if not late:
                self.round_trips.add(rtt)
        return Reply(sequence, len(data), rtt, duplicate, late, out_of_order, corruption)

    def failed(self, quoted: bytes = b"") -> int | None:
        """The network says that a packet did not get there: counts an error, and it as lost.

        ``quoted`` is what the message returns of the packet. If that is not enough,
        the oldest one without a reply is taken. Returns its number, ``None`` when
        there is none.
        """
        self.errors += 1
        found = self.recognize(quoted)
        packet = self._packets.get(self._oldest() if found is None else found[0])
        if packet is None:
            return None
        if packet.fate is Fate.WAITING:
            self._settle(packet, Fate.LOST)
        return packet.sequence

    def expire(self, now: float) -> list[int]:
        """The numbers of the packets that are lost, now that it is ``now``."""
        lost = []
        while (packet := self._packets.get(self._oldest())) is not None:
            if now < packet.sent_at + self.wait:
                break
            self._settle(packet, Fate.LOST)
            lost.append(packet.sequence)
        return lost

    @property
    def next_expiry(self) -> float | None:
        """When the next packet will be lost if no reply comes; ``None`` when none waits."""
        packet = self._packets.get(self._oldest())
        return None if packet is None else packet.sent_at + self.wait

    def _oldest(self) -> int:
        """The oldest packet that waits; the one to be sent next when none does."""
        while self._due < self.sent_count:
            packet = self._packets.get(self._due)
            if packet is not None and packet.fate is Fate.WAITING:
                break
            self._due += 1
        return self._due

    def _settle(self, packet: Packet, fate: Fate) -> None:
        self._counts[packet.fate] -= 1
        self._counts[fate] += 1
        packet.fate = fate

    # -- which packet is it?

    def recognize(self, data: bytes) -> tuple[int, str] | None:
        """The number of the packet that ``data`` is, and what is wrong with it, in words.

        ``None`` when it is none that this run has sent. Bit n is bit n % 8 of byte
        n // 8, where 0 is the least significant.
        """
        if len(data) < HEADER.size:
            return None
        _, _, sequence, checksum = HEADER.unpack_from(data)
        if sequence < self.sent_count and data == self.packet(sequence):
            return sequence, ""
        if zlib.crc32(_covered(data)) == checksum:
            return None  # undamaged, so it is somebody else's
        nearest = self._nearest(sequence, int.from_bytes(data[: HEADER.size]))
        return None if nearest is None else (nearest, self._damage(data, self.packet(nearest)))

    def _nearest(self, sequence: int, head: int) -> int | None:
        """The packet whose header differs from ``head`` in the fewest bits."""
        best, nearest = _DOUBT + 1, None
        for flips in range(3):
            for candidate in _near(sequence, flips):
                if candidate < self.sent_count:
                    distance = (head ^ int.from_bytes(self._head(candidate))).bit_count()
                    if distance < best:
                        best, nearest = distance, candidate
            if best <= flips + 1:
                break  # those to come differ in so many bits of the sequence number alone
        return nearest

    def _damage(self, data: bytes, packet: bytes) -> str:
        if len(data) != len(packet):
            return f"{len(data)} bytes came back of {len(packet)}"
        wrong = int.from_bytes(data, "little") ^ int.from_bytes(packet, "little")
        if wrong.bit_count() == 1:
            return f"bit {wrong.bit_length() - 1} flipped"
        return f"{wrong.bit_count()} bits flipped"

    def _head(self, sequence: int) -> bytes:
        head = HEADER.pack(MAGIC, self._session, sequence, 0)[: _CHECKSUM.start]
        return head + zlib.crc32(self._filler, zlib.crc32(head)).to_bytes(4)

    # -- the figures

    @property
    def packets(self) -> list[Packet]:
        """The last ``KEPT`` of them, in the order they were sent."""
        return list(self._packets.values())

    def count(self, fate: Fate) -> int:
        """How many packets have that fate."""
        return self._counts[fate]

    @property
    def waiting(self) -> int:
        """How many packets have no reply, and are not lost yet."""
        return self._counts[Fate.WAITING]

    @property
    def answered(self) -> int:
        """How many packets had a reply, in time or late."""
        return self._counts[Fate.RECEIVED] + self._counts[Fate.LATE]

    @property
    def loss(self) -> float:
        """The share of lost packets, 0 to 1, of those whose fate is known."""
        settled = self.sent_count - self.waiting
        return self._counts[Fate.LOST] / settled if settled else 0.0

    def as_dict(self) -> dict[str, Any]:
        """All figures, for JSON; times in milliseconds, ``None`` where there is no value."""
        trips = self.round_trips
        figures: dict[str, Any] = {"sent": self.sent_count}
        figures |= {fate.value: self._counts[fate] for fate in Fate}
        figures |= {
            "loss_percent": round(100 * self.loss, 3),
            "duplicates": self.duplicates,
            "out_of_order": self.out_of_order,
            "corrupted": self.corrupted,
            "errors": self.errors,
            "strays": self.strays,
        }
        times = {
            "rtt_min_ms": trips.minimum,
            "rtt_avg_ms": trips.mean,
            "rtt_max_ms": trips.maximum,
            "rtt_mdev_ms": trips.mdev,
            "rtt_p50_ms": trips.percentile(50),
            "rtt_p90_ms": trips.percentile(90),
            "rtt_p99_ms": trips.percentile(99),
            "jitter_ms": trips.jitter,
        }
        for name, seconds in times.items():
            figures[name] = round(1000 * seconds, 3) if trips.count else None
        return figures


def _covered(data: bytes) -> bytes:
    """What the checksum is of."""
    return data[: _CHECKSUM.start] + data[_CHECKSUM.stop :]


def _near(number: int, flips: int) -> Iterator[int]:
    """The numbers that differ from ``number`` in so many bits."""
    for bits in combinations(range(_SEQUENCE_BITS), flips):
        candidate = number
        for bit in bits:
            candidate ^= 1 << bit
        yield candidate
