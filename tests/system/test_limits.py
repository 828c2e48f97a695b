# trial's assertions have no annotations:
# mypy: allow-untyped-calls
"""More connections than there is room for: the rest wait or are turned away, quietly."""

from __future__ import annotations

import os
import resource
import socket
import sys
import time

from twisted.trial.unittest import SkipTest

from tests.system.peers import connect, ends, frame, receive_frame, request, send_and_end
from tests.system.processes import Server, SystemCase, eventually


class Limited(SystemCase):
    def setUp(self) -> None:
        if not sys.platform.startswith("linux"):
            raise SkipTest("looks at processes through /proc")
        super().setUp()

        self.socks: list[socket.socket] = []

    def connection(self, server: Server) -> socket.socket:
        """A connection that is closed at the end of the test."""
        sock = connect(server.address)
        self.addCleanup(sock.close)
        self.socks.append(sock)
        return sock

    def assert_survived(self, server: Server) -> None:
        """When all have left, it serves as before, and ends in good order."""
        for sock in self.socks:
            sock.close()
        eventually(lambda: self.is_served(server), "there is room")
        self.assert_stops_cleanly(server)

    def is_served(self, server: Server) -> bool:
        """Whether one more client is answered."""
        try:
            return send_and_end(server.address, frame(b"hello")) == frame(b"hello")
        except OSError:  # turned away, before or after it could send
            return False

    def test_no_descriptors(self) -> None:
        """Out of descriptors: one line a second, an idle processor, and on it goes when it can.

        Stock Twisted logs a line for each connection and accepts again at once: 7,356
        times, and 11,000 lines, in 4 s.
        """
        server = self.serve()
        friend = self.connection(server)
        self.assertEqual(request(friend, b"before"), b"before")
        room = 8
        limit = len(os.listdir(f"/proc/{server.pid}/fd")) + room
        _soft, hard = resource.prlimit(server.pid, resource.RLIMIT_NOFILE)
        resource.prlimit(server.pid, resource.RLIMIT_NOFILE, (limit, hard))
        began = time.monotonic()
        socks = [self.connection(server) for _ in range(16)]
        server.wait_for("cannot accept connections: Too many open files")
        cpu = server.cpu_seconds()
        watched = time.monotonic()
        time.sleep(2)
        busy = (server.cpu_seconds() - cpu) / (time.monotonic() - watched)
        self.assertLess(busy, 0.2)
        # Who has a connection keeps it.
        self.assertEqual(request(friend, b"meanwhile"), b"meanwhile")
        lines = server.out.count("cannot accept")
        self.assertLessEqual(lines, time.monotonic() - began + 1)
        # As some leave, those who wait are let in, down to the last one.
        while len(socks) > room:
            waiting = socks[room:]
            for sock in socks[:room]:
                sock.close()
            socks = waiting
        for sock in socks:
            sock.sendall(frame(b"at last"))
            self.assertEqual(receive_frame(sock), b"at last")
            sock.close()
        self.assert_survived(server)

    def test_default_maximum(self) -> None:
        """By default as many as half the descriptors, so that they never run out.

        The limit that a process starts with is honoured, and never raised above its hard one.
        """

        def few() -> None:
            resource.setrlimit(resource.RLIMIT_NOFILE, (128, 128))

        server = self.serve(preexec_fn=few)
        began = time.monotonic()
        socks = [self.connection(server) for _ in range(64)]
        for sock in socks:
            self.assertEqual(request(sock, b"in"), b"in")
        for _ in range(100):
            self.assertIn(ends(self.connection(server)), ("closed", "reset"))
        text = "connection refused: max_connections is 64"
        self.assertGreaterEqual(server.out.count(text), 1)
        self.assertLessEqual(server.out.count(text), time.monotonic() - began + 1)
        self.assertEqual(request(socks[0], b"still"), b"still")
        socks.pop().close()
        eventually(lambda: self.is_served(server), "there is room again")
        self.assert_survived(server)

    def test_raised_limit(self) -> None:
        """``--max-connections`` raises the soft limit, but above the hard one it is refused."""

        def few() -> None:
            resource.setrlimit(resource.RLIMIT_NOFILE, (64, 128))

        server = self.serve("--max-connections=64", preexec_fn=few)
        socks = [self.connection(server) for _ in range(64)]
        for sock in socks:
            self.assertEqual(request(sock, b"in"), b"in")
        self.assertIn(ends(self.connection(server)), ("closed", "reset"))
        self.assert_survived(server)
        refused = self.start("--max-connections=65", preexec_fn=few)
        self.assertEqual(refused.wait(), 1)
        self.assertRegex(refused.err, r"\Anetlab: max_connections of 65 .*128 files.*\n\Z")

    def test_max_connections(self) -> None:
        """One too many is turned away; when one leaves, the next is welcome."""
        server = self.serve("--max-connections=3")
        socks = [self.connection(server) for _ in range(3)]
        for sock in socks:
            self.assertEqual(request(sock, b"in"), b"in")
        for _ in range(20):
            self.assertIn(ends(self.connection(server)), ("closed", "reset"))
        socks[1].close()
        eventually(lambda: self.is_served(server), "there is room again")
        self.assertEqual(request(socks[2], b"still in"), b"still in")
        said = "connection refused: max_connections is 3 (1 refused so far)"
        eventually(lambda: said in server.out, said)
        self.assert_survived(server)

    def test_max_per_address(self) -> None:
        """One address takes its share, and no more; the others are not touched.

        Stock Twisted's ``LimitConnectionsByPeer`` raises TypeError.
        """
        server = self.serve("--max-per-address=2")
        greedy = [self.connection(server) for _ in range(2)]
        for sock in greedy:
            self.assertEqual(request(sock, b"in"), b"in")
        self.assertIn(ends(self.connection(server)), ("closed", "reset"))
        with socket.create_connection(
            ("127.0.0.1", server.port), timeout=30, source_address=("127.0.0.2", 0)
        ) as other:
            self.assertEqual(request(other, b"from elsewhere"), b"from elsewhere")
        greedy.pop().close()
        eventually(lambda: self.is_served(server), "there is room again")
        self.assertIn("max_per_address is 2", server.out)
        self.assert_survived(server)
