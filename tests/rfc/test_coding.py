from __future__ import annotations

import gzip

from twisted.trial.unittest import SynchronousTestCase

import netlab.rfc.coding as module
from netlab.fields import Fields
from netlab.rfc.coding import (
    TooLong,
    Unpacking,
    WrongCoding,
    asking,
    is_packed,
    unpacked,
    validated,
)

TEXT = b"tea and coffee\n" * 1000
PACKED = gzip.compress(TEXT)


class Packed(SynchronousTestCase):
    def test_which(self) -> None:
        self.assertFalse(is_packed(Fields()))
        self.assertFalse(is_packed(Fields([("Content-Encoding", "identity")])))
        self.assertTrue(is_packed(Fields([("Content-Encoding", "GZIP")])))
        for value in ("br", "gzip, gzip", "gzip, br"):
            self.assertRaises(WrongCoding, is_packed, Fields([("Content-Encoding", value)]))

    def test_pieces(self) -> None:
        for size in (1, 7, len(PACKED)):
            unpacking = Unpacking()
            found = [
                piece
                for at in range(0, len(PACKED), size)
                for piece in unpacking.feed(PACKED[at : at + size])
            ]
            self.assertEqual(b"".join([*found, *unpacking.end()]), TEXT)

    def test_broken(self) -> None:
        for data in (PACKED[:-1], PACKED + b"x", b"no gzip", b"", PACKED[:40] + b"x" + PACKED[41:]):
            unpacking = Unpacking()
            with self.assertRaises(WrongCoding):
                list(unpacking.feed(data))
                list(unpacking.end())

    def test_bombs(self) -> None:
        self.patch(module, "LONGEST", 1 << 20)
        unpacking = Unpacking()
        size = 0
        with self.assertRaises(TooLong):
            for piece in unpacking.feed(gzip.compress(bytes(1 << 24))):
                size += len(piece)
        self.assertLessEqual(size, 1 << 20)


class Tags(SynchronousTestCase):
    def test_there_and_back(self) -> None:
        came = Fields([("ETag", '"x"'), ("Content-Encoding", "gzip"), ("Content-Length", "9")])
        self.assertEqual(list(unpacked(came)), [("ETag", '"x-identity"')])
        asked, ours = asking(Fields([("If-None-Match", '"x-identity"')]))
        self.assertEqual((asked.get("if-none-match"), ours), ('"x"', True))
        self.assertEqual(validated(came).get("etag"), '"x-identity"')

    def test_others_tags(self) -> None:
        for fields in (Fields(), Fields([("If-None-Match", '"x"')])):
            self.assertEqual(asking(fields), (fields, False))
        for fields in (Fields(), Fields([("ETag", "bad")])):
            self.assertEqual(validated(fields), fields)
