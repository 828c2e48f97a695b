"""A binary length before each message: the framing of most binary protocols."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache, partial
from itertools import repeat
from typing import Any, Literal

from netlab.errors import (
    ConfigurationError,
    CorruptedFrame,
    IncomingFrameTooLong,
    LocalProtocolError,
)
from netlab.framing.base import (
    BIG_PAYLOAD,
    DEFAULT_MAX_MESSAGE,
    BytesLike,
    Decoder,
    WrappingFraming,
    as_message,
    check_length,
    check_max_message,
)
from netlab.framing.buffered import CountedDecoder
from netlab.framing.diagnose import WINDOW, explain_length, guess_protocol, with_hint

ByteOrder = Literal["big", "little"]

_FORMATS = {1: "B", 2: "H", 4: "I", 8: "Q"}
_ORDERS = {"big": ">", "little": "<"}

_MIN_RUN = 4
"""So many frames of one size are worth being cut as a run."""


@dataclass(frozen=True, slots=True, init=False)
class LengthPrefix(WrappingFraming):
    """Each message after its length, an unsigned number of 1, 2, 4 or 8 bytes.

    ``LengthPrefix()`` is a 4-byte big-endian length: the same bytes as
    Twisted's ``Int32StringReceiver``, Erlang's ``{packet, 4}`` and Java's
    ``DataOutputStream.writeInt``.

    - ``size``: bytes of the length field: 1, 2, 4 or 8.
    - ``byteorder``: ``"big"`` (network byte order) or ``"little"``.
    - ``adjustment``: what to add to the number on the wire to get the payload's
      length, as in Netty's ``LengthFieldBasedFrameDecoder``. A field of 4 bytes
      that counts itself has ``adjustment=-4``.
    - ``max_message``: the longest payload in bytes; by default 1 MiB, or what
      the field can say if that is less.

    Raises ``ConfigurationError`` for options that cannot work.
    """

    size: int
    byteorder: ByteOrder
    adjustment: int
    max_message: int
    _pack: Callable[[int], bytes] = field(init=False, repr=False, compare=False)
    _unpack: Callable[..., tuple[Any, ...]] = field(init=False, repr=False, compare=False)

    def __init__(
        self,
        size: int = 4,
        byteorder: ByteOrder = "big",
        *,
        adjustment: int = 0,
        max_message: int | None = None,
    ) -> None:
        if isinstance(size, bool) or not isinstance(size, int) or size not in _FORMATS:
            raise ConfigurationError(f"size must be 1, 2, 4 or 8 bytes, not {size!r}")
        if not isinstance(byteorder, str) or byteorder not in _ORDERS:
            raise ConfigurationError(f"byteorder must be 'big' or 'little', not {byteorder!r}")
        if isinstance(adjustment, bool) or not isinstance(adjustment, int):
            raise ConfigurationError(
                f"adjustment is a number of bytes, such as 0 or {-size}, not {adjustment!r}"
            )
        longest = (1 << 8 * size) - 1 + adjustment
        if longest < 1:
            raise ConfigurationError(
                f"with adjustment={adjustment} a field of {size} bytes can announce no payload at"
                f" all; a field that counts itself has adjustment={-size}"
            )
        if max_message is None:
            max_message = max(min(DEFAULT_MAX_MESSAGE, longest), 1)
        check_max_message(max_message)
        if max_message > longest:
            larger = [n for n in _FORMATS if (1 << 8 * n) - 1 + adjustment >= max_message]
            right = f"size={larger[0]} or " if larger else ""
            raise ConfigurationError(
                f"max_message={max_message} is more than a field of {size} bytes can say;"
                f" {right}max_message={longest} would be right"
            )
        if max_message < adjustment:
            raise ConfigurationError(
                f"with adjustment={adjustment} the shortest payload is {adjustment} bytes:"
                f" max_message={max_message} allows none"
            )
        header = struct.Struct(_ORDERS[byteorder] + _FORMATS[size])
        for name, value in (
            ("size", size),
            ("byteorder", byteorder),
            ("adjustment", adjustment),
            ("max_message", max_message),
            ("_pack", header.pack),
            ("_unpack", header.unpack_from),
        ):
            object.__setattr__(self, name, value)

    def __reduce__(self) -> tuple[Callable[..., LengthPrefix], tuple[object, ...]]:
        # Bound struct methods cannot be copied or pickled; the options can.
        options: dict[str, Any] = {"adjustment": self.adjustment, "max_message": self.max_message}
        return partial(LengthPrefix, **options), (self.size, self.byteorder)

    def _around(self, message: bytes) -> tuple[bytes, bytes]:
        length = len(message)
        check_length(length, self.max_message)
        if length < self.adjustment:
            raise LocalProtocolError(
                f"with adjustment={self.adjustment} a message must have at least"
                f" {self.adjustment} bytes, not {length}"
            )
        return self._pack(length - self.adjustment), b""

    def encode(self, message: BytesLike) -> bytes:
        """Return ``message`` after its length; see ``Framing.encode``."""
        if message.__class__ is bytes:  # nearly always, and every reply passes here
            length = len(message)
            adjustment = self.adjustment
            if adjustment <= length <= self.max_message:
                pack = self._pack
                return pack(length - adjustment) + message
        payload = as_message(message)
        return self._around(payload)[0] + payload

    def buffers(self, messages: Sequence[BytesLike]) -> list[bytes]:
        """Return the frames as buffers, big payloads uncopied; see ``Framing.buffers``."""
        # Every reply passes here. The common cases, one or several small bytes
        # objects, are done without a call or a check per message where possible.
        adjustment = self.adjustment
        if len(messages) == 1:
            message = messages[0]
            if message.__class__ is bytes:
                length = len(message)
                if length < BIG_PAYLOAD and adjustment <= length <= self.max_message:
                    return [self._pack(length - adjustment) + message]
        elif set(map(type, messages)) == {bytes}:
            lengths = list(map(len, messages))
            longest = max(lengths)
            shortest = min(lengths)
            if longest < BIG_PAYLOAD and longest <= self.max_message and shortest >= adjustment:
                if longest == shortest:  # records of one size: one header serves them all
                    header = self._pack(longest - adjustment)
                    return [header + header.join(messages)]
                if adjustment:
                    lengths = [length - adjustment for length in lengths]
                parts: list[BytesLike] = [b""] * (2 * len(lengths))
                parts[::2] = map(self._pack, lengths)
                parts[1::2] = messages
                return [b"".join(parts)]
        return WrappingFraming.buffers(self, messages)

    def decoder(self) -> Decoder:
        """Return a new decoder, for the bytes of one stream from its beginning."""
        return _AdjustedDecoder(self) if self.adjustment else _PrefixDecoder(self)


@lru_cache(maxsize=128)
def _records(framing: LengthPrefix, stride: int) -> struct.Struct:
    """The layout of a frame of ``stride`` bytes: the number on the wire, the payload."""
    number = _ORDERS[framing.byteorder] + _FORMATS[framing.size]
    return struct.Struct(f"{number}{stride - framing.size}s")


class _PrefixDecoder(CountedDecoder):
    """The hot path of a server: mind the cost of every line.

    Between frames, ``feed`` does whole frames without changing any state: one
    by itself, many in the loop of ``_cut_whole``, which has no Python call and no
    attribute in it. Everything else (a stream's first bytes, pieces of frames,
    errors) is left to the general code above it.
    """

    __slots__ = ("_framing", "_longest_frame", "_overhead", "_payload", "_size", "_unpack")

    def __init__(self, framing: LengthPrefix) -> None:
        size = framing.size
        super().__init__(framing.max_message, min_header=size, max_header=size)
        self._framing = framing
        self._size = size
        self._payload = slice(size, None)
        self._unpack = framing._unpack
        self._overhead = size + framing.adjustment  # frame length - number on the wire
        self._longest_frame = size + framing.max_message

    def whole(self, data: bytes) -> bytes | None:
        """Return the payload of the one frame that ``data`` is. See ``Decoder.whole``."""
        size = self._size
        if self._idle and len(data) >= size:
            unpack = self._unpack  # calling a slot costs more than reading it first
            if unpack(data)[0] + self._overhead == len(data) <= self._longest_frame:
                return data[self._payload]
        return None

    def feed(self, data: BytesLike, limit: int | None = None) -> list[bytes]:
        """Take the next bytes; return the messages they complete. See ``Decoder.feed``."""
        if not self._idle or data.__class__ is not bytes or (limit is not None and limit < 1):
            return super().feed(data, limit)
        end = len(data)
        size = self._size
        if end < size:
            return super().feed(data, limit)
        messages: list[bytes] = []
        at = self._cut_run(data, 0, limit, messages)
        at = self._cut_whole(data, at, limit, messages)
        return messages if at == end else self._advance(data, at, limit, messages)

    def _cut_run(self, data: bytes, at: int, limit: int | None, messages: list[bytes]) -> int:
        """Append the frames of one size that come next, if they are many, as ``_cut`` does.

        Many protocols send records of one size. ``struct`` cuts a run of those
        in less than half of the time that a loop takes.
        """
        size = self._size
        if at + size > len(data):
            return at
        value: int = self._unpack(data, at)[0]
        stride = value + self._overhead
        count = (len(data) - at) // stride if stride > 0 else 0
        if limit is not None:
            count = min(count, limit - len(messages))
        if count < _MIN_RUN or not size <= stride <= self._longest_frame:
            return at
        if not data.startswith(data[at : at + size], at + stride):
            return at
        before = len(messages)
        append = messages.append
        run = memoryview(data)[at : at + count * stride]
        for number, payload in _records(self._framing, stride).iter_unpack(run):
            if number != value:
                break
            append(payload)
        return at + (len(messages) - before) * stride

    def _cut(self, data: bytes, at: int, limit: int | None, messages: list[bytes]) -> int:
        if self._pieces is not None or self._head:
            # The frame under way, and no more: the loop below is faster.
            one = len(messages) + 1
            at = super()._cut(data, at, one if limit is None else min(one, limit), messages)
        at = self._cut_run(data, at, limit, messages)
        at = self._cut_whole(data, at, limit, messages)
        return super()._cut(data, at, limit, messages)

    def _cut_whole(self, data: bytes, at: int, limit: int | None, messages: list[bytes]) -> int:
        """Append good frames as ``_cut`` does, but stop before a part of one or a bad one."""
        end = len(data)
        size = self._size
        last = end - size  # where the last header may begin
        longest = self._max_message
        unpack = self._unpack
        append = messages.append
        # A frame has a byte or more, so that end is as good as no limit.
        for _ in repeat(None, end if limit is None else limit - len(messages)):
            if at > last:
                break
            (length,) = unpack(data, at)
            start = at + size
            at = start + length
            if at > end or length > longest:
                return start - size
            append(data[start:at])
        return at

    def _header(self, data: bytes, at: int) -> tuple[int, int] | None:
        if len(data) - at < self._size:
            return None
        (value,) = self._unpack(data, at)
        length = value + self._framing.adjustment
        if length < 0:
            raise self._negative(value, data[at : at + WINDOW])
        if length > self._max_message:
            raise IncomingFrameTooLong(
                length, self._max_message, self._hint(data[at : at + WINDOW])
            )
        return at + self._size, length

    def _expected(self) -> str:
        framing = self._framing
        if framing.size == 1:
            return "a 1-byte length before each message"
        return f"a {framing.size}-byte {framing.byteorder}-endian length before each message"

    def _hint(self, opening: bytes) -> str:
        """Say what may be behind a length that is too long."""
        guess = guess_protocol(opening) if self._first else ""
        if guess:
            return guess
        order: ByteOrder = "little" if self._framing.byteorder == "big" else "big"
        swapped = int.from_bytes(opening[: self._size], order) + self._framing.adjustment
        if 0 <= swapped <= self._max_message:
            return f"as {order}-endian it would be {swapped}: is the peer's byte order wrong?"
        return explain_length(opening, self._expected(), first=self._first)

    def _negative(self, value: int, opening: bytes) -> CorruptedFrame:
        adjustment = self._framing.adjustment
        return CorruptedFrame(
            with_hint(
                f"a length of {value} on the wire and adjustment={adjustment} give a payload of"
                f" {value + adjustment} bytes; the least is {-adjustment}: does the peer's length"
                " not count its header?",
                guess_protocol(opening) if self._first else "",
            )
        )


class _AdjustedDecoder(_PrefixDecoder):
    """The same with an adjustment, which costs an addition and a comparison per message."""

    __slots__ = ()

    def _cut_whole(self, data: bytes, at: int, limit: int | None, messages: list[bytes]) -> int:
        end = len(data)
        size = self._size
        last = end - size
        longest = self._max_message
        adjustment = self._framing.adjustment
        unpack = self._unpack
        append = messages.append
        for _ in repeat(None, end if limit is None else limit - len(messages)):
            if at > last:
                break
            length = unpack(data, at)[0] + adjustment
            start = at + size
            at = start + length
            if at > end or not 0 <= length <= longest:
                return start - size
            append(data[start:at])
        return at
