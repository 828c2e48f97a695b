"""The table that is printed when everything listens."""

from __future__ import annotations

import io
import shlex

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.interfaces import IAddress
from twisted.trial.unittest import SynchronousTestCase

from netlab.datagram import DEFAULT_PORT
from netlab.datagram.destination import parse_destination
from netlab.framing import FRAMINGS
from netlab.startup import Listening, print_table

LOCAL = IPv4Address("TCP", "127.0.0.1", 8032)
SIX = IPv6Address("TCP", "::1", 8032)
SOCKET = UNIXAddress(b"/run/netlab.sock")


def row(
    address: IAddress,
    endpoint: str = "tcp:8032",
    framing: str = "length-prefix",
    codec: str = "",
) -> Listening:
    """A row of the table."""
    return Listening("message", endpoint, address, framing, codec)


def table(*rows: Listening) -> list[str]:
    """The lines of the table."""
    stream = io.StringIO()
    print_table(stream, list(rows))
    return stream.getvalue().splitlines()


class Texts(SynchronousTestCase):
    def test_table(self) -> None:
        """What is printed, to the letter."""
        self.assertEqual(
            table(row(LOCAL), row(SIX, "tcp6:8032")),
            [
                "service  listens on      try",
                "message  127.0.0.1:8032  netlab send hello",
                "message  [::1]:8032      netlab send tcp:[::1]:8032 hello",
            ],
        )

    def test_where(self) -> None:
        """An address; in words where it is every address."""
        for address, where in (
            (LOCAL, "127.0.0.1:8032"),
            (SIX, "[::1]:8032"),
            (IPv4Address("TCP", "0.0.0.0", 80), "port 80, all addresses"),
            (IPv6Address("TCP", "::", 80), "port 80, all addresses"),
            (SOCKET, "unix:/run/netlab.sock"),
        ):
            self.assertEqual(row(address).where, where)

    def test_try_it(self) -> None:
        """A command that reaches it: no more words than are needed."""
        for address, endpoint, framing, words in (
            (LOCAL, "tcp:8032", "length-prefix", "hello"),
            (LOCAL, "tcp:8032", "", "hello"),
            (IPv4Address("TCP", "127.0.0.1", 1), "tcp:1", "", "tcp:localhost:1 hello"),
            (IPv4Address("TCP", "0.0.0.0", 8032), "tcp:8032", "", "hello"),
            (IPv4Address("TCP", "0.0.0.0", 1), "tcp:1", "", "tcp:localhost:1 hello"),
            (SIX, "tcp6:8032", "", "tcp:[::1]:8032 hello"),
            (IPv6Address("TCP", "::", 1), "tcp6:1", "", "tcp:localhost:1 hello"),
            (SOCKET, "unix:/run/netlab.sock", "", "unix:/run/netlab.sock hello"),
            (LOCAL, "ssl:8032", "", "--ca CA.pem tls:localhost:8032 hello"),
            (SIX, "tls:/certs:8032", "", "--ca CA.pem tls:[::1]:8032 hello"),
            (LOCAL, "tcp:8032", "netstring", "--framing netstring hello"),
            (SOCKET, "unix:/run/netlab.sock", "line", "--framing line unix:/run/netlab.sock hello"),
        ):
            self.assertEqual(row(address, endpoint, framing).try_it, f"netlab send {words}")

    def test_api(self) -> None:
        """An api is asked what it offers."""
        for address, endpoint, framing, codec, words in (
            (LOCAL, "tcp:8032", "length-prefix", "json", ""),
            (LOCAL, "tcp:8032", "line", "json", " --framing line"),
            (LOCAL, "tcp:8032", "length-prefix", "msgpack", " --codec msgpack"),
            (LOCAL, "tcp:8032", "varint", "msgpack", " --framing varint --codec msgpack"),
            (SIX, "tcp6:8032", "length-prefix", "json", " tcp:[::1]:8032"),
            (SOCKET, "unix:/run/netlab.sock", "", "json", " unix:/run/netlab.sock"),
            (LOCAL, "ssl:8032", "", "json", " --ca CA.pem tls:localhost:8032"),
        ):
            listening = row(address, endpoint, framing, codec)
            self.assertEqual(listening.try_it, f"netlab describe{words}")

    def test_own_name(self) -> None:
        """A program of one's own may have the name of a service on HTTP."""
        for service in ("rfc", "cache", "echo", "message"):
            own = Listening(service, "tcp:8032", LOCAL, "length-prefix", "json")
            self.assertEqual(own.try_it, "netlab describe")

    def test_datagrams(self) -> None:
        """A listener on UDP is tried with ``netlab ping``, whose default port is the echo's."""
        for host, port, words in (
            ("127.0.0.1", 8007, "127.0.0.1"),
            ("127.0.0.1", 9, "127.0.0.1:9"),
            ("0.0.0.0", 8007, "127.0.0.1"),
            ("0.0.0.0", 9, "127.0.0.1:9"),
            ("192.0.2.7", 8007, "192.0.2.7"),
        ):
            echo = Listening("echo", f"udp:{port}", IPv4Address("UDP", host, port), "")
            self.assertEqual(echo.try_it, f"netlab ping {words}")
            self.assertEqual(parse_destination(words, DEFAULT_PORT).port, port)
        for host, port, words in (
            ("::1", 8007, "::1"),
            ("::1", 9, "[::1]:9"),
            ("::", 8007, "::1"),
            ("::", 9, "[::1]:9"),
            ("2001:db8::7", 8007, "2001:db8::7"),
        ):
            echo = Listening("echo", f"udp6:{port}", IPv6Address("UDP", host, port), "")
            self.assertEqual(echo.try_it, f"netlab ping {words}")
            self.assertEqual(parse_destination(words, DEFAULT_PORT).port, port)
        self.assertEqual(
            table(
                Listening("echo", "udp:9", IPv4Address("UDP", "0.0.0.0", 9), ""),
                Listening("echo", "udp6:9", IPv6Address("UDP", "::1", 9), ""),
            ),
            [
                "service  listens on             try",
                "echo     port 9, all addresses  netlab ping 127.0.0.1:9",
                "echo     [::1]:9                netlab ping [::1]:9",
            ],
        )

    def test_http(self) -> None:
        """What listens for HTTP is tried with curl."""
        for service, path in (("rfc", "/rfc/rfc2324.txt"), ("cache", "/")):
            for address, endpoint, words in (
                (IPv4Address("TCP", "127.0.0.1", 8080), "tcp:8080", f"curl localhost:8080{path}"),
                (IPv4Address("TCP", "0.0.0.0", 80), "tcp:80", f"curl localhost:80{path}"),
                (IPv6Address("TCP", "::1", 8080), "tcp6:8080", f"curl -g '[::1]:8080{path}'"),
                (SOCKET, "unix:s", f"curl --unix-socket /run/netlab.sock localhost{path}"),
                (
                    IPv4Address("TCP", "192.0.2.7", 443),
                    "ssl:443",
                    f"curl --cacert CA.pem https://192.0.2.7:443{path}",
                ),
            ):
                self.assertEqual(Listening(service, endpoint, address, "").try_it, words)

    def test_other_address(self) -> None:
        """A listener on one address of the machine is not on localhost."""
        for port in (8032, 9000):
            there = row(IPv4Address("TCP", "192.0.2.7", port), f"tcp:{port}:interface=192.0.2.7")
            self.assertEqual(there.try_it, f"netlab send tcp:192.0.2.7:{port} hello")

    def test_shell(self) -> None:
        """What the shell makes of the command is what was meant."""
        for framing in (r"line:delimiter=\r\n", "line:delimiter=;", "length-prefix:size=2"):
            words = shlex.split(row(LOCAL, framing=framing).try_it)
            self.assertEqual(words, ["netlab", "send", "--framing", framing, "hello"])
        path = row(UNIXAddress(b"/run/my socket"), "unix:/run/my socket")
        self.assertIn("unix:/run/my socket", shlex.split(path.try_it))

    def test_notes(self) -> None:
        """A UNIX socket that every user may connect to is said to be one, once."""
        note = "note: any local user may connect to unix:/run/netlab.sock: add :mode=660"
        opened = row(SOCKET, "unix:/run/netlab.sock")
        self.assertEqual(table(opened, opened)[3:], [note])
        self.assertEqual(table(row(SOCKET, "unix:/run/netlab.sock:mode=660"))[2:], [])
        self.assertEqual(table(row(LOCAL))[2:], [])

    def test_notes_behind_a_balancer(self) -> None:
        """Also when a PROXY header comes first."""
        self.assertEqual(len(table(row(SOCKET, "haproxy:unix:/run/netlab.sock"))), 3)
        self.assertEqual(len(table(row(SOCKET, "haproxy:unix:/run/netlab.sock:mode=660"))), 2)


class Width(SynchronousTestCase):
    def assert_narrow(self, *rows: Listening) -> None:
        """It fits a terminal of 80 columns."""
        for line in table(*rows):
            self.assertLessEqual(len(line), 80, line)

    def test_defaults(self) -> None:
        """The default listeners, and any port."""
        for port in (8032, 65535):
            both = [
                row(IPv4Address("TCP", "127.0.0.1", port)),
                row(IPv6Address("TCP", "::1", port), "tcp6"),
            ]
            self.assert_narrow(*both)

    def test_each(self) -> None:
        """Each kind of listener."""
        for address, endpoint in (
            (IPv4Address("TCP", "0.0.0.0", 65535), "tcp:65535"),
            (IPv6Address("TCP", "::", 65535), "tcp6:65535"),
            (IPv4Address("TCP", "127.0.0.1", 65535), "ssl:65535"),
            (SOCKET, "unix:/run/netlab.sock:mode=660"),
        ):
            self.assert_narrow(row(address, endpoint))

    def test_note(self) -> None:
        """A note below the table."""
        self.assert_narrow(row(SOCKET, "unix:/run/netlab.sock"))

    def test_tls_everywhere(self) -> None:
        """TLS on every address of the machine."""
        self.assert_narrow(row(IPv4Address("TCP", "0.0.0.0", 65535), "ssl:65535"))

    def test_framings(self) -> None:
        """Each framing, on each loopback address."""
        for framing in FRAMINGS:
            for port in (8032, 65535):
                self.assert_narrow(
                    row(IPv4Address("TCP", "127.0.0.1", port), framing=framing),
                    row(IPv6Address("TCP", "::1", port), framing=framing),
                )

    @given(st.binary(max_size=50), st.text(max_size=20), st.sampled_from(["unix:", "tcp:", "tls:"]))
    def test_anything(self, path: bytes, host: str, endpoint: str) -> None:
        """Whatever an address holds, a row is one line, or its command stands below."""
        for address in (UNIXAddress(path), IPv4Address("TCP", host, 1), SIX):
            lines = [each for each in table(row(address, endpoint)) if not each.startswith("note")]
            wide = len(lines) == 3 and lines[2].startswith("try ")
            self.assertTrue(len(lines) == 2 or wide, lines)
