"""What waits to be written, and what every file format does with it.

A record is a plain tuple, as it costs the thread that makes it the least: its
kind, how many bytes of payload it holds, and

    DATAGRAM  time, direction, peer, host, data, size, fate, fields
    OPENED    time, connection
    SEGMENT   time, connection, direction, data, comment, whether a write ends
              with it, and two positions in the streams, from 0: where the data
              begins, and how much came the other way
    ENDED     time, connection, direction, comment, reset, and two such positions
    LOST      how many datagrams, and how many other records, are missing here

Times are nanoseconds since 1970.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from netlab.ledger.packets import Endpoint

if TYPE_CHECKING:
    from mmap import mmap

DATAGRAM, OPENED, SEGMENT, ENDED, LOST = range(5)

Record: TypeAlias = tuple[Any, ...]

LONGEST_FATE = 1000
"""The most characters of a fate or comment that are shown."""


@dataclass(frozen=True, slots=True)
class Connection:
    """One TCP connection: the peer, who opened it, this host, and the first sequence number."""

    peer: Endpoint
    host: Endpoint
    first: int


class Format(Protocol):
    """How records become a file. One instance for each file: it may count."""

    what: str
    """The name of such a file, for people."""
    kinds: frozenset[int]
    """The kinds of records that it takes."""

    def header(self) -> bytes:
        """What a file begins with, and also what goes on at the end of an earlier one."""

    def encode(self, record: Record, lost: int) -> bytes:
        """``record``, of one of ``kinds``, and before it that ``lost`` are missing.

        Raises any error for what cannot be written.
        """

    def missing(self, record: Record) -> int:
        """How many records for this file a ``LOST`` record counts."""

    def ending(self, lost: int) -> bytes:
        """What says, when nothing comes any more, that ``lost`` are missing at the end."""

    def footer(self, time: int, written: int, lost: int) -> bytes:
        """What a file ends with: at ``time``, ``written`` were and ``lost`` were not, in all."""

    def is_ours(self, head: bytes) -> bool:
        """Whether a file that begins with ``head``, 16 bytes or all of it, is of this format."""

    def whole(self, data: bytes | mmap) -> int:
        """How many bytes at the start of ``data``, such a file, are whole records."""
