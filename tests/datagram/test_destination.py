"""What a person or a program writes for where datagrams are to go."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from netlab.datagram.destination import Destination, parse_destination
from netlab.errors import ConfigurationError
from netlab.escaping import escape


class Right(SynchronousTestCase):
    def test_with_port(self) -> None:
        for text, host, port in (
            ("localhost:8007", "localhost", 8007),
            ("udp:localhost:8007", "localhost", 8007),
            ("192.0.2.1:7", "192.0.2.1", 7),
            ("[::1]:8007", "::1", 8007),
            ("udp:[2001:db8::1]:9", "2001:db8::1", 9),
            (r"udp:\:\:1:8007", "::1", 8007),
            ("[fe80::1%eth0]:65535", "fe80::1%eth0", 65535),
            ("bücher.example:1", "bücher.example", 1),
        ):
            for default in (None, 4711):
                self.assertEqual(parse_destination(text, default), Destination(host, port), text)

    def test_default_port(self) -> None:
        for text, host in (
            ("localhost", "localhost"),
            ("udp:localhost", "localhost"),
            ("192.0.2.1", "192.0.2.1"),
            ("::1", "::1"),
            ("[::1]", "::1"),
            ("fe80::1%eth0", "fe80::1%eth0"),
            ("2001:db8::", "2001:db8::"),
        ):
            self.assertEqual(parse_destination(text, 8007), Destination(host, 8007), text)

    def test_a_host_of_that_name(self) -> None:
        self.assertEqual(parse_destination("udp", 8007), Destination("udp", 8007))
        self.assertEqual(parse_destination("udp:udp:1"), Destination("udp", 1))

    @given(st.sampled_from(["localhost", "::1", "fe80::1%eth0", "a-b.c"]), st.integers(1, 65535))
    def test_there_and_back(self, host: str, port: int) -> None:
        destination = Destination(host, port)
        self.assertEqual(parse_destination(str(destination)), destination)
        self.assertEqual(parse_destination(f"udp:{destination}"), destination)


class Wrong(SynchronousTestCase):
    def says(self, text: str, default: int | None = None) -> str:
        error = self.assertRaises(ConfigurationError, parse_destination, text, default)
        message = str(error)
        self.assertNotIn("\n", message)
        return message

    def test_port_is_missing(self) -> None:
        self.assertEqual(
            self.says("localhost"),
            "'localhost': the port is missing; write for example localhost:8007",
        )
        self.assertIn("example [::1]:8007", self.says("[::1]"))

    def test_port(self) -> None:
        for port in ("0", "65536", "100000", "-1", "+1", "1 ", "x", "", "٣", "1_0"):
            for text in (f"localhost:{port}", f"udp:[::1]:{port}"):
                self.assertIn("a number from 1 to 65535, not", self.says(text, 8007), text)

    def test_brackets(self) -> None:
        self.assertIn("brackets: [::1]:8007", self.says("::1:8007"))
        self.assertIn("brackets: [::1]:8007", self.says("::1"))
        self.assertIn("brackets: [2001:db8::]:8007", self.says("2001:db8::"))
        self.assertIn("write HOST:PORT", self.says("[::1:8007"))
        self.assertIn("'localhost' in brackets is not", self.says("[localhost]:8007"))

    def test_too_many_colons(self) -> None:
        self.assertIn("write HOST:PORT", self.says("a:b:8007", 8007))

    def test_server_endpoints(self) -> None:
        for text in ("udp:8007", "udp:8007:interface=127.0.0.1", "udp:"):
            self.assertIn("as in udp:localhost:8007", self.says(text, 8007))

    def test_other_kinds(self) -> None:
        self.assertIn("datagrams go to udp:HOST:PORT", self.says("tcp:localhost:8032"))
        self.assertIn("write udp:HOST:PORT", self.says("udp6:[::1]:8007"))

    def test_no_host(self) -> None:
        for text in ("", ":8007", "a b:1", "host/x:1", "u@h:1", "\x1b[2J:1", "\0:1"):
            message = self.says(text, 8007)
            self.assertIn("a name or an address", message, text)
            self.assertTrue(message.isprintable())

    @given(st.text(max_size=20), st.sampled_from([None, 8007]))
    def test_anything(self, text: str, default: int | None) -> None:
        """It means something, or it is said what is wrong."""
        try:
            parse_destination(text, default)
        except ConfigurationError as error:
            self.assertEqual(escape(str(error), None), str(error))
