"""Structured fields (RFC 8941)."""

# trial's assertions have no annotations:
# mypy: allow-untyped-calls

from __future__ import annotations

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from netlab.errors import LocalProtocolError
from netlab.fields import (
    InnerList,
    Item,
    Token,
    parse_dictionary,
    parse_item,
    parse_list,
    serialize_dictionary,
    serialize_item,
    serialize_list,
)
from netlab.fields.structured import printable, text_or_token

ascii_text = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=8)
tokens = st.from_regex(r"[A-Za-z*][!#$%&'*+.^_`|~0-9A-Za-z:/-]{0,8}", fullmatch=True).map(Token)
keys = st.from_regex(r"[a-z*][a-z0-9_.*-]{0,6}", fullmatch=True)
decimals = st.decimals(
    min_value=-(10**12) + 1, max_value=10**12 - 1, places=3, allow_nan=False, allow_infinity=False
).map(lambda number: number + 0)  # no negative zero
bare = st.one_of(
    st.integers(-(10**15) + 1, 10**15 - 1),
    decimals,
    ascii_text,
    tokens,
    st.binary(max_size=8),
    st.booleans(),
)
parameters = st.dictionaries(keys, bare, max_size=3)
items = st.builds(Item, bare, parameters)
inner_lists = st.builds(InnerList, st.lists(items, max_size=3).map(tuple), parameters)
members = items | inner_lists


class Items(SynchronousTestCase):
    def assert_item(self, text: str, value: object) -> None:
        item = parse_item(text)
        self.assertIsNotNone(item, text)
        assert item is not None
        self.assertEqual((item.value, type(item.value)), (value, type(value)), text)

    def assert_malformed(self, *texts: str) -> None:
        for text in texts:
            self.assertIsNone(parse_item(text), text)

    def test_integers(self) -> None:
        """3.3.1, 4.2.4."""
        for text, value in (("42", 42), ("-0", 0), ("00", 0), ("-01", -1), ("9" * 15, 10**15 - 1)):
            self.assert_item(text, value)
        self.assert_malformed("", "-", "--1", "+1", "1" * 16, "1_0", "\u0661", "- 1")

    def test_decimals(self) -> None:
        """3.3.2, 4.2.4."""
        for text in ("4.5", "-1.334", "0002.50", "9" * 12 + ".999"):
            self.assert_item(text, Decimal(text))
        self.assert_malformed("1.", ".1", "1.2345", "1" * 13 + ".0", "1.0.0", "-.1")

    def test_strings(self) -> None:
        """3.3.3, 4.2.5: ASCII, and only two characters can be escaped."""
        for text, value in (('""', ""), ('"a b"', "a b"), ('"\\"\\\\"', '"\\')):
            self.assert_item(text, value)
        self.assert_malformed('"', '"a', '"\\a"', '"\t"', '"\x7f"', '"\xe9"', '"a\\"', "'a'")

    def test_tokens(self) -> None:
        """3.3.4, 4.2.6."""
        for text in ("foo123/456", "*", "a:b", "A!#$%&'*+-.^_`|~"):
            self.assert_item(text, Token(text))
        self.assert_malformed("a,", "/a", "!a", "a(", "\xe9")

    def test_bytes(self) -> None:
        """3.3.5, 4.2.7: padding may be missing, pad bits are not looked at."""
        for text, value in (
            (":aGVsbG8=:", b"hello"),
            (":aGVsbG8:", b"hello"),
            ("::", b""),
            (":/+Ah:", b"\xff\xe0!"),
            (":iZ==:", b"\x89"),
        ):
            self.assert_item(text, value)
        self.assert_malformed(":a", ":a b:", ":_-Ah:", ":a:", ":=a:", ":aGVsbG8\n:", ":")

    def test_booleans(self) -> None:
        """3.3.6, 4.2.8."""
        self.assert_item("?1", True)
        self.assert_item("?0", False)
        self.assert_malformed("?", "?2", "?T", "? 1", "?10")

    def test_parameters(self) -> None:
        """3.1.2, 4.2.3.2: the last of a key counts, in the place of the first."""
        item = parse_item('5; foo=bar;a;  b=?0;a=1.5;*c="x"')
        assert item is not None
        self.assertEqual(
            list(item.parameters.items()),
            [("foo", "bar"), ("a", Decimal("1.5")), ("b", False), ("*c", "x")],
        )
        self.assert_malformed("5;", "5;A=1", "5;a=", "5 ;a", "5;a =1", "5;a= 1", "5;\ta", "5;a=(1)")

    def test_space_around(self) -> None:
        """4.2: spaces around are discarded, tabs are not."""
        self.assert_item("  5  ", 5)
        self.assert_malformed("\t5", "5\t", "5 6", "5, 6")


class Lists(SynchronousTestCase):
    """3.1, 4.2.1."""

    def test_examples(self) -> None:
        self.assertEqual(
            parse_list("sugar, tea, rum"), [Item(Token(each)) for each in ("sugar", "tea", "rum")]
        )
        found = parse_list('("foo"; a=1;b=2);lvl=5, ("bar" "baz");lvl=1,()')
        self.assertEqual(
            found,
            [
                InnerList((Item("foo", {"a": 1, "b": 2}),), {"lvl": 5}),
                InnerList((Item("bar"), Item("baz")), {"lvl": 1}),
                InnerList(()),
            ],
        )

    def test_white_space(self) -> None:
        for text in ("a,b", "a ,\tb", " a\t, b ", "a,b\t"):
            self.assertEqual(parse_list(text), [Item(Token("a")), Item(Token("b"))], text)
        for text in ("(a b)", "( a  b )"):
            self.assertEqual(parse_list(text), [InnerList((Item(Token("a")), Item(Token("b"))))])

    def test_empty(self) -> None:
        self.assertEqual(parse_list(""), [])
        self.assertEqual(parse_list("  "), [])

    def test_malformed(self) -> None:
        """4.2: the whole value is to be ignored."""
        for text in (
            *("a,", "a,,b", ",a", "a b", "(a", "(a,b)", '("a""b")', "a;", "(a\tb)", "((a))", ")"),
            *("\ta", "a, (", "(a;)", "a=1"),
        ):
            self.assertIsNone(parse_list(text), text)

    def test_long(self) -> None:
        """3.1: at least 1024 members."""
        self.assertEqual(len(parse_list(",".join(["(a b)"] * 2000)) or ()), 2000)
        self.assertIsNone(parse_list("(" * 100_000))


class Dictionaries(SynchronousTestCase):
    """3.2, 4.2.2."""

    def test_examples(self) -> None:
        self.assertEqual(
            parse_dictionary('en="Applepie", da=:w4ZibGV0w6ZydGU=:'),
            {"en": Item("Applepie"), "da": Item("\xc6blet\xe6rte".encode())},
        )
        self.assertEqual(
            parse_dictionary("a=?0, b, c; foo=bar"),
            {"a": Item(False), "b": Item(True), "c": Item(True, {"foo": Token("bar")})},
        )
        self.assertEqual(
            parse_dictionary("rating=1.5, feelings=(joy sadness)"),
            {
                "rating": Item(Decimal("1.5")),
                "feelings": InnerList((Item(Token("joy")), Item(Token("sadness")))),
            },
        )

    def test_last_counts(self) -> None:
        self.assertEqual(parse_dictionary("a=1,b=2,a=3"), {"a": Item(3), "b": Item(2)})

    def test_malformed(self) -> None:
        for text in ("a=", "a =1", "a= 1", "A=1", "a,", "a=1,,b", "=1", "a b", "1=a", "a=1 b=2"):
            self.assertIsNone(parse_dictionary(text), text)
        self.assertEqual(parse_dictionary(""), {})


class Serializing(SynchronousTestCase):
    """4.1."""

    def test_examples(self) -> None:
        self.assertEqual(
            serialize_list([Item(Token("a"), {"hit": True, "ttl": -412}), InnerList((Item(1),))]),
            "a;hit;ttl=-412, (1)",
        )
        self.assertEqual(
            serialize_dictionary({"a": Item(True), "b": Item(False), "c": Item(True, {"d": 1})}),
            "a, b=?0, c;d=1",
        )

    def test_decimals(self) -> None:
        """4.1.5: three digits, half to even; at least one digit after the point."""
        for number, text in (
            ("1.0005", "1.0"),
            ("1.0015", "1.002"),
            ("1", "1.0"),
            ("100", "100.0"),
            ("-0.25", "-0.25"),
            ("1E2", "100.0"),
            ("0.0001", "0.0"),
        ):
            self.assertEqual(serialize_item(Item(Decimal(number))), text)

    def test_refused(self) -> None:
        """What cannot be written is this program's mistake."""
        for value, said in (
            (10**15, "15 digits"),
            (-(10**15), "15 digits"),
            (10**5000, "15 digits"),
            (Decimal(10**12), "12 digits"),
            (Decimal("999999999999.9996"), "12 digits"),
            (Decimal("NaN"), "12 digits"),
            (Decimal("Infinity"), "12 digits"),
            ("\xe9", "printable ASCII"),
            ("a\r\n", "printable ASCII"),
            (Token("a b"), "no token"),
            (Token(""), "no token"),
            (Token("1"), "no token"),
        ):
            with self.assertRaises(LocalProtocolError) as caught:
                serialize_item(Item(value))
            self.assertIn(said, str(caught.exception))
        for key in ("", "A", "1", "a b", "\xe9"):
            for make in (
                lambda key: serialize_dictionary({key: Item(1)}),
                lambda key: serialize_item(Item(1, {key: 1})),
            ):
                with self.assertRaises(LocalProtocolError) as caught:
                    make(key)
                self.assertIn("no key", str(caught.exception))

    def test_text(self) -> None:
        self.assertIsInstance(text_or_token("a/b:1"), Token)
        for text, safe in (
            ("a b", "a b"),
            ("", ""),
            ("7", "7"),
            ("\r\n\x7f", "\\x0d\\x0a\\x7f"),
            ("\xe9\u2603", "\\xe9\\u2603"),
        ):
            self.assertEqual(printable(text), safe)
            self.assertNotIsInstance(text_or_token(text), Token)

    @given(st.text())
    def test_any_text_can_be_written(self, text: str) -> None:
        for value in (text_or_token(text), printable(text)):
            self.assertEqual(parse_item(serialize_item(Item(value))), Item(value))

    def test_shown(self) -> None:
        self.assertEqual(repr(Token("a")), "Token('a')")


class Properties(SynchronousTestCase):
    @given(st.lists(members, max_size=4))
    def test_lists(self, found: list[Item | InnerList]) -> None:
        self.assertEqual(parse_list(serialize_list(found)), found)

    @given(st.dictionaries(keys, members, max_size=4))
    def test_dictionaries(self, found: dict[str, Item | InnerList]) -> None:
        again = parse_dictionary(serialize_dictionary(found))
        self.assertEqual(again, found)
        self.assertEqual(list(again or ()), list(found))

    @given(items)
    def test_items(self, item: Item) -> None:
        again = parse_item(serialize_item(item))
        assert again is not None
        self.assertEqual(again, item)
        self.assertIs(type(again.value), type(item.value))

    @given(st.text(st.sampled_from('ab1-.*"\\:?=;, ()\t\xe9/')))
    def test_any_text(self, text: str) -> None:
        """Nothing is raised; and what is parsed can be written, to mean the same."""
        listed = parse_list(text)
        if listed is not None:
            self.assertEqual(parse_list(serialize_list(listed)), listed)
        mapped = parse_dictionary(text)
        if mapped is not None:
            self.assertEqual(parse_dictionary(serialize_dictionary(mapped)), mapped)
        item = parse_item(text)
        if item is not None:
            self.assertEqual(parse_item(serialize_item(item)), item)
