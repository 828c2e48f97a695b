"""Entries as they are written down, and what was used last."""

from __future__ import annotations

from msgspec.structs import replace
from twisted.trial.unittest import SynchronousTestCase

from netlab.cache.store.recent import Recent
from netlab.cache.store.records import BLOCK, blocks, entry_name, key_part, seal, unseal
from tests.cache.store.support import entry


class Records(SynchronousTestCase):
    stored = replace(entry(), body_digest="ab" * 32, body_size=7)

    def test_seal(self) -> None:
        self.assertEqual(unseal(seal(self.stored)), self.stored)

    def test_each_bit(self) -> None:
        record = seal(self.stored)
        for at in range(len(record)):
            for bit in range(8):
                wrong = bytearray(record)
                wrong[at] ^= 1 << bit
                self.assertRaises(ValueError, unseal, bytes(wrong))
        for length in range(len(record)):
            self.assertRaises(ValueError, unseal, record[:length])
        self.assertRaises(ValueError, unseal, record + b"\n")

    def test_without_content(self) -> None:
        self.assertRaises(ValueError, unseal, seal(entry()))
        self.assertRaises(ValueError, unseal, seal(replace(self.stored, body_digest="../etc")))

    def test_names(self) -> None:
        """The key is in the first half, the selecting fields are in the second."""
        other = replace(self.stored, selecting=(("accept", None),))
        third = replace(self.stored, selecting=(("accept", "None"),))
        names = [entry_name(each) for each in (self.stored, other, third)]
        self.assertEqual({len(name) for name in names}, {64})
        self.assertEqual(len(set(names)), 3)
        self.assertEqual({name[:32] for name in names}, {key_part(self.stored.key)})
        self.assertNotEqual(key_part(self.stored.key), key_part(self.stored.key + "?"))
        self.assertEqual(entry_name(replace(self.stored, status=404)), names[0])
        self.assertEqual(len(key_part("http://example.org/\udcff")), 32)

    def test_blocks(self) -> None:
        sizes = (0, 1, BLOCK, BLOCK + 1)
        self.assertEqual([blocks(size) for size in sizes], [0, BLOCK, BLOCK, 2 * BLOCK])


class Recents(SynchronousTestCase):
    def test_forgets_the_oldest(self) -> None:
        recent: Recent[str, int] = Recent(10)
        for name in "abc":
            recent.put(name, ord(name), 4)
        self.assertEqual([recent.get(name) for name in "abc"], [None, 98, 99])
        recent.get("b")
        recent.put("d", 1, 3)
        self.assertEqual((recent.get("b"), recent.get("c"), recent.weight), (98, None, 7))

    def test_weight(self) -> None:
        recent: Recent[str, int] = Recent(10)
        recent.put("a", 1, 4)
        recent.put("a", 2, 6)
        self.assertEqual((recent.get("a"), recent.weight, len(recent)), (2, 6, 1))
        recent.put("a", 3, 11)
        self.assertEqual((recent.get("a"), recent.weight), (None, 0))
        recent.put("b", 1, 10)
        recent.pop("b")
        recent.pop("b")
        self.assertEqual(recent.weight, 0)
        recent.put("c", 1, 10)
        recent.clear()
        self.assertEqual((len(recent), recent.weight), (0, 0))
