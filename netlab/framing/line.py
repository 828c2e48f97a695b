"""Lines of text, or anything else that ends in a delimiter."""

from __future__ import annotations

from dataclasses import dataclass

from netlab.errors import ConfigurationError, IncomingFrameTooLong, LocalProtocolError
from netlab.framing.base import (
    DEFAULT_MAX_MESSAGE,
    Decoder,
    WrappingFraming,
    check_length,
    check_max_message,
)
from netlab.framing.buffered import BufferedDecoder
from netlab.framing.diagnose import WINDOW, guess_length_prefix, guess_protocol, is_text, quoted


@dataclass(frozen=True, slots=True)
class Line(WrappingFraming):
    r"""Each message is a line, without its end.

    With the default delimiter ``\n`` a line that ends in ``\r\n`` is accepted
    as well, and one ``\r`` is taken off; so a message that contains ``\n`` or
    ends in ``\r`` cannot be sent (``LocalProtocolError``). Any other delimiter
    is exact, and a message must not contain it.

    - ``delimiter``: one or more bytes.
    - ``max_message``: the longest line in bytes, without its end. More than
      that without a delimiter is ``IncomingFrameTooLong``.
    """

    delimiter: bytes = b"\n"
    max_message: int = DEFAULT_MAX_MESSAGE

    def __post_init__(self) -> None:
        if not isinstance(self.delimiter, bytes) or not self.delimiter:
            raise ConfigurationError(
                f"delimiter must be one or more bytes, such as b'\\n', not {self.delimiter!r}"
            )
        check_max_message(self.max_message)

    @property
    def strips_cr(self) -> bool:
        r"""Whether one ``\r`` before the delimiter is taken off."""
        return self.delimiter == b"\n"

    def _around(self, message: bytes) -> tuple[bytes, bytes]:
        check_length(len(message), self.max_message)
        delimiter = self.delimiter
        # Not only "in": with the delimiter "--" the message "x-" is "x---", read as "x".
        tail = message[-len(delimiter) :] + delimiter
        if delimiter in message or tail.index(delimiter) < len(tail) - len(delimiter):
            raise LocalProtocolError(
                f"a line cannot contain its delimiter {quoted(delimiter)}:"
                " send one message for each line, or use another framing"
            )
        if self.strips_cr and message.endswith(b"\r"):
            raise LocalProtocolError(
                r"a line cannot end in '\r': the receiver would take it as part of the line's end"
            )
        return b"", delimiter

    def decoder(self) -> Decoder:
        """Return a new decoder, for the bytes of one stream from its beginning."""
        return _LineDecoder(self)


class _LineDecoder(BufferedDecoder):
    # _line: the beginning of a line whose end has not come; all of it has been searched.
    __slots__ = ("_framing", "_line", "_most")

    def __init__(self, framing: Line) -> None:
        super().__init__()
        self._framing = framing
        self._line: bytearray | None = None
        # A longest line may be held with all but the last byte of its delimiter.
        self._most = framing.max_message + len(framing.delimiter) - 1

    def _cut(self, data: bytes, at: int, limit: int | None, messages: list[bytes]) -> int:
        delimiter = self._framing.delimiter
        width = len(delimiter)
        strips_cr = self._framing.strips_cr
        longest = self._framing.max_message
        end = len(data)
        while at < end and (limit is None or len(messages) < limit):
            if messages:
                self._first = False
            if self._line is None:
                stop = data.find(delimiter, at)
                if stop < 0:
                    self._check_rest(data[at : at + self._most + 2])
                    self._line = bytearray(data[at:])
                    break
                line = data[at:stop]
                at = stop + width
            else:
                held = len(self._line)
                self._line += data[at:]
                stop = self._line.find(delimiter, max(0, held - width + 1))
                if stop < 0:
                    self._check_rest(self._line)
                    break
                line = bytes(memoryview(self._line)[:stop])
                self._line = None
                at += stop + width - held
            if strips_cr and line.endswith(b"\r"):
                line = line[:-1]
            if len(line) > longest:
                raise IncomingFrameTooLong(len(line), longest, self._hint(line))
            messages.append(line)
        else:
            return at
        return end

    def _check_rest(self, line: bytes | bytearray) -> None:
        """Raise ``IncomingFrameTooLong`` when no delimiter after ``line`` can make it good."""
        cr = self._framing.strips_cr and line.endswith(b"\r")  # it may belong to the end
        if len(line) - cr > self._most:
            raise IncomingFrameTooLong(
                len(line), self._framing.max_message, self._hint(bytes(line[:WINDOW]))
            )

    def _hint(self, line: bytes) -> str:
        if not self._first:
            return "if the peer means it, raise max_message"
        opening = line[:WINDOW]
        guess = guess_protocol(opening)
        if not guess and not is_text(opening):
            guess = guess_length_prefix(opening)
        return guess or f"does the peer end its lines with {quoted(self._framing.delimiter)}?"

    def _partial(self) -> int:
        return len(self._line) if self._line else 0

    def _forget(self) -> None:
        self._line = None

    def _truncated(self) -> str:
        text = f"the stream ended after {self.buffered} bytes of a line without its delimiter"
        return f"{text} {quoted(self._framing.delimiter)}"
