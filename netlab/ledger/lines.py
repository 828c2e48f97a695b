"""The fate ledger: JSON lines (https://jsonlines.org), one object for each datagram.

    {"time":"2026-03-01T12:00:00.000250Z","direction":"in","peer":"192.0.2.1:4711",
     "host":"192.0.2.2:8007","size":64,"fate":"dropped: loss","index":7}

on one line, its keys in that order. All is ASCII without control characters,
so that a line can be shown on a terminal whatever a peer had sent.
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from json import JSONEncoder
from math import isfinite
from typing import TYPE_CHECKING, Any

from netlab.escaping import escape
from netlab.ledger.packets import Endpoint
from netlab.ledger.records import DATAGRAM, LONGEST_FATE, Record

LONGEST_FIELDS = 16 * 1024
"""The most bytes of a line's fields; longer ones are left out, and the line says so."""

if TYPE_CHECKING:
    from mmap import mmap

_PLAIN = 1 << 63


def _other(value: object) -> str:
    """What JSON has no word for."""
    return escape(value if isinstance(value, bytes) else repr(value))


_encode = JSONEncoder(separators=(",", ":"), allow_nan=False, default=_other).encode


class Ledger:
    """See ``netlab.ledger.records.Format``."""

    what = "ledger"
    kinds = frozenset((DATAGRAM,))

    def header(self) -> bytes:
        """Nothing."""
        return b""

    def encode(self, record: Record, lost: int) -> bytes:
        """The line of a datagram."""
        _, _, time, direction, peer, host, _, size, fate, fields = record
        line = (
            f'{{"time":{_time(time)},"direction":{_text(direction)},'
            f'"peer":{_endpoint(peer)},"host":{_endpoint(host)},'
            f'"size":{size:d},"fate":{_text(fate)}{_fields(fields) if fields else ""}}}\n'
        ).encode("ascii")
        return self.ending(lost) + line if lost else line

    def missing(self, record: Record) -> int:
        """The datagrams."""
        count: int = record[2]
        return count

    def ending(self, lost: int) -> bytes:
        """The line that says so."""
        return b'{"lost_records":%d}\n' % lost

    def footer(self, time: int, written: int, lost: int) -> bytes:
        """Nothing."""
        return b""

    def is_ours(self, head: bytes) -> bool:
        """Whether it begins as a JSON object does."""
        return head.startswith(b"{")

    def whole(self, data: bytes | mmap) -> int:
        """Up to the last line feed."""
        return whole_lines(data)


def whole_lines(data: bytes | mmap) -> int:
    """How many bytes at the start of ``data`` are whole lines."""
    return data.rfind(b"\n") + 1


def _time(time: int) -> str:
    """RFC 3339, in UTC, with microseconds."""
    seconds, nanoseconds = divmod(time, 1_000_000_000)
    return f'"{_second(seconds)}.{nanoseconds // 1000:06d}Z"'


@lru_cache(maxsize=16)
def _second(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None).isoformat()


@lru_cache(maxsize=1024)
def _text(text: str) -> str:
    return _encode(escape(text, LONGEST_FATE))


@lru_cache(maxsize=4096)
def _endpoint(endpoint: Endpoint) -> str:
    address, port = endpoint[:2]
    shown = escape(address)
    return _encode(f"[{shown}]:{port:d}" if ":" in shown else f"{shown}:{port:d}")


def _fields(fields: dict[str, Any]) -> str:
    """What comes after the keys that every line has."""
    text = "".join(
        [f",{_key(key)}:{_value(value)}" for key, value in fields.items() if key != "size"]
    )
    if len(text) > LONGEST_FIELDS:
        text = f',"left_out":"{len(text)} bytes of fields"'
    # DEL is the one control character that JSON's rules leave as it is.
    return text.replace("\x7f", "\\u007f")


@lru_cache(maxsize=256)
def _key(key: str) -> str:
    return _encode(key)


def _value(value: object) -> str:
    """``value`` in JSON; if it cannot be said there, what Python calls it."""
    # Most are plain numbers, and need no encoder, which takes ten times as long.
    if type(value) is int and -_PLAIN < value < _PLAIN:
        return repr(value)
    if type(value) is float and isfinite(value):
        return repr(value)
    try:
        return _encode(value)
    except (ValueError, TypeError, RecursionError):
        try:
            return _encode(escape(repr(value)))
        except (ValueError, RecursionError):
            return _encode(escape(type(value).__name__))
