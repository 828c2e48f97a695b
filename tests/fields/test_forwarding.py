"""What an intermediary removes and adds (RFC 9110, 7.6)."""

# trial's assertions have no annotations:
# mypy: allow-untyped-calls

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from netlab.errors import LocalProtocolError
from netlab.fields import (
    HOP_BY_HOP,
    Fields,
    Hop,
    add_via,
    connection_options,
    end_to_end,
    parse_via,
    passed_through,
)


class EndToEnd(SynchronousTestCase):
    """7.6.1 and 11.7."""

    def test_listed(self) -> None:
        """Each connection option names a field to remove, in any case, on any line."""
        fields = Fields(
            [
                ("Connection", "close, X-One"),
                ("x-one", "1"),
                ("X-Two", "2"),
                ("X-Three", "3"),
                ("connection", ",x-TWO,"),
                ("X-One", "4"),
            ]
        )
        self.assertEqual(connection_options(fields), {"close", "x-one", "x-two"})
        self.assertEqual(list(end_to_end(fields)), [("X-Three", "3")])

    def test_known(self) -> None:
        """Removed whether they are listed or not."""
        for name in (
            *("Connection", "Proxy-Connection", "Keep-Alive", "TE", "Transfer-Encoding", "Upgrade"),
            *("Proxy-Authenticate", "Proxy-Authorization", "Proxy-Authentication-Info"),
        ):
            self.assertIn(name.lower(), HOP_BY_HOP)
            fields = Fields([("A", "b"), (name, "x")])
            self.assertEqual(list(end_to_end(fields)), [("A", "b")])

    def test_kept(self) -> None:
        """5.1: unrecognized fields are forwarded; Authorization is end-to-end (11.6.2)."""
        fields = Fields(
            [("Authorization", "x"), ("X-New", "y"), ("Trailer", "z"), ("Via", "1.1 a")]
        )
        self.assertIs(end_to_end(fields), fields)

    def test_no_options(self) -> None:
        self.assertEqual(connection_options(Fields()), frozenset())
        self.assertEqual(connection_options(Fields([("Connection", "")])), frozenset())

    @given(st.text(st.sampled_from('aB ,"\\\t;='), max_size=20))
    def test_any_connection(self, value: str) -> None:
        fields = Fields([("Connection", value), ("a", "1"), ("B", "2")])
        kept = end_to_end(fields)
        self.assertNotIn("connection", kept)
        for name in ("a", "b"):
            self.assertEqual(name in kept, name not in connection_options(fields))


class Via(SynchronousTestCase):
    """7.6.3."""

    def test_example(self) -> None:
        fields = add_via(Fields(), "1.0", "fred")
        fields = add_via(fields, "1.1", "p.example.net:8080")
        self.assertEqual(fields.get("via"), "1.0 fred, 1.1 p.example.net:8080")
        self.assertEqual(
            parse_via(fields.get("via") or ""),
            [Hop("1.0", "fred"), Hop("1.1", "p.example.net:8080")],
        )

    def test_protocol_names(self) -> None:
        self.assertEqual(add_via(Fields(), "HTCPCP/1.0", "pot").get("via"), "HTCPCP/1.0 pot")

    def test_comments(self) -> None:
        """5.6.5: they may hold commas, parentheses and quoted characters."""
        value = "1.1 a (x, 1.1 netlab), 1.0 b (y (z) \\) , ), HTTP/2 c, 1.1 [::1]:80"
        self.assertEqual([hop.received_by for hop in parse_via(value)], ["a", "b", "c", "[::1]:80"])
        self.assertFalse(passed_through(Fields([("Via", value)]), "netlab"))

    def test_loop(self) -> None:
        """7.6: a message must not come round for ever."""
        fields = add_via(Fields([("Via", "1.1 other")]), "1.1", "Netlab:8080")
        self.assertTrue(passed_through(fields, "netlab:8080"))
        self.assertFalse(passed_through(fields, "netlab"))
        self.assertFalse(passed_through(Fields(), "netlab"))

    def test_malformed(self) -> None:
        self.assertEqual(parse_via("1.1, fred, 1.1 a b, , 1.1 c(d)"), [Hop("1.1", "c")])

    def test_refused(self) -> None:
        for version, name in (
            ("1.1", ""),
            ("", "a"),
            ("1.1", "a b"),
            ("1.1", "a,b"),
            ("1/1/1", "a"),
        ):
            with self.assertRaises(LocalProtocolError) as caught:
                add_via(Fields(), version, name)
            self.assertIn("no member of Via", str(caught.exception))

    @given(st.text(st.sampled_from('1. a(),\\"\t\xe9')))
    def test_any_text(self, value: str) -> None:
        parse_via(value)
