"""Addresses as text."""

from __future__ import annotations

import unicodedata

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.address import HostnameAddress, IPv4Address, IPv6Address, UNIXAddress
from twisted.trial.unittest import SynchronousTestCase

from netlab.transport import address_text


class Text(SynchronousTestCase):
    def test_kinds(self) -> None:
        """Each kind of address, as people write it."""
        for address, text in (
            (IPv4Address("TCP", "127.0.0.1", 8032), "127.0.0.1:8032"),
            (IPv4Address("UDP", "0.0.0.0", 0), "0.0.0.0:0"),
            (IPv6Address("TCP", "::1", 8032), "[::1]:8032"),
            (IPv6Address("TCP", "fe80::1%eth0", 1), "[fe80::1%eth0]:1"),
            (UNIXAddress(b"/run/netlab.sock"), "unix:/run/netlab.sock"),
            (UNIXAddress(None), "a UNIX socket"),
            (UNIXAddress(b""), "a UNIX socket"),
            (UNIXAddress(b"\0hidden"), r"unix:\x00hidden"),
        ):
            self.assertEqual(address_text(address), text)

    def test_others(self) -> None:
        """An address of another kind says of itself what it is."""
        self.assertIn("example.org", address_text(HostnameAddress(b"example.org", 80)))

    def test_escaped(self) -> None:
        """A PROXY header may give any text for an address; none of it moves a cursor.

        Stock Twisted logs such text as it came.
        """
        for host in ("\x1b[2J", "a\nb", "\u202e1.0.0.127"):
            for address in (IPv4Address("TCP", host, 1), IPv6Address("TCP", host, 1)):
                text = address_text(address)
                self.assertTrue(text.isprintable())
                self.assertNotIn(host, text)

    @given(st.text(), st.binary(max_size=100))
    def test_always_one_line(self, host: str, name: bytes) -> None:
        """Whatever an address holds, its text is one line without control characters."""
        unix = UNIXAddress(name)
        for address in (IPv4Address("TCP", host, 1), IPv6Address("TCP", host, 1), unix):
            kinds = set(map(unicodedata.category, address_text(address)))
            self.assertFalse(kinds & {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
