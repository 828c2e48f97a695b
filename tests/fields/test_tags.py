"""Entity tags (RFC 9110, 8.8.3)."""

# trial's assertions have no annotations:
# mypy: allow-untyped-calls

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from netlab.fields import (
    EntityTag,
    parse_entity_tag,
    parse_entity_tags,
    strongly_equal,
    weakly_equal,
)

opaque = st.text(st.characters(min_codepoint=0x21, max_codepoint=0xFF, exclude_characters='"\x7f'))
tags = st.builds(lambda text, weak: EntityTag(f'"{text}"', weak), opaque, st.booleans())


class Parsing(SynchronousTestCase):
    def test_examples(self) -> None:
        """The RFC's own, and obs-text."""
        for text in ('"xyzzy"', 'W/"xyzzy"', '""', '"a,b"', '"\\"', '"\xfc"'):
            tag = parse_entity_tag(text)
            self.assertIsNotNone(tag)
            self.assertEqual(str(tag), text)
            assert tag is not None
            self.assertEqual(tag.weak, text.startswith("W"))

    def test_malformed(self) -> None:
        """The weakness is case-sensitive, quotes are needed, white space is not allowed."""
        for text in (
            *("", "xyzzy", "*", 'w/"x"', 'W"x"', 'W\\"x"', '"x', 'x"', '"a"b"', '"a b"'),
            *(' "x"', '"x" ', '"\t"', '"\x7f"', '"x"\n', '"x", "y"', '"\u2603"'),
        ):
            self.assertIsNone(parse_entity_tag(text), text)

    def test_lists(self) -> None:
        """13.1.1 and 13.1.2: the RFC's own examples."""
        for value, count in (
            ('"xyzzy"', 1),
            ('"xyzzy", "r2d2xxxx", "c3piozzzz"', 3),
            ('W/"xyzzy", W/"r2d2xxxx", W/"c3piozzzz"', 3),
            ('"a","b" ,, ,"c,d",', 3),
            ('"a\\", "b"', 2),  # no quoted-pair in an entity tag
        ):
            found = parse_entity_tags(value)
            self.assertEqual(len(found), count, value)

    def test_malformed_lists(self) -> None:
        """Nothing is known of what a malformed list means."""
        for value in ("", "*", "abcdef", '"a", b', '"a" "b"', '"a', '"a", *', ' , "a" x'):
            self.assertEqual(parse_entity_tags(value), (), value)

    def test_linear(self) -> None:
        for value in ('"' * 99_999, " ," * 50_000 + "x", '"a" ,  ' * 15_000 + "x", 'W/"' * 30_000):
            parse_entity_tags(value)

    @given(st.lists(tags))
    def test_round_trip(self, found: list[EntityTag]) -> None:
        self.assertEqual(parse_entity_tags(", ".join(map(str, found))), tuple(found))

    @given(st.text(st.sampled_from('W/"a, \xe9*')))
    def test_any_text(self, text: str) -> None:
        parse_entity_tag(text)
        parse_entity_tags(text)


class Comparison(SynchronousTestCase):
    def test_table(self) -> None:
        """8.8.3.2, table 3."""
        for one, other, strong, weak in (
            ('W/"1"', 'W/"1"', False, True),
            ('W/"1"', 'W/"2"', False, False),
            ('W/"1"', '"1"', False, True),
            ('"1"', '"1"', True, True),
        ):
            first, second = parse_entity_tag(one), parse_entity_tag(other)
            for pair in ((first, second), (second, first)):
                self.assertEqual(strongly_equal(*pair), strong, (one, other))
                self.assertEqual(weakly_equal(*pair), weak, (one, other))

    def test_none(self) -> None:
        """What is not there equals nothing."""
        tag = parse_entity_tag('"1"')
        for pair in ((None, None), (tag, None), (None, tag)):
            self.assertFalse(strongly_equal(*pair))
            self.assertFalse(weakly_equal(*pair))
