# trial's assertions have no annotations:
# mypy: allow-untyped-calls

from __future__ import annotations

import pickle
from copy import copy, deepcopy
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from netlab.errors import ConfigurationError, LocalProtocolError, OutgoingFrameTooLong
from netlab.framing import (
    ContentLength,
    Decoder,
    Framing,
    LengthPrefix,
    Line,
    Netstring,
    Varint,
)
from netlab.framing.base import BIG_PAYLOAD

ALL: list[Framing] = [LengthPrefix(), Varint(), Netstring(), ContentLength(), Line()]
CLASSES: list[Any] = [LengthPrefix, Varint, Netstring, ContentLength, Line]


class Value(SynchronousTestCase):
    """A framing is an immutable value."""

    def test_equal_and_hashable(self) -> None:
        for cls in CLASSES:
            self.assertEqual(cls(), cls())
            self.assertEqual(hash(cls()), hash(cls()))
            self.assertNotEqual(cls(), cls(max_message=5))
        self.assertEqual(len({*ALL, *ALL}), len(ALL))

    def test_repr_gives_it_back(self) -> None:
        names = {cls.__name__: cls for cls in CLASSES}
        for framing in ALL:
            self.assertEqual(eval(repr(framing), names), framing)

    def test_immutable_and_slotted(self) -> None:
        for framing in ALL:
            self.assertRaises(AttributeError, setattr, framing, "max_message", 5)
            self.assertFalse(hasattr(framing, "__dict__"))
            self.assertFalse(hasattr(framing.decoder(), "__dict__"))

    def test_copies(self) -> None:
        for framing in (*ALL, LengthPrefix(2, "little", adjustment=-2, max_message=100)):
            for other in (copy(framing), deepcopy(framing), pickle.loads(pickle.dumps(framing))):
                self.assertEqual(other, framing)
                self.assertEqual(other.encode(b"hello"), framing.encode(b"hello"))

    def test_max_message(self) -> None:
        for cls in CLASSES:
            self.assertEqual(cls().max_message, 1 << 20)
            for bad in (0, -1, True, 1.5, "5"):
                error = self.assertRaises(ConfigurationError, cls, max_message=bad)
                self.assertIn("max_message", str(error))


class Sending(SynchronousTestCase):
    def test_only_bytes(self) -> None:
        text: Any = "hello"
        number: Any = 5
        for framing in ALL:
            for send in (
                framing.encode,
                lambda m, f=framing: f.buffers([m]),
                lambda m, f=framing: f.buffers([m, m]),
                lambda m, f=framing: f.encode_many([m]),
            ):
                error = self.assertRaises(TypeError, send, text)
                self.assertIn("text.encode()", str(error))
                self.assertRaises(TypeError, send, number)

    def test_too_long(self) -> None:
        for cls in CLASSES:
            framing = cls(max_message=5)
            framing.encode(b"12345")
            error = self.assertRaises(OutgoingFrameTooLong, framing.encode, b"123456")
            self.assertEqual((error.announced, error.limit), (6, 5))

    def test_all_or_nothing(self) -> None:
        for cls in CLASSES:
            framing = cls(max_message=5)
            for send in (framing.encode_many, framing.buffers):
                self.assertRaises(LocalProtocolError, send, [b"1", b"123456", b"2"])

    def test_memoryview_of_wide_items(self) -> None:
        view = memoryview(b"abcdefgh").cast("I")
        for framing in ALL:
            self.assertEqual(framing.encode(view), framing.encode(b"abcdefgh"))
            self.assertEqual(framing.buffers([view]), [framing.encode(b"abcdefgh")])

    def test_big_payloads_are_not_copied(self) -> None:
        big = bytes(BIG_PAYLOAD)
        for framing in ALL:
            messages = [b"1", b"2", big, big, b"3"]
            buffers = framing.buffers(messages)
            self.assertEqual(sum(buffer is big for buffer in buffers), 2)
            self.assertLessEqual(len(buffers), 5)
            self.assertEqual(b"".join(buffers), b"".join(map(framing.encode, messages)))
            self.assertIn(True, [buffer is big for buffer in framing.buffers([big])])
            self.assertNotIn(b"", buffers)

    def test_small_messages_are_one_buffer(self) -> None:
        for framing in ALL:
            self.assertEqual(len(framing.buffers([b"a", b"b", b"c"])), 1)
            self.assertEqual(framing.buffers([]), [])

    def test_mutable_payloads_are_copied(self) -> None:
        for framing in ALL:
            payload = bytearray(BIG_PAYLOAD)
            buffers = framing.buffers([payload])
            expected = b"".join(buffers)
            payload[:] = b"x" * BIG_PAYLOAD
            self.assertEqual(b"".join(buffers), expected)


class Defaults(SynchronousTestCase):
    def test_of_a_custom_framing(self) -> None:
        class Byte(Framing):
            max_message = 1

            def encode(self, message: bytes | bytearray | memoryview) -> bytes:
                return bytes(message)

            def decoder(self) -> Decoder:
                raise NotImplementedError

        self.assertEqual(Byte().encode_many([b"a", b"b"]), b"ab")
        self.assertEqual(Byte().buffers([b"a", b"b"]), [b"ab"])
        self.assertEqual(Byte().buffers([]), [])
