# trial's assertions have no annotations:
# mypy: allow-untyped-calls
"""``--listen``: every kind of endpoint that Twisted knows, in a real process."""

from __future__ import annotations

import os
import socket
import ssl
import stat
import struct
import sys
from pathlib import Path

import trustme
from twisted.trial.unittest import SkipTest

from netlab.transport.endpoints import has_ipv6
from tests.system.peers import (
    connect,
    connect_unix,
    ends,
    frame,
    receive_all,
    request,
    send_and_end,
)
from tests.system.processes import LOOPBACK, TWISTD, Server, SystemCase

_V2 = b"\r\n\r\n\0\r\nQUIT\n"


class Endpoints(SystemCase):
    def make_certificate(self) -> ssl.SSLContext:
        """Writes a certificate for localhost; returns what trusts it."""
        authority = trustme.CA()
        made = authority.issue_cert("localhost", "127.0.0.1")
        made.private_key_pem.write_to_path(self.folder / "key.pem")
        made.cert_chain_pems[0].write_to_path(self.folder / "cert.pem")
        context = ssl.create_default_context()
        authority.configure_trust(context)
        return context

    def test_tcp6(self) -> None:
        """The IPv6 loopback address."""
        if not has_ipv6():
            raise SkipTest("this machine has no IPv6")
        server = self.serve(r"--listen=tcp6:0:interface=\:\:1")
        self.assertEqual(server.address[0], "::1")
        self.assertEqual(send_and_end(server.address, frame(b"six")), frame(b"six"))
        self.assertIn(f"netlab send tcp:[::1]:{server.port} hello", server.out)
        self.assert_stops_cleanly(server)

    def test_unix(self) -> None:
        """A UNIX socket: the mode that was asked for, and a word when none was.

        Stock Twisted makes it 0666 without a word.
        """
        for mode, note in ((":mode=660", False), (":mode=600", False), ("", True)):
            path = self.folder / f"socket{mode[-3:]}"
            server = self.serve(f"--listen=unix:{path}{mode}")
            expected = int(mode[-3:], 8) if mode else 0o666
            self.assertEqual(stat.S_IMODE(path.stat().st_mode), expected)
            with connect_unix(str(path)) as sock:
                self.assertEqual(request(sock, b"local"), b"local")
                sock.shutdown(socket.SHUT_WR)
                self.assertEqual(receive_all(sock), b"")
            self.assert_stops_cleanly(server)
            self.assertFalse(path.exists())
            text = f"note: any local user may connect to unix:{path}: add :mode=660"
            self.assertEqual(text in server.out, note, server.out)

    def test_tls(self) -> None:
        """``ssl:`` with a certificate of our own, seen by Python's own TLS client."""
        context = self.make_certificate()
        words = "ssl:0:privateKey=key.pem:certKey=cert.pem:interface=127.0.0.1"
        server = self.serve(f"--listen={words}")
        self.assertIn(f"netlab send --ca CA.pem tls:localhost:{server.port} hello", server.out)
        big = os.urandom(300_000)
        with context.wrap_socket(connect(server.address), server_hostname="localhost") as sock:
            for message in (b"secret", b"", big, b"more"):
                self.assertEqual(request(sock, message), message)
        # Who speaks no TLS is told apart, and harms nobody.
        with connect(server.address) as sock:
            sock.sendall(frame(b"in the clear") * 10)
            ends(sock)
        with context.wrap_socket(connect(server.address), server_hostname="localhost") as sock:
            self.assertEqual(request(sock, b"still here"), b"still here")
        self.assert_stops_cleanly(server)

    def test_proxy(self) -> None:
        """``haproxy:``: the log knows the client's address, not the balancer's."""
        server = self.serve("--log-level=debug", f"--listen=haproxy:{LOOPBACK}")
        one = b"PROXY TCP4 192.0.2.7 192.0.2.1 4007 8032\r\n"
        addresses = socket.inet_aton("192.0.2.8") + socket.inet_aton("192.0.2.1")
        two = _V2 + b"\x21\x11" + struct.pack("!H", 12) + addresses
        two += struct.pack("!HH", 4008, 8032)
        addresses = b"".join(
            socket.inet_pton(socket.AF_INET6, each) for each in ("2001:db8::9", "2001:db8::1")
        )
        six = _V2 + b"\x21\x21" + struct.pack("!H", 36) + addresses
        six += struct.pack("!HH", 4009, 8032)
        for header, peer in (
            (one, r"192\.0\.2\.7:4007"),
            (two, r"192\.0\.2\.8:4008"),
            (six, r"\[2001:db8:[0:]*:9\]:4009"),
        ):
            # At once with the first message, and a byte at a time.
            self.assertEqual(send_and_end(server.address, header + frame(b"a")), frame(b"a"))
            server.wait_for(rf"connection from {peer}$")
            with connect(server.address) as sock:
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                for byte in header:
                    sock.sendall(bytes([byte]))
                self.assertEqual(request(sock, b"b"), b"b")
        with connect(server.address) as sock:
            sock.sendall(frame(b"no header at all") * 8)
            ends(sock)
        server.wait_for("connecting without the load balancer")
        self.assert_stops_cleanly(server)

    def test_systemd(self) -> None:
        """``systemd:``: a listening socket that was handed down, as systemd does it."""
        with socket.create_server(("127.0.0.1", 0)) as listener:
            address = listener.getsockname()
            # systemd forks and knows the number of the process before the program starts.
            code = (
                "import os, sys; os.dup2(int(sys.argv[1]), 3); "
                "os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS='1'); "
                "os.environ['LISTEN_FDNAMES'] = 'netlab.socket'; "
                "os.execv(sys.argv[2], sys.argv[2:])"
            )
            number = listener.fileno()
            words = [sys.executable, "-c", code, str(number), TWISTD, "-n", "--pidfile="]
            words += ["netlab", "message", "--listen=systemd:domain=INET:index=0"]
            server = Server(words, self.folder, pass_fds=[number])
            self.addCleanup(server.kill)
            server.wait_until_up()
            self.assertEqual(server.address, address)
            self.assertEqual(send_and_end(address, frame(b"handed")), frame(b"handed"))
            self.assert_stops_cleanly(server)

    def test_several(self) -> None:
        """All kinds at once, in the table in the order given."""
        self.make_certificate()
        path = self.folder / "s"
        server = self.serve(
            f"--listen={LOOPBACK}",
            f"--listen=unix:{path}:mode=600",
            "--listen=ssl:0:privateKey=key.pem:certKey=cert.pem:interface=127.0.0.1",
            f"--listen={LOOPBACK}",
        )
        kinds = [str(path) if isinstance(each, str) else each[0] for each in server.rows]
        self.assertEqual(kinds, ["127.0.0.1", str(path), "127.0.0.1", "127.0.0.1"])
        for index in (0, 3):
            where = server.rows[index]
            assert isinstance(where, tuple)
            self.assertEqual(send_and_end(where, frame(b"x")), frame(b"x"))
        with connect_unix(str(Path(path))) as sock:
            self.assertEqual(request(sock, b"y"), b"y")
        self.assert_stops_cleanly(server)
