# trial's assertions have no annotations:
# mypy: allow-untyped-calls
"""Hostile peers, one kind at a time: each is ended by its deadline and costs nobody else anything.

What stock Twisted does with the same peer is said in each test.
"""

from __future__ import annotations

import os
import socket
import ssl
import struct
import sys
import threading
import time

import trustme
from twisted.trial.unittest import SkipTest

from tests.system.peers import connect, ends, fill, frame, receive_exactly, request
from tests.system.processes import LOOPBACK, Server, SystemCase, eventually

SOON = 20.0
"""Seconds: far above every time limit set here, far below those that are left at their default."""
_RUDE = """
from netlab import MessageProtocol

class Rude(MessageProtocol):
    def message_received(self, message):
        raise ValueError(message.decode())
"""


class Hostile(SystemCase):
    def setUp(self) -> None:
        if not sys.platform.startswith("linux"):
            raise SkipTest("looks at processes through /proc")
        super().setUp()
        self.socks: list[socket.socket] = []

    def connection(self, server: Server, receive_buffer: int | None = None) -> socket.socket:
        """A connection that is closed at the end of the test."""
        sock = connect(server.address, receive_buffer)
        self.addCleanup(sock.close)
        self.socks.append(sock)
        return sock

    def assert_serves(self, server: Server) -> None:
        """An honest client is none the worse."""
        with connect(server.address) as sock:
            self.assertEqual(request(sock, b"honest"), b"honest")

    def assert_survived(self, server: Server) -> None:
        """It serves, and ends without an error in its log."""
        self.assert_serves(server)
        for sock in self.socks:
            sock.close()
        self.assert_stops_cleanly(server)

    def assert_few_lines(self, server: Server, pattern: str, seconds: float) -> None:
        """At most one line a second says ``pattern``, and at least one did."""
        count = server.out.count(pattern)
        self.assertGreaterEqual(count, 1, server.out)
        self.assertLessEqual(count, seconds + 2, server.out)


class Framing(Hostile):
    def test_huge_length(self) -> None:
        """A length of 0xFFFFFFFF ends the connection, and nothing is reserved for it.

        Stock Twisted closes without a word too, but after an oversize header it delivers
        earlier messages again; a signed length loops for ever.
        """
        server = self.serve()
        self.assert_serves(server)
        before, began = server.resident_kib(), time.monotonic()
        for _ in range(100):
            sock = self.connection(server)
            sock.sendall(frame(b"good") + b"\xff\xff\xff\xff" + bytes(100))
            self.assertEqual(receive_exactly(sock, 8), frame(b"good"))
            ends(sock)
            sock.close()
        # A length that is allowed is not reserved either, before its bytes are there.
        for _ in range(200):
            self.connection(server).sendall(struct.pack("!I", 1 << 20) + b"x")
        self.assert_serves(server)
        self.assertLess(server.resident_kib() - before, 50 * 1024)
        self.assert_few_lines(server, "length 4294967295 exceeds", time.monotonic() - began)
        self.assert_survived(server)

    def test_random_bytes(self) -> None:
        """Noise ends its own connection, in one line a second at the most.

        Stock Twisted closes such a connection, and logs two lines for each one it takes.
        """
        server = self.serve()
        began = time.monotonic()
        for _ in range(300):
            with connect(server.address) as sock:
                # A first length below the limit would be no noise, but a message.
                sock.sendall(b"\xee" + os.urandom(4095))
                ends(sock)
        self.assert_serves(server)
        self.assert_few_lines(server, "exceeds 1048576", time.monotonic() - began)
        self.assertLess(len(server.out), 20_000)
        self.assert_survived(server)

    def test_zero_length_flood(self) -> None:
        """Empty messages without end, whose answers are not read: the server stops reading.

        Stock Twisted answers them all into a buffer without a bound.
        """
        server = self.serve()
        self.assert_serves(server)
        before = server.resident_kib()
        fill(self.connection(server, receive_buffer=4096), message=bytes(65536))
        self.assert_serves(server)
        self.assertLess(server.resident_kib() - before, 50 * 1024)
        self.assert_survived(server)

    def test_drip(self) -> None:
        """A byte now and then: each is activity, but the frame's deadline is absolute.

        Stock Twisted has no deadline for a frame; an idle timeout starts anew at each byte.
        """
        server = self.serve("--frame-timeout=1")
        sock = self.connection(server)
        sock.settimeout(0.3)
        began = time.monotonic()
        ended = False
        data = iter(frame(bytes(200)))
        while not ended and time.monotonic() - began < SOON:
            try:
                sock.sendall(bytes([next(data)]))
                ended = not sock.recv(1)
            except TimeoutError:
                continue
            except OSError:
                ended = True
        self.assertTrue(ended)
        self.assertGreater(time.monotonic() - began, 0.8)
        server.wait_for("a message begun was not complete after 1 s")
        self.assert_survived(server)

    def test_log(self) -> None:
        """What a peer sends cannot move the cursor of who reads the log, or forge a line.

        Stock Twisted's log passes CR, ESC and U+202E raw.
        """
        server = self.serve("--log-level=debug")
        for data in (
            b"\x1b[31m\r\nroot logged in\r\n",
            "\N{RIGHT-TO-LEFT OVERRIDE}gnp.exe".encode() * 4,
            b"GET / HTTP/1.1\r\nHost: \x1b]0;owned\x07\r\n\r\n",
            b"~~~~\r\n\x1b[2J\x9b2J\x85\xe2\x80\xa8",
        ):
            with connect(server.address) as sock:
                sock.sendall(data)
                ends(sock)
        self.assert_survived(server)
        self.assertIn("exceeds", server.out)
        self.assert_harmless(server)

    def test_log_of_a_failing_application(self) -> None:
        """The same when the bytes get there in the text of an application's error."""
        self.write_app("rude", _RUDE)
        server = self.serve("--app=rude:Rude")
        with connect(server.address) as sock:
            sock.sendall(frame("\x1b[31m\r\N{RIGHT-TO-LEFT OVERRIDE}\nroot logged in".encode()))
            ends(sock)
        server.wait_for("ValueError")
        self.assertEqual(server.out.count("Traceback"), 1)
        server.stop()
        self.assert_harmless(server)
        self.assertNotRegex(server.out, r"(?m)^root logged in")

    def assert_harmless(self, server: Server) -> None:
        """The log is plain lines of printable text."""
        for text in ("\x1b", "\r", "\x07", "\x9b", "\x85", "\u2028", "\N{RIGHT-TO-LEFT OVERRIDE}"):
            self.assertNotIn(text, server.out)
        self.assertNotRegex(server.out, r"(?m)^root logged in")


class Deadlines(Hostile):
    def descriptors(self, server: Server) -> int:
        """How many files and sockets the server has open."""
        return len(os.listdir(f"/proc/{server.pid}/fd"))

    def test_never_reads(self) -> None:
        """A peer that reads nothing is cut after the write timeout, at a bounded cost.

        Stock Twisted buffers without a bound, and its own ``TimeoutMixin`` calls
        ``loseConnection``, which waits for the buffer to empty: never.
        """
        server = self.serve("--write-timeout=1")
        self.assert_serves(server)
        before = server.resident_kib()
        sock = self.connection(server, receive_buffer=4096)
        try:
            fill(sock)
        except ConnectionError:
            pass  # cut before all buffers were full
        server.wait_for("the peer read none of [0-9]+ bytes for 1 s", SOON)
        self.assertLess(server.resident_kib() - before, 50 * 1024)
        self.assert_survived(server)

    def test_reads_slowly(self) -> None:
        """A peer that reads a little all the time is slow, not stalled: it gets everything.

        The server's kernel holds some megabytes for it, and says nothing of writing until
        a third of that is read: its silence does not mean that the peer reads nothing.
        """
        server = self.serve("--write-timeout=1")
        sock = self.connection(server, receive_buffer=65536)
        data = frame(os.urandom(1 << 20)) * 16
        sender = threading.Thread(target=self.send, args=(sock, data))
        sender.start()
        self.addCleanup(sender.join)
        received = 0
        for _ in range(40):
            received += len(sock.recv(16384))
            time.sleep(0.1)
        while received < len(data):
            received += len(receive_exactly(sock, min(65536, len(data) - received)))
        self.assertEqual(request(sock, b"still there"), b"still there")
        self.assertNotIn("the peer read none", server.out)
        self.assert_survived(server)

    def send(self, sock: socket.socket, data: bytes) -> None:
        """Sends ``data`` in a thread of its own; who reads the answers sees how that ends."""
        try:
            sock.sendall(data)
        except OSError:
            pass

    def certificate(self) -> str:
        """Writes a certificate; returns the endpoint that uses it."""
        authority = trustme.CA()
        authority.cert_pem.write_to_path(self.folder / "ca.pem")
        made = authority.issue_cert("localhost")
        made.private_key_pem.write_to_path(self.folder / "key.pem")
        made.cert_chain_pems[0].write_to_path(self.folder / "cert.pem")
        return "ssl:0:privateKey=key.pem:certKey=cert.pem:interface=127.0.0.1"

    def test_stalled_handshake(self) -> None:
        """TLS that is not set up in time, and a PROXY header that does not come, end.

        Stock Twisted waits for ever: its TLS has no time-out for the handshake.
        """
        self.stall(self.certificate(), "no TLS handshake within 1 s")
        self.stall(f"haproxy:{LOOPBACK}", "no PROXY header within 1 s")

    def stall(self, listen: str, text: str) -> None:
        """Connects to ``listen`` with nothing or too little, and waits for the end."""
        server = self.serve("--handshake-timeout=1", f"--listen={listen}")
        quiet = self.descriptors(server)
        for data in (b"", b"\x16\x03\x01\x02\x00", b"PROXY TCP4 192.0.2.1 "):
            self.connection(server).sendall(data)
        eventually(lambda: self.descriptors(server) > quiet, "they are there")
        eventually(lambda: self.descriptors(server) == quiet, "all are let go of", SOON)
        server.wait_for(text)
        self.assert_stops_cleanly(server)

    def test_never_closes(self) -> None:
        """A close ends after its time-out, though the peer never closes its own side.

        Stock Twisted's ``loseConnection`` waits for as long as unsent bytes remain, and on
        TLS for the peer's close_notify: for ever.
        """
        options = [f"--listen={LOOPBACK}", f"--listen={self.certificate()}"]
        server = self.serve("--idle-timeout=1", "--close-timeout=1", *options)
        quiet = self.descriptors(server)
        plain = [self.connection(server) for _ in range(10)]
        for sock in plain[:5]:
            self.assertEqual(request(sock, b"hello"), b"hello")
        context = ssl.create_default_context(cafile=str(self.folder / "ca.pem"))
        where = server.rows[1]
        assert isinstance(where, tuple)
        with context.wrap_socket(connect(where), server_hostname="localhost") as encrypted:
            self.assertEqual(request(encrypted, b"hello"), b"hello")
            eventually(lambda: self.descriptors(server) == quiet + 11, "all are there")
            # They stay connected, and do not so much as look.
            eventually(lambda: self.descriptors(server) == quiet, "all are let go of", SOON)
        for sock in plain:
            self.assertEqual(ends(sock), "closed")
        self.assert_survived(server)
