"""What every framing is: a value that encodes, and the decoder it makes.

A *framing* says where one message ends and the next begins in a stream of
bytes. Everything in this package is sans-I/O: bytes come in and messages go
out, or the other way round; there is no socket, clock or log here, so that the
same code serves a server, a client, a test and a capture file.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from typing import TypeAlias

from netlab.errors import (
    ConfigurationError,
    OutgoingFrameTooLong,
    RemoteProtocolError,
)

DEFAULT_MAX_MESSAGE = 1 << 20
"""The longest payload in bytes unless told otherwise: 1 MiB."""

BIG_PAYLOAD = 32 * 1024
"""From so many bytes on, copying a payload costs more than one more buffer to write."""

BytesLike: TypeAlias = bytes | bytearray | memoryview


class Framing(ABC):
    """How messages become bytes on the wire, and back.

    A framing is an immutable value: compare it, hash it, print it, share it
    between any number of connections. What changes while a stream is read
    lives in the ``Decoder`` that ``decoder()`` makes, one for each stream.

    To write your own, implement ``encode`` and ``decoder`` and let
    ``netlab.testing.framing.check_framing`` try to break it.
    """

    __slots__ = ()

    max_message: int
    """The longest payload in bytes; it holds for what is sent and what is received."""

    @abstractmethod
    def encode(self, message: BytesLike) -> bytes:
        """Return ``message`` as one frame.

        Raises ``OutgoingFrameTooLong`` above ``max_message``,
        ``LocalProtocolError`` when this framing cannot carry the message, and
        ``TypeError`` when it is not made of bytes.
        """

    @abstractmethod
    def decoder(self) -> Decoder:
        """Return a new decoder, for the bytes of one stream from its beginning."""

    def encode_many(self, messages: Iterable[BytesLike]) -> bytes:
        """Return the frames of all ``messages``, one after another.

        All or nothing: when ``encode`` would refuse one of them, its error is
        raised and nothing comes back.
        """
        return b"".join(map(self.encode, messages))

    def buffers(self, messages: Sequence[BytesLike]) -> list[bytes]:
        """Return the bytes of ``encode_many`` as buffers, to be written one after another.

        Small messages are joined into one buffer. The framings of netlab put a
        ``bytes`` payload of 32 KiB or more in as it is, uncopied; this default
        joins everything. Mutable payloads (``bytearray``, ``memoryview``) are
        always copied, as they may change before they are written.
        """
        return [self.encode_many(messages)] if messages else []


class Decoder(ABC):
    """Cuts one stream of bytes into messages.

    Feed it whatever the socket gave you, in pieces of any size. The three
    attributes are there to be read at any time:

    - ``buffered``: bytes held, of a frame that is not complete or of messages
      that ``limit`` held back; 0 between frames.
    - ``needed``: bytes known to be missing from the frame under way, 0 when
      that is not known. A hint for the size of the next read.
    - ``error``: what was wrong with the stream, or ``None``.
    """

    __slots__ = ("buffered", "error", "needed")

    buffered: int
    needed: int
    error: RemoteProtocolError | None

    def __init__(self) -> None:
        self.buffered = 0
        self.needed = 0
        self.error = None

    def whole(self, data: bytes) -> bytes | None:
        """Return the payload if ``data`` is exactly one frame and nothing is under way.

        Otherwise return ``None`` and take nothing: ``data`` is for ``feed``, then.
        That is all that this default does; a decoder whose frames are mostly read
        one by one may do better.
        """
        return None

    @abstractmethod
    def feed(self, data: BytesLike, limit: int | None = None) -> list[bytes]:
        """Take the next bytes of the stream; return the messages they complete, in order.

        With ``limit``, at most so many messages are cut now. The rest is kept:
        ``feed(b"", limit)`` goes on without copying anything again. When fewer
        than ``limit`` come back, everything complete has been cut.

        Raises ``RemoteProtocolError`` (``IncomingFrameTooLong``,
        ``CorruptedFrame``) for a bad frame. When good messages precede it in
        the same call they are returned, ``error`` is set, and the next call
        raises it. After an error no byte is kept, and every call raises it.
        """

    @abstractmethod
    def eof(self) -> None:
        """Say that the stream has ended.

        Raises ``TruncatedFrame`` when bytes are left over, and the earlier
        error again when there was one. Messages held back by ``limit`` count as
        left over, and can still be taken: do that first.
        """


class WrappingFraming(Framing):
    """A framing that leaves the payload as it is and puts bytes before and after it."""

    __slots__ = ()

    @abstractmethod
    def _around(self, message: bytes) -> tuple[bytes, bytes]:
        """Return what goes before and after ``message``, or raise ``LocalProtocolError``."""

    def encode(self, message: BytesLike) -> bytes:
        """Return ``message`` as one frame; see ``Framing.encode``."""
        payload = as_message(message)
        before, after = self._around(payload)
        return b"".join((before, payload, after))

    def encode_many(self, messages: Iterable[BytesLike]) -> bytes:
        """Return the frames of all ``messages``; see ``Framing.encode_many``."""
        return b"".join(self.buffers(list(messages)))

    def buffers(self, messages: Sequence[BytesLike]) -> list[bytes]:
        """Return the frames as buffers, big payloads uncopied; see ``Framing.buffers``."""
        buffers: list[bytes] = []
        small: list[bytes] = []
        for message in messages:
            payload = as_message(message)
            before, after = self._around(payload)
            small.append(before)
            if len(payload) >= BIG_PAYLOAD:
                buffers += filter(None, (b"".join(small), payload))
                small = [after]
            else:
                small += (payload, after)
        rest = b"".join(small)
        return [*buffers, rest] if rest else buffers


def as_message(message: BytesLike) -> bytes:
    """Return a message to be sent as ``bytes``; ``TypeError`` when it is something else."""
    if isinstance(message, bytes):
        return message
    if isinstance(message, bytearray | memoryview):
        return bytes(message)
    hint = ": encode it first, as in text.encode()" if isinstance(message, str) else ""
    raise TypeError(f"a message is bytes, not {type(message).__name__}{hint}")


def as_data(data: BytesLike) -> bytes:
    """Return received data as ``bytes``; ``TypeError`` when it is something else."""
    if isinstance(data, bytes | bytearray | memoryview):
        return bytes(data)
    raise TypeError(f"feed() takes bytes, not {type(data).__name__}")


def check_length(length: int, max_message: int) -> None:
    """Raise ``OutgoingFrameTooLong`` when a message of ``length`` bytes may not be sent."""
    if length > max_message:
        hint = "send it in parts, or raise max_message on both sides"
        raise OutgoingFrameTooLong(length, max_message, hint)


def check_max_message(max_message: object) -> int:
    """Return ``max_message``, or raise ``ConfigurationError`` when it cannot be one."""
    if not isinstance(max_message, int) or isinstance(max_message, bool):
        raise ConfigurationError(
            f"max_message is a number of bytes, such as {DEFAULT_MAX_MESSAGE}, not {max_message!r}"
        )
    if max_message < 1:
        raise ConfigurationError(f"max_message must be 1 or more, not {max_message}")
    return max_message
