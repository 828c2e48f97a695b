# trial's assertions have no annotations:
# mypy: allow-untyped-calls

from __future__ import annotations

import time
import tracemalloc

from twisted.trial.unittest import SynchronousTestCase

from netlab.errors import CorruptedFrame, IncomingFrameTooLong, RemoteProtocolError, TruncatedFrame
from netlab.framing import ContentLength, Decoder, Framing, LengthPrefix, Line, Netstring, Varint
from netlab.framing.buffered import Pieces

MIB = 1 << 20
LONG = 16 * MIB


def long_framings() -> list[Framing]:
    return [
        LengthPrefix(max_message=LONG),
        LengthPrefix(adjustment=-4, max_message=LONG),
        Varint(max_message=LONG),
        Netstring(max_message=LONG),
        ContentLength(max_message=LONG),
        Line(max_message=LONG),
        Line(b"\r\n", max_message=LONG),
    ]


def seconds(framing: Framing, stream: bytes, size: int) -> float:
    """Return the CPU time to decode one message that comes in pieces of ``size`` bytes."""
    pieces = [stream[i : i + size] for i in range(0, len(stream), size)]
    decoder = framing.decoder()
    begun = time.process_time()
    messages = [message for piece in pieces for message in decoder.feed(piece)]
    used = time.process_time() - begun
    assert len(messages) == 1
    return used


class Linear(SynchronousTestCase):
    # The bounds are far above what is needed, and far below anything quadratic.

    def test_16_mib_in_segments(self) -> None:
        for framing in long_framings():
            stream = framing.encode(bytes(LONG))
            self.assertLess(min(seconds(framing, stream, 1460) for _ in range(2)), 0.5, framing)

    def test_byte_by_byte(self) -> None:
        for framing in long_framings():
            stream = framing.encode(bytes(MIB // 8))
            self.assertLess(seconds(framing, stream, 1), 2, framing)

    def test_limit_continues_without_copying(self) -> None:
        for framing in long_framings():
            decoder = framing.decoder()
            frame = framing.encode(b"a" * 60)
            count = 4 * MIB // len(frame)
            begun = time.process_time()
            got = len(decoder.feed(frame * count, 1))
            while messages := decoder.feed(b"", 1):
                got += len(messages)
            self.assertEqual(got, count)
            self.assertLess(time.process_time() - begun, 5, framing)

    def test_feeding_on_while_held_back(self) -> None:
        for framing in long_framings():
            decoder = framing.decoder()
            frame = framing.encode(b"a" * 60)
            block = frame * 100
            begun = time.process_time()
            got = sum(len(decoder.feed(block, 1)) for _ in range(1000))
            self.assertEqual(got, 1000)
            self.assertEqual(decoder.buffered, len(frame) * 99_000)
            got += len(decoder.feed(b""))
            self.assertEqual((got, decoder.buffered), (100_000, 0))
            self.assertLess(time.process_time() - begun, 5, framing)


class Memory(SynchronousTestCase):
    def peak(self, decoder: Decoder, pieces: list[bytes]) -> int:
        tracemalloc.start()
        try:
            for piece in pieces:
                decoder.feed(piece)
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    def test_nothing_is_reserved(self) -> None:
        for header, framing in (
            (b"\x7f\xff\xff\xff", LengthPrefix(max_message=(1 << 31) - 1)),
            (b"\xff\xff\xff\xff\x07", Varint(max_message=1 << 31)),
            (b"2147483647:", Netstring(max_message=1 << 31)),
            (b"Content-Length: 2147483647\r\n\r\n", ContentLength(max_message=1 << 31)),
        ):
            decoder = framing.decoder()
            self.assertLess(self.peak(decoder, [header, b"a", b"b"]), 10_000)
            self.assertGreater(decoder.needed, 2147483000)

    def test_tiny_pieces_do_not_amplify(self) -> None:
        size = 100_000
        for framing in long_framings():
            pieces = [b"ab"] * (size // 2)
            decoder = framing.decoder()
            decoder.feed(framing.encode(bytes(2 * size))[:30])
            self.assertLess(self.peak(decoder, pieces), 2 * size, framing)

    def test_a_short_rest_does_not_keep_a_long_read(self) -> None:
        for framing in long_framings():
            frame = framing.encode(b"a" * 60)
            read = frame * 2000 + frame[:10]
            decoder = framing.decoder()
            tracemalloc.start()
            decoder.feed(bytearray(read))
            kept = tracemalloc.get_traced_memory()[0]
            tracemalloc.stop()
            self.assertEqual(decoder.buffered, 10)
            self.assertLess(kept, 5000, framing)


class PiecesTest(SynchronousTestCase):
    def test_join(self) -> None:
        pieces = Pieces()
        self.assertEqual((pieces.join(), pieces.start(5)), (b"", b""))
        expected = b""
        for size in (1, 1, 5000, 1, 70_000, 4095, 4096, *[4000] * 40):
            piece = bytes([size % 251]) * size
            pieces.add(piece)
            expected += piece
        self.assertEqual(pieces.join(), expected)
        self.assertEqual(pieces.start(5), expected[:2])


class Attributes(SynchronousTestCase):
    def test_buffered_and_needed(self) -> None:
        decoder = LengthPrefix().decoder()
        self.assertEqual((decoder.buffered, decoder.needed, decoder.error), (0, 0, None))
        for data, buffered, needed in (
            (b"", 0, 0),
            (b"\0", 1, 3),
            (b"\0\0", 3, 1),
            (b"\x05", 4, 5),
            (b"he", 6, 3),
            (b"", 6, 3),
        ):
            self.assertEqual(decoder.feed(data), [])
            self.assertEqual((decoder.buffered, decoder.needed), (buffered, needed))
        self.assertEqual(decoder.feed(b"llo\0"), [b"hello"])
        self.assertEqual((decoder.buffered, decoder.needed), (1, 3))
        self.assertEqual(decoder.feed(b"\0\0\0"), [b""])
        self.assertEqual((decoder.buffered, decoder.needed), (0, 0))

    def test_held_back_by_limit(self) -> None:
        decoder = Netstring().decoder()
        self.assertEqual(decoder.feed(b"1:a,1:b,1:c,1:", 1), [b"a"])
        self.assertEqual(decoder.buffered, 10)
        error = self.assertRaises(TruncatedFrame, decoder.eof)
        self.assertIn("held back", str(error))
        self.assertIsNone(decoder.error)  # the messages can still be taken
        self.assertEqual(decoder.feed(b"", 0), [])
        self.assertEqual(decoder.feed(b"d,", -1), [])
        self.assertEqual(decoder.feed(b"", 1), [b"b"])
        self.assertEqual(decoder.feed(b"", 5), [b"c", b"d"])
        self.assertEqual(decoder.buffered, 0)
        decoder.eof()

    def test_limit_in_the_middle_of_a_frame(self) -> None:
        for framing in long_framings():
            frame = framing.encode(b"hello")
            for cut in range(1, len(frame)):
                decoder = framing.decoder()
                decoder.feed(frame[:cut])
                self.assertEqual(decoder.feed(frame[cut:] + frame, 0), [])
                self.assertEqual(decoder.buffered, 2 * len(frame))
                self.assertEqual(decoder.feed(frame, 1), [b"hello"])
                self.assertEqual(decoder.feed(frame[:cut], 2), [b"hello"] * 2)
                self.assertEqual(decoder.feed(frame[cut:]), [b"hello"])
                self.assertEqual(decoder.buffered, 0)

    def test_later_data_after_a_partial_frame(self) -> None:
        # What is fed while messages are held back begins in the middle of a frame.
        for framing in long_framings():
            frame = framing.encode(b"hello")
            for cut in range(1, len(frame)):
                decoder = framing.decoder()
                self.assertEqual(decoder.feed(frame * 3 + frame[:cut], 1), [b"hello"])
                self.assertEqual(decoder.feed(frame[cut:] + frame * 2, 0), [])
                self.assertEqual(decoder.feed(b""), [b"hello"] * 5)


class Failing(SynchronousTestCase):
    def test_good_messages_come_first(self) -> None:
        decoder = LengthPrefix(max_message=5).decoder()
        self.assertEqual(decoder.feed(b"\0\0\0\1a\0\0\0\1b\xff\xff\xff\xffjunk"), [b"a", b"b"])
        error = decoder.error
        assert error is not None
        self.assertEqual((decoder.buffered, decoder.needed), (0, 0))
        for _ in range(3):
            self.assertIs(self.assertRaises(IncomingFrameTooLong, decoder.feed, b"more"), error)
            self.assertIs(self.assertRaises(IncomingFrameTooLong, decoder.eof), error)
        self.assertEqual(decoder.buffered, 0)

    def test_at_once(self) -> None:
        decoder = Netstring().decoder()
        self.assertEqual(decoder.feed(b"1:a,"), [b"a"])
        error = self.assertRaises(CorruptedFrame, decoder.feed, b"junk")
        self.assertIs(decoder.error, error)

    def test_not_before_limit_lets_it(self) -> None:
        decoder = Netstring().decoder()
        self.assertEqual(decoder.feed(b"1:a,1:b,junk", 1), [b"a"])
        self.assertIsNone(decoder.error)
        self.assertEqual(decoder.feed(b"", 1), [b"b"])
        self.assertRaises(CorruptedFrame, decoder.feed, b"", 1)

    def test_raising_again_does_not_grow(self) -> None:
        decoder = Netstring().decoder()
        depths = set()
        for _ in range(5):
            try:
                decoder.feed(b"junk")
            except RemoteProtocolError as error:
                depth = 0
                at = error.__traceback__
                while at is not None:
                    depth, at = depth + 1, at.tb_next
                depths.add(depth)
        self.assertLess(max(depths), 10)

    def test_eof(self) -> None:
        for framing, stream, said in (
            (LengthPrefix(), b"\0\0\0\5hel", "after 7 of 9 bytes"),
            (LengthPrefix(), b"\0\0", "header of a frame, after 2 bytes"),
            (Netstring(), b"5:hello", "after 7 of 8 bytes"),
            (ContentLength(), b"Content-Length: 5\r\n\r\n", "after 21 of 26 bytes"),
            (Line(), b"hello", "after 5 bytes"),
        ):
            decoder = framing.decoder()
            decoder.feed(stream)
            error = self.assertRaises(TruncatedFrame, decoder.eof)
            self.assertIn(said, str(error))
            self.assertIs(decoder.error, error)
            self.assertEqual((decoder.buffered, decoder.needed), (0, 0))
            self.assertIs(self.assertRaises(TruncatedFrame, decoder.feed, b"lo"), error)

    def test_eof_between_frames(self) -> None:
        for framing in long_framings():
            decoder = framing.decoder()
            decoder.eof()
            decoder.feed(framing.encode(b"hello"))
            decoder.eof()
