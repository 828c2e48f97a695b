"""``Fields``: the field section of a message (RFC 9110, 5)."""

# trial's assertions have no annotations:
# mypy: allow-untyped-calls

from __future__ import annotations

import copy
import pickle

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from netlab.errors import LocalProtocolError, RemoteProtocolError
from netlab.fields import Fields

TOKEN = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
names = st.text(st.sampled_from(TOKEN), min_size=1, max_size=6)
values = st.text(
    st.characters(min_codepoint=0x20, max_codepoint=0xFF, exclude_characters="\x7f"), max_size=12
)
sections = st.lists(st.tuples(names, values), max_size=8)


class Lookup(SynchronousTestCase):
    """RFC 9110, 5.1 to 5.3."""

    fields = Fields([("Vary", "Accept"), ("Age", "7"), ("vary", "Cookie")])

    def test_any_case(self) -> None:
        """5.1: names are case-insensitive."""
        for name in ("age", "AGE", "Age"):
            self.assertEqual(self.fields.get(name), "7")
            self.assertIn(name, self.fields)

    def test_combined(self) -> None:
        """5.2: several lines are one value, in order."""
        self.assertEqual(self.fields.get("vary"), "Accept, Cookie")
        self.assertEqual(self.fields.lines("VARY"), ("Accept", "Cookie"))

    def test_absent(self) -> None:
        self.assertIsNone(self.fields.get("etag"))
        self.assertEqual(self.fields.lines("etag"), ())
        self.assertNotIn("etag", self.fields)

    def test_empty_is_there(self) -> None:
        """A field with an empty value is not an absent one."""
        fields = Fields([("Accept-Encoding", "")])
        self.assertEqual(fields.get("accept-encoding"), "")
        self.assertIn("accept-encoding", fields)

    def test_order(self) -> None:
        self.assertEqual(list(self.fields), [("Vary", "Accept"), ("Age", "7"), ("vary", "Cookie")])
        self.assertEqual(len(self.fields), 3)
        self.assertEqual(self.fields.names(), {"vary", "age"})

    def test_none(self) -> None:
        self.assertEqual((len(Fields()), Fields().to_bytes(), list(Fields())), (0, b"", []))


class Changes(SynchronousTestCase):
    fields = Fields([("A", "1"), ("B", "2"), ("a", "3"), ("C", "4")])

    def test_adding(self) -> None:
        self.assertEqual(list(self.fields.adding(("A", "5"))), [*self.fields, ("A", "5")])

    def test_setting(self) -> None:
        """One line in the place of all of that name."""
        self.assertEqual(list(self.fields.setting("a", "x")), [("a", "x"), ("B", "2"), ("C", "4")])
        self.assertEqual(list(self.fields.setting("C", "x"))[-1], ("C", "x"))
        self.assertEqual(list(self.fields.setting("D", "x")), [*self.fields, ("D", "x")])

    def test_without(self) -> None:
        self.assertEqual(list(self.fields.without("A", "c")), [("B", "2")])
        self.assertIs(self.fields.without("x"), self.fields)
        self.assertEqual(list(self.fields.excluding(frozenset({"a", "c"}))), [("B", "2")])

    def test_only(self) -> None:
        self.assertEqual(list(self.fields.only("A")), [("A", "1"), ("a", "3")])

    def test_updated(self) -> None:
        """RFC 9111, 3.2: replaced as a whole, all lines of a name."""
        news = Fields([("a", "8"), ("D", "9")])
        self.assertEqual(
            list(self.fields.updated(news)), [("B", "2"), ("C", "4"), ("a", "8"), ("D", "9")]
        )

    def test_never_changes(self) -> None:
        before = list(self.fields)
        self.fields.setting("A", "x")
        self.fields.adding(("E", "y"))
        self.assertEqual(list(self.fields), before)


class Equality(SynchronousTestCase):
    def test_case_of_names(self) -> None:
        one, other = Fields([("ETag", '"x"')]), Fields([("etag", '"x"')])
        self.assertEqual(one, other)
        self.assertEqual(hash(one), hash(other))
        self.assertNotEqual(one, Fields([("ETag", '"X"')]))
        self.assertNotEqual(one, [("ETag", '"x"')])

    def test_copies(self) -> None:
        fields = Fields([("A", "1")])
        self.assertEqual(copy.deepcopy(fields), fields)
        self.assertEqual(pickle.loads(pickle.dumps(fields)), fields)

    def test_shown_safely(self) -> None:
        """What a peer sent does not reach a terminal raw."""
        shown = repr(Fields.received([(b"A", b"\xe2\x80\xae\x9b")]))
        self.assertTrue(shown.isascii() and shown.isprintable(), shown)


class Ours(SynchronousTestCase):
    """What this program must not write (RFC 9110, 5.1 and 5.5)."""

    def assert_refused(self, name: str, value: str, said: str) -> None:
        for make in (
            lambda: Fields([(name, value)]),
            lambda: Fields().adding((name, value)),
            lambda: Fields([("A", "b")]).setting(name, value),
        ):
            with self.assertRaises(LocalProtocolError) as caught:
                make()
            self.assertIn(said, str(caught.exception))
            self.assertTrue(str(caught.exception).isprintable())

    def test_splitting(self) -> None:
        """5.5: CR, LF and NUL are dangerous."""
        for value in ("a\r\nSet-Cookie: b", "a\nb", "a\rb", "a\0b"):
            for name in ("Location", "Age"):
                self.assert_refused(name, value, f"in the value of {name}")

    def test_controls(self) -> None:
        for code in (*range(0x09), *range(0x0B, 0x20), 0x7F):
            self.assert_refused("A", f"x{chr(code)}y", "control character")

    def test_too_wide(self) -> None:
        self.assert_refused("A", "\u2603", "above U+00FF")
        self.assert_refused("Age", "\u2603", "above U+00FF")

    def test_names(self) -> None:
        for name in ("", "a b", "a:", "\u00e9", "\u2603", "a\n", "(x)"):
            self.assert_refused(name, "x", "not a field name")

    def test_white_space(self) -> None:
        """5.5: it is not part of the value."""
        self.assertEqual(Fields([("A", " \tb c\t ")]).get("a"), "b c")
        self.assertEqual(Fields([("Age", " 7 ")]).get("a"), None)
        self.assertEqual(Fields([("Age", " 7 ")]).get("age"), "7")

    def test_allowed(self) -> None:
        fields = Fields([("A", "tab\there \u00e9")])
        self.assertEqual(fields.to_bytes(), b"A: tab\there \xe9\r\n")


class Theirs(SynchronousTestCase):
    """What comes from a peer."""

    def test_latin_1(self) -> None:
        fields = Fields.received([(b"X", b"\xc3\xa9"), (b"y", b" \t z ")])
        self.assertEqual(list(fields), [("X", "\u00c3\u00a9"), ("y", "z")])
        self.assertEqual(fields.to_bytes(), b"X: \xc3\xa9\r\ny: z\r\n")

    def test_refused(self) -> None:
        for name, value, said in (
            (b"X", b"a\r\nb", "control character \\x0d in the value of X"),
            (b"X", b"a\0b", "control character \\x00"),
            (b"X", b"\x7f", "control character \\x7f"),
            (b"a b", b"", "'a b' is not a field name"),
            (b"a\n", b"", "'a\\x0a' is not a field name"),
            (b"\xe9", b"", "is not a field name"),
            (b"", b"x", "without a name"),
        ):
            with self.assertRaises(RemoteProtocolError) as caught:
                Fields.received([(b"Good", b"value"), (name, value)])
            self.assertIn(said, str(caught.exception))

    @given(st.lists(st.tuples(st.binary(max_size=6), st.binary(max_size=10)), max_size=6))
    def test_any_bytes(self, pairs: list[tuple[bytes, bytes]]) -> None:
        """Any bytes are fields or ``RemoteProtocolError``; and what is, can be sent on."""
        try:
            fields = Fields.received(pairs)
        except RemoteProtocolError:
            return
        wire = fields.to_bytes()
        self.assertEqual(wire.count(b"\n"), len(pairs))
        self.assertEqual(Fields(fields), fields)


class Properties(SynchronousTestCase):
    @given(sections)
    def test_round_trip(self, pairs: list[tuple[str, str]]) -> None:
        fields = Fields(pairs)
        lines = [line.partition(b":") for line in fields.to_bytes().split(b"\r\n")[:-1]]
        again = Fields.received([(name, value) for name, _, value in lines])
        self.assertEqual(list(again), list(fields))

    @given(sections, names)
    def test_get_and_lines(self, pairs: list[tuple[str, str]], name: str) -> None:
        fields = Fields(pairs)
        found = [value.strip(" \t") for each, value in pairs if each.lower() == name.lower()]
        self.assertEqual(fields.lines(name), tuple(found))
        self.assertEqual(fields.get(name), ", ".join(found) if found else None)
        self.assertEqual(name in fields, bool(found))

    @given(sections, names, values)
    def test_setting(self, pairs: list[tuple[str, str]], name: str, value: str) -> None:
        fields = Fields(pairs)
        changed = fields.setting(name, value)
        self.assertEqual(changed.lines(name), (value.strip(" \t"),))
        self.assertEqual(changed.without(name), fields.without(name))
