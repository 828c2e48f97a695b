# trial's assertions have no annotations:
# mypy: allow-untyped-calls

from __future__ import annotations

import struct
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.testing import StringTransport
from twisted.protocols.basic import Int32StringReceiver
from twisted.trial.unittest import SynchronousTestCase

from netlab.errors import (
    ConfigurationError,
    CorruptedFrame,
    IncomingFrameTooLong,
    LocalProtocolError,
    TruncatedFrame,
)
from netlab.framing import LengthPrefix
from netlab.testing.framing import check_framing


class Properties(SynchronousTestCase):
    def test_default(self) -> None:
        check_framing(LengthPrefix())

    def test_every_size(self) -> None:
        for size in (1, 2, 4, 8):
            check_framing(LengthPrefix(size, "little", max_message=100), max_examples=30)

    def test_adjusted(self) -> None:
        check_framing(LengthPrefix(2, "little", adjustment=-2), max_examples=50)
        check_framing(LengthPrefix(4, adjustment=3, max_message=40), max_examples=50)

    def test_long_messages(self) -> None:
        long = st.integers(0, 70_000).map(bytes)
        check_framing(LengthPrefix(), messages=long, max_examples=3)


class Wire(SynchronousTestCase):
    @given(st.lists(st.binary(max_size=300)))
    def test_int32_string_receiver(self, messages: list[bytes]) -> None:
        transport = StringTransport()
        protocol = Int32StringReceiver()
        protocol.makeConnection(transport)
        for message in messages:
            protocol.sendString(message)
        stream = transport.value()
        self.assertEqual(LengthPrefix().encode_many(messages), stream)
        self.assertEqual(LengthPrefix().decoder().feed(stream), messages)

    def test_examples(self) -> None:
        for framing, expected in (
            (LengthPrefix(), b"\0\0\0\5hello"),
            (LengthPrefix(1), b"\5hello"),
            (LengthPrefix(2, "little"), b"\5\0hello"),
            (LengthPrefix(8), b"\0\0\0\0\0\0\0\5hello"),
            (LengthPrefix(adjustment=-4), b"\0\0\0\x09hello"),
            (LengthPrefix(2, adjustment=3), b"\0\2hello"),
        ):
            self.assertEqual(framing.encode(b"hello"), expected)
            self.assertEqual(framing.decoder().feed(expected), [b"hello"])

    def test_longest(self) -> None:
        for framing in (
            LengthPrefix(1),
            LengthPrefix(2, adjustment=-2),
            LengthPrefix(1, adjustment=10),
        ):
            message = bytes(framing.max_message)
            for _ in range(2):
                decoder = framing.decoder()
                for frame in (framing.encode(b"a" * 10), framing.encode(message)):
                    self.assertEqual(len(decoder.feed(frame)), 1)

    def test_unsigned(self) -> None:
        error = self.assertRaises(
            IncomingFrameTooLong, LengthPrefix().decoder().feed, b"\xff\xff\xff\xff"
        )
        self.assertEqual((error.announced, error.limit), (0xFFFFFFFF, 1 << 20))

    def test_too_short_for_its_adjustment(self) -> None:
        framing = LengthPrefix(adjustment=3)
        error = self.assertRaises(LocalProtocolError, framing.encode, b"ab")
        self.assertIn("at least 3 bytes", str(error))
        self.assertRaises(LocalProtocolError, framing.buffers, [b"abc", b"ab"])
        self.assertRaises(LocalProtocolError, framing.buffers, [b"ab"])

    def test_negative_payload(self) -> None:
        for first in (b"", LengthPrefix(adjustment=-4).encode(b"a")):
            decoder = LengthPrefix(adjustment=-4).decoder()
            decoder.feed(first)
            error = self.assertRaises(CorruptedFrame, decoder.feed, b"\0\0\0\3abc")
            self.assertIn("payload of -1 bytes; the least is 4", str(error))


class HotPath(SynchronousTestCase):
    """The shortcut for one whole frame must give what the general code gives."""

    def decoder(self, **options: Any) -> Any:
        framing = LengthPrefix(**options)
        decoder = framing.decoder()
        decoder.feed(framing.encode(b"first"))
        return decoder

    def test_one_frame(self) -> None:
        decoder = self.decoder()
        self.assertEqual(decoder.feed(b"\0\0\0\2hi"), [b"hi"])
        self.assertEqual(decoder.feed(b"\0\0\0\2hi", 1), [b"hi"])
        self.assertEqual(decoder.feed(b"\0\0\0\0"), [b""])
        self.assertEqual(decoder.feed(b"\0\0\0\2hi", 0), [])
        self.assertEqual(decoder.feed(b"\0\0\0\2ho", 1), [b"hi"])
        self.assertEqual(decoder.feed(b"", 1), [b"ho"])

    def test_several_and_a_rest(self) -> None:
        decoder = self.decoder()
        self.assertEqual(decoder.feed(b"\0\0\0\1a\0\0\0\1b\0"), [b"a", b"b"])
        self.assertEqual((decoder.buffered, decoder.needed), (1, 3))
        self.assertEqual(decoder.feed(b"\0\0\1c\0\0\0\1d\0\0\0\2e", 1), [b"c"])
        self.assertEqual(decoder.buffered, 10)
        self.assertEqual(decoder.feed(b"f"), [b"d", b"ef"])

    def test_limit_on_whole_frames(self) -> None:
        decoder = self.decoder()
        self.assertEqual(decoder.feed(b"\0\0\0\1a\0\0\0\1b", 1), [b"a"])
        self.assertEqual(decoder.buffered, 5)
        self.assertEqual(decoder.feed(b"\0\0\0\1c", 5), [b"b", b"c"])
        self.assertEqual(decoder.feed(b"\0\0\0\1a\0\0\0\1b", 2), [b"a", b"b"])
        self.assertEqual(decoder.buffered, 0)

    def test_one_frame_too_long(self) -> None:
        decoder = self.decoder(max_message=5)
        self.assertRaises(IncomingFrameTooLong, decoder.feed, b"\0\0\0\6hello!")
        self.assertRaises(IncomingFrameTooLong, decoder.feed, b"\0\0\0\2hi")

    def test_other_types(self) -> None:
        decoder = self.decoder()
        self.assertEqual(decoder.feed(bytearray(b"\0\0\0\2hi")), [b"hi"])
        self.assertEqual(decoder.feed(memoryview(b"\0\0\0\2hi")), [b"hi"])
        self.assertRaises(TypeError, decoder.feed, "text")
        self.assertRaises(TypeError, decoder.feed, 5)


class Hints(SynchronousTestCase):
    def error(self, stream: bytes, framing: LengthPrefix | None = None) -> str:
        decoder = (framing or LengthPrefix()).decoder()
        return str(self.assertRaises(IncomingFrameTooLong, decoder.feed, stream))

    def test_byte_order(self) -> None:
        said = (
            "length 83886080 exceeds 1048576; as little-endian it would be 5:"
            " is the peer's byte order wrong?"
        )
        self.assertEqual(self.error(b"\5\0\0\0hello"), said)
        little = LengthPrefix(byteorder="little")
        self.assertIn("as big-endian it would be 5", self.error(b"\0\0\0\5", little))
        adjusted = LengthPrefix(adjustment=-4)
        self.assertIn("as little-endian it would be 5", self.error(b"\x09\0\0\0", adjusted))

    def test_byte_order_in_a_later_frame(self) -> None:
        decoder = LengthPrefix().decoder()
        decoder.feed(b"\0\0\0\1a")
        error = self.assertRaises(IncomingFrameTooLong, decoder.feed, b"\5\0\0\0")
        self.assertIn("as little-endian", str(error))

    def test_protocols(self) -> None:
        for stream, said in (
            (struct.pack(">BHH", 22, 0x0301, 512) + b"\1", "this is a TLS ClientHello"),
            (b"GET / HTTP/1.1\r\n", "this is an HTTP request"),
            (b"HTTP/1.1 200 OK\r\n", "this is an HTTP response"),
            (b"SSH-2.0-x\r\n", "SSH"),
            (b"hello\r\n", r"this looks like text ('hello\r\n'): expected a 4-byte big-endian"),
            (b"5:hello,", "netstring"),
        ):
            self.assertIn(said, self.error(stream))

    def test_one_by_one(self) -> None:
        for stream, said in (
            (b"\x16\x03\x01\x02", "this is a TLS ClientHello"),
            (b"POST", "this is an HTTP request"),
            (b"hell", "this looks like text ('hell')"),
        ):
            decoder = LengthPrefix().decoder()
            for byte in stream[:-1]:
                decoder.feed(bytes([byte]))
            error = self.assertRaises(IncomingFrameTooLong, decoder.feed, stream[-1:])
            self.assertIn(said, str(error))

    def test_only_the_first_frame_is_guessed(self) -> None:
        for first in (b"\0\0\0\1a", b""):
            decoder = LengthPrefix().decoder()
            decoder.feed(first)
            decoder.feed(b"\0\0\0\1a" + b"GET / HTTP/1.1\r\n")
            self.assertNotIn("HTTP", str(decoder.error))
            self.assertIn("the stream is corrupted", str(decoder.error))

    def test_at_the_end(self) -> None:
        decoder = LengthPrefix(2).decoder()
        decoder.feed(b"GET / HTTP/1.0\r\n\r\n")
        self.assertRaises(TruncatedFrame, decoder.eof)
        self.assertIn("18 of 18247 bytes of a frame; this is an HTTP request", str(decoder.error))


class Configuration(SynchronousTestCase):
    def refused(self, *args: Any, **options: Any) -> str:
        return str(self.assertRaises(ConfigurationError, LengthPrefix, *args, **options))

    def test_max_message(self) -> None:
        for framing, expected in (
            (LengthPrefix(1), 255),
            (LengthPrefix(2), 65535),
            (LengthPrefix(2, adjustment=-2), 65533),
            (LengthPrefix(4), 1 << 20),
            (LengthPrefix(8, max_message=1 << 40), 1 << 40),
        ):
            self.assertEqual(framing.max_message, expected)

    def test_more_than_the_field_can_say(self) -> None:
        said = self.refused(2, max_message=100_000)
        self.assertIn("size=4 or max_message=65535 would be right", said)
        self.assertIn(
            "max_message=65533 would be right", self.refused(2, adjustment=-2, max_message=65534)
        )
        self.assertIn("would be right", self.refused(8, max_message=1 << 64))

    def test_nonsense(self) -> None:
        for size in (0, 3, 16, True, "4", 4.0, None, [4]):
            self.assertIn("1, 2, 4 or 8", self.refused(size))
        for order in ("BIG", "network", None, 1, ["big"]):
            self.assertIn("'big' or 'little'", self.refused(4, order))
        for adjustment in (True, "1", 1.0, None):
            self.assertIn("adjustment", self.refused(adjustment=adjustment))
        self.assertIn("no payload at all", self.refused(1, adjustment=-255))
        self.assertIn("allows none", self.refused(adjustment=10, max_message=9))
        self.assertIn("allows none", self.refused(adjustment=1 << 21))
