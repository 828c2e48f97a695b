"""``check_framing`` must catch what it is for."""

# trial's assertions have no annotations:
# mypy: allow-untyped-calls

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from twisted.trial.unittest import SynchronousTestCase

from netlab.errors import IncomingFrameTooLong, OutgoingFrameTooLong, TruncatedFrame
from netlab.framing import Decoder, Framing
from netlab.framing.base import as_data, as_message
from netlab.testing.framing import check_framing

BytesLike = bytes | bytearray | memoryview


class PlainDecoder(Decoder):
    """Decodes a one-byte length in the simplest way that is right."""

    __slots__ = ("data", "max_message")

    def __init__(self, max_message: int) -> None:
        super().__init__()
        self.max_message = max_message
        self.data = b""

    def feed(self, data: BytesLike, limit: int | None = None) -> list[bytes]:
        if self.error is not None:
            raise self.error
        self.data += as_data(data)
        messages: list[bytes] = []
        while self.data and (limit is None or len(messages) < limit):
            length = self.data[0]
            if length > self.max_message:
                self.error = IncomingFrameTooLong(length, self.max_message)
                self.data = b""
                break
            if len(self.data) <= length:
                break
            messages.append(self.data[1 : 1 + length])
            self.data = self.data[1 + length :]
        self.buffered = len(self.data)
        if self.error is not None and not messages:
            raise self.error
        return messages

    def eof(self) -> None:
        if self.data:
            self.error = TruncatedFrame(f"{len(self.data)} bytes are left over")
            self.data = b""
            self.buffered = 0
        if self.error is not None:
            raise self.error


class LosesBytes(PlainDecoder):
    def feed(self, data: BytesLike, limit: int | None = None) -> list[bytes]:
        return [message[:20] for message in super().feed(data, limit)]


class RaisesValueError(PlainDecoder):
    def feed(self, data: BytesLike, limit: int | None = None) -> list[bytes]:
        messages = super().feed(data, limit)
        if self.data[:1] == b"\x40":
            raise ValueError("forty")
        return messages


class MindsChunks(PlainDecoder):
    def feed(self, data: BytesLike, limit: int | None = None) -> list[bytes]:
        self.data = b""
        return super().feed(data, limit)


class IgnoresLimit(PlainDecoder):
    def feed(self, data: BytesLike, limit: int | None = None) -> list[bytes]:
        return super().feed(data)


class ForgetsEof(PlainDecoder):
    def eof(self) -> None:
        if self.error is not None:
            raise self.error


class GoesOn(PlainDecoder):
    def feed(self, data: BytesLike, limit: int | None = None) -> list[bytes]:
        self.error = None
        return super().feed(data, limit)


class TakesMore(PlainDecoder):
    def __init__(self, max_message: int) -> None:
        super().__init__(255)


class Endless(PlainDecoder):
    def feed(self, data: BytesLike, limit: int | None = None) -> list[bytes]:
        return super().feed(data, limit) or ([] if limit is None else [b""] * limit)


@dataclass(frozen=True)
class Plain(Framing):
    make: Callable[[int], Decoder] = PlainDecoder
    max_message: int = 100

    def encode(self, message: BytesLike) -> bytes:
        payload = as_message(message)
        if len(payload) > self.max_message:
            raise OutgoingFrameTooLong(len(payload), self.max_message)
        return bytes([len(payload)]) + payload

    def decoder(self) -> Decoder:
        return self.make(self.max_message)


class SendsAnything(Plain):
    def encode(self, message: BytesLike) -> bytes:
        return bytes([len(message) & 0xFF]) + as_message(message)


class BuffersDiffer(Plain):
    def buffers(self, messages: object) -> list[bytes]:
        return []


class TakesText(Plain):
    def encode(self, message: BytesLike | str) -> bytes:
        return super().encode(message.encode() if isinstance(message, str) else message)


class Check(SynchronousTestCase):
    def said(self, framing: Framing) -> str:
        return str(self.assertRaises(AssertionError, check_framing, framing))

    def test_passes(self) -> None:
        check_framing(Plain(), max_examples=50)

    def test_catches_a_decoder(self) -> None:
        for make, said in (
            (LosesBytes, "instead of"),
            (RaisesValueError, "raised ValueError: forty"),
            (MindsChunks, "one byte at a time"),
            (IgnoresLimit, "limit"),
            (ForgetsEof, "TruncatedFrame"),
            (GoesOn, "after IncomingFrameTooLong"),
            (TakesMore, "max_message is 100"),
            (Endless, "without end"),
        ):
            self.assertIn(said, self.said(Plain(make)), make.__name__)

    def test_catches_an_encoder(self) -> None:
        for framing, said in (
            (SendsAnything(), "encode() took a message of 101 bytes"),
            (BuffersDiffer(), "buffers()"),
            (TakesText(), "encode() takes str"),
        ):
            self.assertIn(said, self.said(framing))

    def test_tells_what_went_in(self) -> None:
        said = self.said(Plain(LosesBytes))
        self.assertIn("Plain(make=", said)
        self.assertIn("messages [b'", said)
