from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from twisted.trial.unittest import SynchronousTestCase

from netlab.rfc import bodies as module
from netlab.rfc.bodies import Bodies, Text, text_of


class BodiesTests(SynchronousTestCase):
    def setUp(self) -> None:
        folder = TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = str(Path(folder.name, "texts"))
        self.bodies = Bodies(self.path)
        self.addCleanup(self.bodies.close)

    def add(self, **texts: str) -> int:
        """Takes in ``n1="a text"`` as the text of RFC 1."""
        return self.bodies.add(
            text_of(int(name[1:]), text.encode()) for name, text in texts.items()
        )

    def found(self, expression: str) -> list[int]:
        return sorted(number for number, _ in self.bodies.matches(expression))

    def test_all(self) -> None:
        self.assertEqual(self.add(n1="coffee pot", n2="coffee house", n3="tea"), 3)
        self.assertEqual(self.found("coffee"), [1, 2])
        self.assertEqual(self.found('"coffee pot"'), [1])
        self.assertEqual(sorted(self.bodies.at_hand()), [1, 2, 3])
        self.assertEqual((self.bodies.has(3), self.bodies.has(4)), (True, False))

    def test_editions(self) -> None:
        """Only the newest edition of a text is found, and what is there is not new."""
        self.assertEqual(self.add(n1="coffee", n2="tea"), 2)
        self.assertEqual(self.add(n1="coffee"), 0)
        self.assertEqual(self.add(n1="cocoa"), 1)
        self.assertEqual(self.add(n1="mate"), 1)
        self.assertEqual(self.found("coffee OR cocoa"), [])
        self.assertEqual(self.found("mate"), [1])

    def test_gone_and_back(self) -> None:
        self.add(n1="coffee")
        self.bodies.remove([1])
        self.assertEqual((self.bodies.at_hand(), self.bodies.has(1)), ([], False))
        self.assertEqual(self.found("coffee"), [1])  # it was read once
        self.assertEqual(self.add(n1="coffee"), 1)
        self.assertEqual(self.bodies.at_hand(), [1])

    def test_twice_at_once(self) -> None:
        """The last one counts, in one group of texts and in two."""
        self.bodies.add([text_of(1, b"coffee"), text_of(1, b"tea")])
        self.patch(module, "_GROUP", 1)
        self.bodies.add([text_of(3, b"coffee"), text_of(3, b"tea")])
        self.assertEqual((self.found("coffee"), self.found("tea")), ([], [1, 3]))

    def test_all_or_none(self) -> None:
        self.patch(module, "_GROUP", 2)

        def texts() -> Iterator[Text]:
            yield from (text_of(number, b"coffee") for number in (1, 2, 3))
            raise ZeroDivisionError

        self.assertRaises(ZeroDivisionError, self.bodies.add, texts())
        self.assertEqual((self.bodies.at_hand(), self.found("coffee")), ([], []))

    def test_bytes(self) -> None:
        """Whatever a text is, it is the same one only if all its bytes are."""
        latin = text_of(1, b"caf\xe9")
        self.assertEqual(latin.body, "café")
        self.assertNotEqual(latin.digest, text_of(1, "café".encode()).digest)
        self.bodies.add([latin])
        self.assertEqual(self.found("café"), [1])

    def test_found_while_others_come(self) -> None:
        self.add(n1="coffee")
        found: list[int] = []

        def texts() -> Iterator[Text]:
            yield text_of(2, b"coffee")
            reader = threading.Thread(target=lambda: found.extend(self.found("coffee")))
            reader.start()
            reader.join(30)

        self.patch(module, "_GROUP", 1)
        self.bodies.add(texts())
        self.assertEqual((found, self.found("coffee")), ([1], [1, 2]))

    def test_text_is_not_kept(self) -> None:
        self.add(n1="coffee houses " * 100)
        self.bodies.close()
        self.assertFalse(b"coffee houses" in Path(self.path).read_bytes())
        db = sqlite3.connect(self.path)
        self.assertEqual(db.execute("SELECT body FROM bodies").fetchall(), [(None,)])
        db.close()
