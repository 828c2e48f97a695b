"""What the decoders share: bytes held back, errors, and payloads that come in pieces.

Everything here is linear in the bytes fed, however they are split: no byte is
copied more than a fixed number of times. Memory grows only with bytes that
have arrived, never because a header announced them.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar

from netlab.errors import CorruptedFrame, RemoteProtocolError, TruncatedFrame
from netlab.framing.base import BytesLike, Decoder, as_data
from netlab.framing.diagnose import WINDOW, guess_protocol, quoted

# A bytes object costs some 33 bytes beside its content, and malloc rounds up;
# below the first number pieces are therefore gathered. Above the second a
# gathering bytearray is left alone, so that growing it never moves much.
SMALL_PIECE = 4 * 1024
FULL_PIECE = 64 * 1024


class Pieces:
    """The bytes of one payload as they come in, joined once at the end."""

    __slots__ = ("_last", "_pieces")

    def __init__(self) -> None:
        self._pieces: list[bytes | bytearray] = []
        self._last: bytearray | None = None

    def add(self, piece: bytes) -> None:
        """Take the next bytes of the payload."""
        if len(piece) >= SMALL_PIECE:
            self._pieces.append(piece)
            self._last = None
        elif self._last is None or len(self._last) > FULL_PIECE:
            self._last = bytearray(piece)
            self._pieces.append(self._last)
        else:
            self._last += piece

    def join(self) -> bytes:
        """Return all of them as one."""
        return b"".join(self._pieces)

    def start(self, size: int) -> bytes:
        """Return the first ``size`` bytes, or as many of them as the first piece has."""
        return bytes(self._pieces[0][:size]) if self._pieces else b""


class BufferedDecoder(Decoder):
    """The part of a decoder that is the same for every framing.

    A subclass says how to cut (``_cut``), how much it holds of the frame under
    way (``_partial``), how to forget it (``_forget``) and how to tell that it
    is missing its end (``_truncated``).
    """

    # _waiting and _at: data that limit held back, and how far it has been cut.
    # _later: what was fed since then; it is looked at when _waiting is used up.
    # _first: no message has been cut yet, so the stream may be of another protocol.
    # _idle: the next byte begins a frame, and not the stream's first one.
    __slots__ = ("_at", "_first", "_idle", "_later", "_waiting")

    def __init__(self) -> None:
        super().__init__()
        self._waiting: bytes | None = None
        self._at = 0
        self._later: bytearray | None = None
        self._first = True
        self._idle = False

    @abstractmethod
    def _cut(self, data: bytes, at: int, limit: int | None, messages: list[bytes]) -> int:
        """Append messages from ``data[at:]`` until there are ``limit``; return where it stopped.

        The frame under way, if any, is completed first. When ``limit`` is not
        reached all of ``data`` is used: its end is kept as the frame under way.
        """

    @abstractmethod
    def _partial(self) -> int:
        """Return the bytes held of the frame under way."""

    @abstractmethod
    def _forget(self) -> None:
        """Drop the frame under way."""

    @abstractmethod
    def _truncated(self) -> str:
        """Return what to say when the stream ends in the frame under way."""

    def feed(self, data: BytesLike, limit: int | None = None) -> list[bytes]:
        """Take the next bytes; return the messages they complete. See ``Decoder.feed``."""
        if self.error is not None:
            raise self.error.with_traceback(None)
        received = as_data(data)
        at = 0
        if self._waiting is not None:
            if self._later is not None:
                self._later += received
            elif received:
                self._later = bytearray(received)
            received, at = self._waiting, self._at
            self._waiting = None
        return self._advance(received, at, limit, [])

    def _advance(
        self, data: bytes, at: int, limit: int | None, messages: list[bytes]
    ) -> list[bytes]:
        """Cut ``data[at:]`` and what waits behind it; note what is left or what went wrong."""
        try:
            at = self._cut(data, at, limit, messages)
            if self._later is not None and at == len(data):
                data = bytes(self._later)
                self._later = None
                at = self._cut(data, 0, limit, messages)
        except RemoteProtocolError as error:
            self._fail(error)
            if not messages:
                raise
            return messages
        held = self._partial()
        if at < len(data):
            self._waiting = data
            self._at = at
            held += len(data) - at + (len(self._later) if self._later else 0)
        self.buffered = held
        if messages:
            self._first = False
        self._idle = not held and not self._first
        return messages

    def eof(self) -> None:
        """Say that the stream has ended. See ``Decoder.eof``."""
        if self.error is not None:
            raise self.error.with_traceback(None)
        if self._waiting is not None:
            # The program's doing, not the peer's: nothing is lost yet.
            raise TruncatedFrame(
                f"{self.buffered} bytes were held back by limit when the stream ended;"
                " take their messages with feed(b'') first"
            )
        if self.buffered:
            error = TruncatedFrame(self._truncated())
            self._fail(error)
            raise error

    def _fail(self, error: RemoteProtocolError) -> None:
        # Without its traceback: that would keep the frames, and so the bytes, alive.
        self.error = error.with_traceback(None)
        self.buffered = self.needed = 0
        self._waiting = self._later = None
        self._idle = False
        self._forget()


class CountedDecoder(BufferedDecoder):
    """A decoder of frames whose header announces the payload's length.

    A subclass reads the header (``_header``). Only whole payloads are joined,
    once, without their header, so that a long message is copied once.
    """

    # _head: the beginning of a header that is not complete; while the payload
    # of the stream's first frame comes in, its whole header, for diagnosis.
    # _pieces: the payload under way, or None. _frame: its whole frame's length.
    __slots__ = ("_frame", "_head", "_max_header", "_max_message", "_min_header", "_pieces")

    _TRAILER: ClassVar[bytes] = b""  # what follows the payload
    _WHAT: ClassVar[str] = "a frame"

    def __init__(self, max_message: int, min_header: int, max_header: int) -> None:
        super().__init__()
        self._max_message = max_message
        self._min_header = min_header
        self._max_header = max_header
        self._head = b""
        self._pieces: Pieces | None = None
        self._frame = 0

    @abstractmethod
    def _header(self, data: bytes, at: int) -> tuple[int, int] | None:
        """Return where the payload of the frame at ``data[at]`` starts, and its length.

        Returns None when the header is not complete, never so when
        ``max_header`` bytes are there. Raises ``RemoteProtocolError``.
        """

    def feed(self, data: BytesLike, limit: int | None = None) -> list[bytes]:
        """Take the next bytes; return the messages they complete. See ``Decoder.feed``."""
        # The way of most reads of a long frame, or of a peer that sends it in drips.
        if self._pieces is not None and self._waiting is None:
            piece = as_data(data)
            size = len(piece)
            if size < self.needed:
                self._pieces.add(piece)
                self.needed -= size
                self.buffered += size
                return []
        return super().feed(data, limit)

    def _cut(self, data: bytes, at: int, limit: int | None, messages: list[bytes]) -> int:
        end = len(data)
        trailer = len(self._TRAILER)
        while at < end and (limit is None or len(messages) < limit):
            if self._pieces is not None:
                piece = data[at : at + self.needed]
                self._pieces.add(piece)
                self.needed -= len(piece)
                if self.needed:
                    return end
                at += len(piece)
                frame = self._pieces.join()
                self._forget()
                messages.append(self._strip(frame) if trailer else frame)
                continue
            if messages:
                self._first = False
            head = self._head
            if head:
                # Enough for any header, and for a good diagnosis of what is not one.
                window = max(self._max_header, WINDOW)
                opening = head + data[at : at + window - len(head)]
                found = self._header(opening, 0)
            else:
                found = self._header(data, at)
            if found is None:
                self._head = opening if head else data[at:]
                self.needed = max(0, self._min_header - len(self._head))
                return end
            start, length = found
            size = start if head else start - at  # of the header
            if head:
                start += at - len(head)
                self._head = b""
                self.needed = 0
            stop = start + length + trailer
            if stop <= end:
                messages.append(self._strip(data[start:stop]) if trailer else data[start:stop])
                at = stop
            else:
                if self._first:
                    self._head = opening[:size] if head else data[at:start]
                self._pieces = Pieces()
                self._frame = size + length + trailer
                self.needed = length + trailer
                at = start
        return at

    def _strip(self, frame: bytes) -> bytes:
        """Return a payload without its trailer; ``CorruptedFrame`` when that is wrong."""
        if frame.endswith(self._TRAILER):
            return frame[: -len(self._TRAILER)]
        got = quoted(frame[-len(self._TRAILER) :])
        raise CorruptedFrame(
            f"{self._WHAT} of {len(frame) - len(self._TRAILER)} bytes must end with"
            f" {quoted(self._TRAILER)}, not {got}: is its length in bytes, not characters?"
        )

    def _partial(self) -> int:
        return len(self._head) if self._pieces is None else self._frame - self.needed

    def _forget(self) -> None:
        self._head = b""
        self._pieces = None
        self.needed = 0

    def _truncated(self) -> str:
        if self._pieces is None:
            text = f"the stream ended in the header of {self._WHAT}, after {self.buffered} bytes"
            opening = self._head
        else:
            text = f"the stream ended after {self.buffered} of {self._frame} bytes of {self._WHAT}"
            opening = self._head + self._pieces.start(WINDOW)
        guess = guess_protocol(opening) if self._first else ""
        return f"{text}; {guess}" if guess else text
