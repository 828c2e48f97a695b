# trial's assertions have no annotations:
# mypy: allow-untyped-calls
"""``udp:`` endpoint strings: what they mean, and one line for each that means nothing."""

from __future__ import annotations

import socket

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.endpoints import quoteStringArgument
from twisted.trial.unittest import SynchronousTestCase

from netlab.datagram import DEFAULT_PORT, loopback
from netlab.datagram import listening as listening_module
from netlab.datagram.listening import parse_endpoint
from netlab.errors import ConfigurationError


class Parsing(SynchronousTestCase):
    def test_good(self) -> None:
        """An address and a port; without an interface it is every address."""
        for text, meant in (
            ("udp:8007", ("0.0.0.0", 8007)),
            ("udp:0", ("0.0.0.0", 0)),
            ("udp:65535", ("0.0.0.0", 65535)),
            ("udp6:8007", ("::", 8007)),
            ("udp:8007:interface=127.0.0.1", ("127.0.0.1", 8007)),
            ("udp:8007:interface=192.0.2.1", ("192.0.2.1", 8007)),
            (r"udp6:8007:interface=\:\:1", ("::1", 8007)),
            ("udp6:8007:interface=::1", ("::1", 8007)),
            ("udp6:8007:interface=[::1]", ("::1", 8007)),
            ("udp:8007:interface=::1", ("::1", 8007)),
            ("udp6:9:interface=fe80::1%eth0", ("fe80::1%eth0", 9)),
        ):
            self.assertEqual(parse_endpoint(text), meant, text)

    def test_bad(self) -> None:
        """What is wrong, and what would be right, in one line."""
        for text, said in (
            ("8007", "say what kind of endpoint it is: udp:8007"),
            ("", "'' is not udp or udp6"),
            ("tcp:8007", "'tcp' is not udp or udp6"),
            ("UDP:8007", "'UDP' is not udp or udp6"),
            ("udp", "'' is not a port"),
            ("udp:", "'' is not a port"),
            ("udp:echo", "'echo' is not a port from 0 to 65535"),
            ("udp:65536", "'65536' is not a port"),
            ("udp:-1", "'-1' is not a port"),
            ("udp:+1", "not a port"),
            ("udp: 1", "not a port"),
            ("udp:1_0", "not a port"),
            ("udp:٣", "not a port"),
            ("udp:1\n", "not a port"),
            ("udp:" + "9" * 5000, "not a port"),
            ("udp:1:interface", "'interface' is not interface=ADDRESS"),
            ("udp:1:interfaec=127.0.0.1", "is not interface=ADDRESS"),
            ("udp:1:interface=", "is not a numeric address"),
            ("udp:1:interface=localhost", "'localhost' is not a numeric address"),
            ("udp:1:interface=127.0.0.1:backlog=5", "not a numeric address"),
            ("udp:1:interface=127.1", "not a numeric address"),
            ("udp6:1:interface=127.0.0.1", "write udp:1:interface=127.0.0.1"),
            ("udp:1:interface=224.0.0.1", "is not an address of one machine"),
            ("udp6:1:interface=ff02::1", "is not an address of one machine"),
            ("udp:1:interface=255.255.255.255", "is not an address of one machine"),
        ):
            error = str(self.assertRaises(ConfigurationError, parse_endpoint, text))
            self.assertIn(said, error)
            self.assertIn("write for example udp:8007, ", error)
            self.assertEqual(error.splitlines(), [error])
            self.assertLess(len(error), 1000)

    @given(st.text(max_size=40), st.sampled_from(["", "udp:", "udp6:", "udp:1:interface="]))
    def test_anything(self, text: str, before: str) -> None:
        """Any text is an endpoint, or one printable line that says why it is none."""
        try:
            host, port = parse_endpoint(before + text)
        except ConfigurationError as error:
            self.assertTrue(str(error).isprintable(), str(error))
        else:
            self.assertTrue(0 <= port <= 65535)
            family = socket.AF_INET6 if ":" in host else socket.AF_INET
            socket.inet_pton(family, host.partition("%")[0])

    @given(st.ip_addresses(), st.integers(0, 65535))
    def test_any_address(self, address: object, port: int) -> None:
        """Quoted as Twisted's strings want it, or as it is."""
        for host in (str(address), quoteStringArgument(str(address))):
            kind = "udp6" if ":" in host else "udp"
            try:
                meant = parse_endpoint(f"{kind}:{port}:interface={host}")
            except ConfigurationError as error:
                self.assertIn("not an address of one machine", str(error))
            else:
                self.assertEqual(meant, (str(address), port))


class Loopback(SynchronousTestCase):
    def test_strings(self) -> None:
        """This machine's own addresses, of both families where there are two."""
        self.assertEqual(DEFAULT_PORT, 8007)
        for six, meant in ((True, [("127.0.0.1", 5), ("::1", 5)]), (False, [("127.0.0.1", 5)])):
            self.patch(listening_module, "has_ipv6", lambda six=six: six)
            self.assertEqual([parse_endpoint(each) for each in loopback(5)], meant)
