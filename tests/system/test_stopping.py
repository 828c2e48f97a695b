# trial's assertions have no annotations:
# mypy: allow-untyped-calls
"""Stopping: every answer that is owed is given, and nobody can hold the end up for long.

Stock Twisted closes its listeners at SIGTERM and ends; replies in flight are lost.
"""

from __future__ import annotations

import signal
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor

from tests.system.peers import (
    can_connect,
    connect,
    connect_unix,
    ends,
    fill,
    frame,
    free_port,
    receive_all,
    receive_frame,
    request,
)
from tests.system.processes import DEADLINE, Server, SystemCase, eventually

_COUNTING = """
from netlab import MessageFactory, MessageProtocol

class Echo(MessageProtocol):
    def message_received(self, message):
        return message

class Counting(MessageFactory):
    protocol = Echo
    def stopped(self):
        open("counted", "w").write(f"{self.stats.messages_in} {self.stats.messages_out}")
"""
_SLOW = """
from netlab import MessageProtocol
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater

class Slow(MessageProtocol):
    async def message_received(self, message):
        await deferLater(reactor, 0.5, lambda: None)
        return message.upper()

class Never(MessageProtocol):
    def message_received(self, message):
        print("handling", flush=True)
        return Deferred()
"""
LONG = 60
"""A grace that no test waits for; what ends before ``SOON`` did not."""
SOON = 20.0


class Client(threading.Thread):
    """Asks and asks, ``depth`` requests at a time, until the server ends the stream."""

    def __init__(self, address: tuple[str, int], depth: int) -> None:
        super().__init__(daemon=True)
        self.address = address
        self.depth = depth
        self.sent = self.received = 0
        self.ended: str | None = None

    def run(self) -> None:
        try:
            with connect(self.address) as sock:
                self._ask(sock)
        except EOFError as error:
            # Nothing of a next answer may have come: a clean end is between two frames.
            self.ended = "in the middle of a frame" if error.args[0] else "cleanly"
        except OSError as error:
            self.ended = repr(error)

    def _ask(self, sock: socket.socket) -> None:
        while True:
            numbers = range(self.sent, self.sent + self.depth)
            sock.sendall(b"".join(frame(b"%d" % number) for number in numbers))
            self.sent += self.depth
            for number in numbers:
                if receive_frame(sock) != b"%d" % number:
                    self.ended = f"answer {number} is wrong"
                    return
                self.received += 1


class Draining(SystemCase):
    def test_busy(self) -> None:
        """SIGTERM amid traffic: what the server has taken in is answered, and the answer arrives.

        Counted on both sides: the application's count of messages is the clients'
        count of answers.
        """
        self.write_app("counting", _COUNTING)
        server = self.serve("--app=counting:Counting", f"--grace={LONG}")
        clients = [Client(server.address, depth) for depth in (1, 1, 1, 16) * 4]
        for each in clients:
            each.start()
        end = time.monotonic() + DEADLINE
        while min(each.received for each in clients) < 50 and time.monotonic() < end:
            clients[0].join(0.01)
        self.assert_stops_cleanly(server)
        for each in clients:
            each.join(DEADLINE)
            self.assertEqual(each.ended, "cleanly")
            self.assertGreaterEqual(each.received, 50)
            self.assertLessEqual(each.sent - each.received, each.depth)
        received = sum(each.received for each in clients)
        self.assertEqual((self.folder / "counted").read_text(), f"{received} {received}")

    def test_slow_handlers(self) -> None:
        """What was sent whole before the signal is answered, however long that takes."""
        self.write_app("slow", _SLOW)
        server = self.serve("--app=slow:Slow", f"--grace={LONG}")
        socks = [connect(server.address) for _ in range(20)]
        for sock in socks:
            self.addCleanup(sock.close)
            sock.sendall(frame(b"a") + frame(b"b") + frame(b"c"))
        server.send_signal(signal.SIGTERM)
        for sock in socks:
            self.assertEqual(receive_all(sock), frame(b"A") + frame(b"B") + frame(b"C"))
            sock.close()
        self.assert_ended_cleanly(server)

    def test_idle(self) -> None:
        """Idle clients do not delay the stop, even if they take no notice of it."""
        server = self.serve(f"--grace={LONG}", "--close-timeout=0.5")
        socks = [connect(server.address) for _ in range(50)]
        for sock in socks:
            self.addCleanup(sock.close)
        for sock in socks[:25]:
            self.assertEqual(request(sock, b"hello"), b"hello")
        before = time.monotonic()
        self.assert_stops_cleanly(server)
        self.assertLess(time.monotonic() - before, SOON)
        for sock in socks:
            self.assertEqual(receive_all(sock), b"")

    def test_half_a_frame(self) -> None:
        """A message that has begun to come is waited for, until the grace is over."""
        grace = 2.0
        server = self.serve(f"--grace={grace}")
        with connect(server.address) as good, connect(server.address) as bad:
            for sock in (good, bad):
                self.assertEqual(request(sock, b"first"), b"first")
                sock.sendall(frame(b"hello")[:6])
            before = time.monotonic()
            server.send_signal(signal.SIGTERM)
            server.wait_for("Port .* Closed")
            good.sendall(frame(b"hello")[6:])
            self.assertEqual(receive_all(good), frame(b"hello"))
            good.close()
            self.assertEqual(ends(bad), "reset")
            self.assert_ended_cleanly(server)
            took = time.monotonic() - before
            self.assertGreaterEqual(took, grace - 0.1)
            self.assertLess(took, SOON)

    def test_never_reads(self) -> None:
        """A client that reads nothing of its answers holds the stop no longer than the grace."""
        server = self.serve("--grace=1")
        with connect(server.address, receive_buffer=4096) as sock:
            fill(sock)
            before = time.monotonic()
            self.assert_stops_cleanly(server)
            self.assertLess(time.monotonic() - before, SOON)


class Insisting(SystemCase):
    def test_second_signal(self) -> None:
        """A second signal ends it at once, though a handler never returns."""
        self.write_app("slow", _SLOW)

        def stop(signals: tuple[signal.Signals, signal.Signals]) -> None:
            server = self.serve("--app=slow:Never", f"--grace={LONG}")
            with connect(server.address) as sock:
                sock.sendall(frame(b"hello"))
                server.wait_for("handling$")
                server.send_signal(signals[0])
                server.wait_for(f"Received {signals[0].name}")
                # Draining: nobody new is let in, who is there stays.
                eventually(lambda: not can_connect(server.address), "the listener is closed")
                self.assertIsNone(server.process.poll())
                before = time.monotonic()
                server.send_signal(signals[1])
                self.assertEqual(ends(sock), "reset")
                self.assert_ended_cleanly(server, signals[0])
                self.assertLess(time.monotonic() - before, SOON / 4)

        term, interrupt = signal.SIGTERM, signal.SIGINT
        with ThreadPoolExecutor(3) as pool:
            list(pool.map(stop, [(term, term), (interrupt, interrupt), (term, interrupt)]))

    def test_interrupt(self) -> None:
        """Ctrl-C drains as SIGTERM does."""
        self.write_app("slow", _SLOW)
        server = self.serve("--app=slow:Slow", f"--grace={LONG}")
        with connect(server.address) as sock:
            sock.sendall(frame(b"hello"))
            server.send_signal(signal.SIGINT)
            self.assertEqual(receive_all(sock), frame(b"HELLO"))
        self.assert_ended_cleanly(server, signal.SIGINT)

    def test_at_once(self) -> None:
        """A signal that comes as soon as the table is there finds the server ready for it."""
        for _ in range(3):
            self.assert_stops_cleanly(self.serve())


class Killed(SystemCase):
    def restart(self, listen: str) -> Server:
        """Starts a server, kills it amid a message, and starts it again."""
        server = self.serve(f"--listen={listen}")
        with self.say_hello(server) as sock:
            sock.sendall(frame(b"hello")[:5])
            self.assertEqual(server.stop(signal.SIGKILL), -signal.SIGKILL)
        server = self.serve(f"--listen={listen}")
        self.say_hello(server).close()
        return server

    def say_hello(self, server: Server) -> socket.socket:
        """A connection that works."""
        first = server.rows[0]
        sock = connect_unix(first) if isinstance(first, str) else connect(first)
        self.addCleanup(sock.close)
        self.assertEqual(request(sock, b"hello"), b"hello")
        return sock

    def test_port(self) -> None:
        """After kill -9 the same port can be listened on at once."""
        port = free_port()
        self.assert_stops_cleanly(self.restart(f"tcp:{port}:interface=127.0.0.1"))

    def test_unix_socket(self) -> None:
        """A UNIX socket that kill -9 left behind is no obstacle."""
        path = self.folder / "s"
        server = self.restart(f"unix:{path}:mode=600")
        self.assert_stops_cleanly(server)
        self.assertFalse(path.exists())

    def test_other_listener(self) -> None:
        """A listener of somebody else's is not taken over: no SO_REUSEPORT by accident."""
        server = self.serve()
        second = self.start(f"--listen=tcp:{server.port}:interface=127.0.0.1")
        self.assertEqual(second.wait(), 1)
        self.assertIn("already in use", second.err)
        self.assert_stops_cleanly(server)
