# trial's assertions have no annotations:
# mypy: allow-untyped-calls

from __future__ import annotations

import sqlite3

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from netlab.rfc.queries import LONGEST, MOST, Query, parse_query

TYPED = st.text("\"*^:(){}+-~ ANDORNTEcofe'\\;%_") | st.text()


class Parsing(SynchronousTestCase):
    def test_terms(self) -> None:
        for text, terms in (
            ("coffee pot", (("coffee",), ("pot",))),
            ("Coffee COFFEE", (("coffee",),)),
            ('"happy eyeballs" v2', (("happy", "eyeballs"), ("v2",))),
            ('"happy eyeballs', (("happy", "eyeballs"),)),
            ("TCP/IP", (("tcp", "ip"),)),
            ("HTTP/1.1", (("http", "1", "1"),)),
            ("x_y", (("x", "y"),)),
            (
                "coffee* NEAR(pot) -tea title:x",
                (("coffee",), ("near", "pot"), ("tea",), ("title", "x")),
            ),
            ("cafe\u0301", (("caf\xe9",),)),
            ("\uff34\uff23\uff30", (("tcp",),)),
            ("coffee \U0001f600 \0 \ud800", (("coffee",),)),
            ('"" "!" ---', ()),
            ("", ()),
        ):
            self.assertEqual(parse_query(text).terms, terms, text)

    def test_little_words(self) -> None:
        """They count only where there is nothing else, and in phrases."""
        self.assertEqual(parse_query("the coffee of the pot").terms, (("coffee",), ("pot",)))
        self.assertEqual(parse_query("the of").terms, (("the",), ("of",)))
        self.assertEqual(parse_query('"internet of things"').terms, (("internet", "of", "things"),))

    def test_bounds(self) -> None:
        words = " ".join(f"w{n}" for n in range(1000))
        self.assertEqual(len(parse_query(words).terms), MOST)
        self.assertLess(len(parse_query("x" * 10 * LONGEST).terms[0][0]), LONGEST)
        self.assertEqual(parse_query(" " * LONGEST + "coffee").terms, ())

    def test_telling(self) -> None:
        """Words that every RFC has say nothing of a text."""
        query = parse_query("coffee protocol fielding")
        self.assertEqual(query.telling().terms, (("coffee",),))
        self.assertEqual(parse_query('"network working group"').telling(), Query(()))
        self.assertEqual(parse_query("16").telling(), Query(()))
        self.assertEqual(parse_query("2324").telling().terms, (("2324",),))

    def test_words(self) -> None:
        self.assertEqual(parse_query('"a b" b c').words, ("a", "b", "c"))


class Expressions(SynchronousTestCase):
    def setUp(self) -> None:
        self.db = sqlite3.connect(":memory:")
        self.addCleanup(self.db.close)
        self.db.execute("CREATE VIRTUAL TABLE t USING fts5(body, tokenize = 'porter unicode61')")
        for row, body in ((1, "coffee pots boil"), (2, "tea and coffee"), (3, "R. Fieldingqq")):
            self.db.execute("INSERT INTO t (rowid, body) VALUES (?, ?)", (row, body))

    def rows(self, expression: str) -> list[int]:
        if not expression:
            return []
        rows = self.db.execute("SELECT rowid FROM t WHERE t MATCH ? ORDER BY rowid", (expression,))
        return [row for (row,) in rows]

    def test_every(self) -> None:
        self.assertEqual(self.rows(parse_query("coffee").every()), [1, 2])
        self.assertEqual(self.rows(parse_query("pot coffee").every()), [1])
        self.assertEqual(self.rows(parse_query('"coffee pot"').every()), [1])
        self.assertEqual(self.rows(parse_query('"pot coffee"').every()), [])

    def test_any(self) -> None:
        self.assertEqual(self.rows(parse_query("boil tea").any()), [1, 2])

    def test_begun(self) -> None:
        self.assertEqual(self.rows(parse_query("tea cof").begun()), [2])
        self.assertEqual(self.rows(parse_query("fiel").begun()), [3])

    def test_names(self) -> None:
        """People's names are not stemmed."""
        self.assertEqual(self.rows(parse_query("fielding").every(names=True)), [3])
        self.assertEqual(self.rows(parse_query("fielding").any(names=True)), [3])
        self.assertEqual(self.rows(parse_query("fielding tea").any(names=True)), [2, 3])
        self.assertEqual(self.rows(parse_query("fields").every(names=True)), [])
        self.assertEqual(self.rows(parse_query("fielding").every()), [])

    @given(TYPED)
    def test_any_text(self, text: str) -> None:
        """Whatever is typed is an expression that SQLite understands, or none."""
        query = parse_query(text)
        for each in (query, query.telling()):
            for names in (False, True):
                for make in (each.every, each.begun, each.any):
                    expression = make(names=names)
                    self.rows(expression)
                    self.assertEqual(bool(expression), bool(each.terms))
