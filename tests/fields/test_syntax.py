"""What field values are made of (RFC 9110, 5.6; RFC 9111, 1.2.2)."""

# trial's assertions have no annotations:
# mypy: allow-untyped-calls

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from netlab.errors import LocalProtocolError
from netlab.fields import (
    INFINITE,
    is_token,
    parse_content_length,
    parse_number,
    parse_parameterized,
    parse_seconds,
    parse_weight,
    quote,
    split_list,
    unquote,
)
from netlab.fields.syntax import HUGE

pieces = st.lists(
    st.sampled_from(["a", ",", '"', "\\", " ", "\t", ";", "=", "q=1", '"x,y"', '\\"', "\xe9", "*"])
)


class Lists(SynchronousTestCase):
    """RFC 9110, 5.6.1."""

    def test_examples(self) -> None:
        """5.6.1.2: the RFC's own."""
        for value, found in (
            ("foo,bar", ["foo", "bar"]),
            ("foo ,bar,", ["foo", "bar"]),
            ("foo , ,bar,charlie", ["foo", "bar", "charlie"]),
            ("", []),
            (",", []),
            (",   ,", []),
        ):
            self.assertEqual(split_list(value), found)

    def test_quoted(self) -> None:
        """5.5: a comma within quotes is data."""
        self.assertEqual(split_list('a, "b,c" ,d="x\\",y", e'), ["a", '"b,c"', 'd="x\\",y"', "e"])
        self.assertEqual(split_list('"a""b,c",d'), ['"a""b,c"', "d"])
        self.assertEqual(split_list('"a,b"'), ['"a,b"'])
        self.assertEqual(split_list('"a,b",'), ['"a,b"'])

    def test_never_closed(self) -> None:
        """A quote that nothing closes hides nothing."""
        self.assertEqual(split_list('a="b, no-store'), ['a="b', "no-store"])
        self.assertEqual(split_list('"x,y", a="b, no-store'), ['"x,y"', 'a="b', "no-store"])
        self.assertEqual(split_list('"x,y"z"b, no-store'), ['"x,y"z"b', "no-store"])
        self.assertEqual(split_list('"'), ['"'])
        self.assertEqual(split_list('"\\'), ['"\\'])

    @given(pieces.map("".join))
    def test_no_element_is_lost(self, value: str) -> None:
        found = split_list(value)
        self.assertTrue(all(each == each.strip(" \t") and each for each in found))
        kept = "".join(found)
        for character in 'a"\\;=*\xe9':
            self.assertEqual(kept.count(character), value.count(character))

    @given(st.lists(st.text(st.sampled_from('ab,"\\ ')).map(quote), max_size=6))
    def test_round_trip(self, quoted: list[str]) -> None:
        self.assertEqual(split_list(", ".join(quoted)), quoted)

    def test_linear(self) -> None:
        """Values made to be slow take no longer than others: this ends."""
        for value in ('"' * 99_999, '"\\' * 50_000, ',"' * 50_000, " ," * 50_000, '"a",' * 25_000):
            split_list(value)
            parse_parameterized(value)
            parse_parameterized(";" + value)
            unquote(value)


class Strings(SynchronousTestCase):
    """RFC 9110, 5.6.2 and 5.6.4."""

    def test_tokens(self) -> None:
        for text in ("a", "GET", "!#$%&'*+-.^_`|~0Az"):
            self.assertTrue(is_token(text), text)
        for text in ("", "a b", '"a"', "a,", "\u00e9", "a\n", "(x)", "a/b", "{}"):
            self.assertFalse(is_token(text), text)

    def test_unquote(self) -> None:
        for text, said in (
            ('""', ""),
            ('"a b"', "a b"),
            ('"a\\"b\\\\c\\d"', 'a"b\\cd'),
            ('"\t\xe9"', "\t\xe9"),
        ):
            self.assertEqual(unquote(text), said)

    def test_not_quoted(self) -> None:
        for text in ("", '"', "a", '"a', 'a"', '"a"b', '"a"b"', '"a\\"', '"\n"', "'a'", '"\u2603"'):
            self.assertIsNone(unquote(text), text)

    def test_quote(self) -> None:
        self.assertEqual(quote('a "b" \\'), '"a \\"b\\" \\\\"')
        for text in ("\n", "\0", "\u2603", "\x7f"):
            with self.assertRaises(LocalProtocolError) as caught:
                quote(text)
            self.assertIn("cannot be put in a quoted string", str(caught.exception))

    @given(st.text(st.characters(max_codepoint=0xFF)))
    def test_round_trip(self, text: str) -> None:
        try:
            quoted = quote(text)
        except LocalProtocolError:
            self.assertFalse(text.isprintable())
        else:
            self.assertEqual(unquote(quoted), text)


class Parameters(SynchronousTestCase):
    """RFC 9110, 5.6.6."""

    def test_media_types(self) -> None:
        """8.3.1: equivalent forms."""
        for text in (
            "text/html;charset=utf-8",
            'text/html; Charset="utf-8"',
            "text/html ;\tCHARSET=utf-8 ",
            "text/html;; charset=utf-8 ;",
        ):
            self.assertEqual(parse_parameterized(text), ("text/html", {"charset": "utf-8"}))

    def test_none(self) -> None:
        self.assertEqual(parse_parameterized(" gzip "), ("gzip", {}))
        self.assertEqual(parse_parameterized("gzip;"), ("gzip", {}))
        self.assertEqual(parse_parameterized(""), ("", {}))

    def test_quoted_semicolon(self) -> None:
        self.assertEqual(parse_parameterized('a;b="x;y\\"";c=2'), ("a", {"b": 'x;y"', "c": "2"}))

    def test_first_counts(self) -> None:
        self.assertEqual(parse_parameterized("a;b=1;B=2"), ("a", {"b": "1"}))

    def test_malformed(self) -> None:
        """No white space around the equals sign, for one."""
        for text in ("a;b =1", "a;b= 1", "a;b", "a;=1", 'a;b="1', "a;b=1 c", "a;b=1,c"):
            self.assertIsNone(parse_parameterized(text), text)

    def test_weights(self) -> None:
        """12.4.2."""
        for text, weight in (("1", 1000), ("0", 0), ("0.5", 500), ("1.000", 1000), ("0.001", 1)):
            self.assertEqual(parse_weight(text), weight)
        self.assertEqual(parse_weight("0."), 0)
        for text in ("", "2", "1.001", "0.1234", ".5", "-1", "0,5", "1e0", "\u0661"):
            self.assertIsNone(parse_weight(text), text)


class Numbers(SynchronousTestCase):
    def test_seconds(self) -> None:
        """RFC 9111, 1.2.2: an overflow is 2**31."""
        for text, seconds in (
            ("0", 0),
            ("3600", 3600),
            ("003600", 3600),
            ("2147483648", INFINITE),
            ("2147483649", INFINITE),
            ("99999999999", INFINITE),
            ("9" * 10_000, INFINITE),
            ("0" * 10_000 + "7", 7),
        ):
            self.assertEqual(parse_seconds(text), seconds)

    def test_no_seconds(self) -> None:
        for text in ("", "-1", "+1", "1.0", "a", "1a", " 1", "1 ", "1_0", "\u00b2", "\u0661", "''"):
            self.assertIsNone(parse_seconds(text), text)

    def test_numbers(self) -> None:
        self.assertEqual(parse_number(str(HUGE)), HUGE)
        self.assertEqual(parse_number(str(HUGE + 1)), HUGE)
        self.assertEqual(parse_number(str(HUGE - 1)), HUGE - 1)

    def test_content_length(self) -> None:
        """RFC 9110, 8.6."""
        self.assertEqual(parse_content_length("42"), 42)
        self.assertEqual(parse_content_length("42, 42"), 42)
        self.assertEqual(parse_content_length("9" * 5000), HUGE)
        for value in ("", "42, 43", "42,", "-1", "0x10", "1.5", "42 42"):
            self.assertIsNone(parse_content_length(value), value)

    @given(st.text())
    @example("\u0665")
    def test_any_text(self, text: str) -> None:
        """Nothing is raised."""
        for reader in (
            split_list,
            unquote,
            parse_parameterized,
            parse_weight,
            parse_seconds,
            parse_number,
            parse_content_length,
            is_token,
        ):
            reader(text)
