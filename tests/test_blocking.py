# trial's assertions have no annotations:
# mypy: allow-untyped-calls

from __future__ import annotations

import contextlib
import functools
import os
import selectors
import socket
import subprocess
import sys
import tempfile
import threading
import time
from typing import Any

from twisted.trial.unittest import TestCase

from netlab import blocking
from netlab.blocking import connect
from netlab.errors import (
    ConfigurationError,
    ConnectFailed,
    ConnectionAborted,
    ConnectionClosed,
    ConnectionReset,
    CorruptedFrame,
    DeadlineExceeded,
    LocalProtocolError,
    OutgoingFrameTooLong,
    RemoteProtocolError,
    TruncatedFrame,
)
from netlab.framing import ContentLength, Framing, LengthPrefix, Line, Netstring, Varint
from netlab.pipe import Deadline
from tests.peer import PATIENCE, SHORT, PeerCase, break_off, echo, encode, listen, until_end


class Messages(PeerCase):
    def test_request(self) -> None:
        with connect(self.serve(echo)) as client:
            self.assertEqual(client.request(b"hello"), b"hello")
            self.assertEqual(client.request(b""), b"")
            self.assertEqual(client.request(bytes(1 << 20)), bytes(1 << 20))

    def test_send_and_receive(self) -> None:
        with connect(self.serve(echo)) as client:
            for number in range(100):
                client.send(b"%d" % number)
            for number in range(100):
                self.assertEqual(client.receive(), b"%d" % number)

    def test_every_framing(self) -> None:
        framings: list[Framing] = [
            LengthPrefix(2, "little"),
            Varint(),
            Netstring(),
            ContentLength(),
            Line(),
        ]
        for framing in framings:
            with connect(self.serve(echo), framing=framing) as client:
                self.assertEqual(client.request(b"hello"), b"hello")

    def test_one_byte_at_a_time(self) -> None:
        def script(peer: socket.socket) -> None:
            peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for byte in until_end(peer):
                peer.sendall(bytes([byte]))

        with connect(self.serve(script)) as client:
            client.send(b"hello")
            client.send(b"world")
            client.finish()
            self.assertEqual(list(client), [b"hello", b"world"])

    def test_messages_end_with_the_connection(self) -> None:
        with connect(self.serve(lambda peer: peer.sendall(encode(b"a") + encode(b"b")))) as client:
            self.assertEqual(list(client), [b"a", b"b"])
            self.assertEqual(list(client), [])
            self.assertEqual(
                self.fails(ConnectionClosed, client.receive), "the server closed the connection"
            )

    def test_a_wrong_message_is_not_sent(self) -> None:
        with connect(self.serve(echo), framing=LengthPrefix(max_message=4)) as client:
            self.fails(OutgoingFrameTooLong, client.send, b"hello")
            self.assertRaises(TypeError, client.send, "hello")
            self.assertEqual(client.request(b"four"), b"four")

    def test_request_with_messages_waiting(self) -> None:
        with connect(self.serve(echo)) as client:
            client.send(b"1")
            client.send(b"2")
            client.receive()
            while not client._inbox:
                client._read(Deadline(PATIENCE, "nothing came"))
            text = self.fails(LocalProtocolError, client.request, b"3")
            self.assertIn("messages wait to be received (1)", text)
            self.assertEqual(client.receive(), b"2")
            self.assertEqual(client.request(b"3"), b"3")


class Ending(PeerCase):
    def test_finish(self) -> None:
        def script(peer: socket.socket) -> None:
            peer.sendall(until_end(peer))

        with connect(self.serve(script)) as client:
            client.send(b"hello")
            client.finish()
            client.finish()
            self.assertIn("after finish()", self.fails(LocalProtocolError, client.send, b"more"))
            self.assertEqual(list(client), [b"hello"])

    def test_close(self) -> None:
        client = self.client(echo)
        self.assertGreater(client.fileno(), 0)
        client.close()
        client.close()
        client.finish()
        self.assertEqual(client.fileno(), -1)
        for call in (client.receive, functools.partial(client.send, b"x")):
            self.assertEqual(self.fails(ConnectionClosed, call), "the client is closed")
        self.assertEqual(list(client), [])

    def test_what_was_sent_arrives_though_answers_are_not_read(self) -> None:
        count = 20
        received: list[bytes] = []

        def script(peer: socket.socket) -> None:
            peer.sendall(encode(b"unread") * 100)
            received.append(until_end(peer))
            peer.sendall(encode(b"unread"))

        with connect(self.serve(script)) as client:
            self.assertEqual(client.receive(), b"unread")
            for _ in range(count):
                client.send(bytes(1000))
        self.wait_for_servers()
        self.assertEqual(received, [encode(bytes(1000)) * count])

    def test_close_does_not_wait_for_ever(self) -> None:
        self.patch(blocking, "CLOSE_TIMEOUT", SHORT)
        over = threading.Event()
        client = self.client(lambda _: self.assertTrue(over.wait(PATIENCE)))
        client.close()
        over.set()
        self.assertEqual(client.fileno(), -1)

    def test_close_does_not_wait_for_a_chatterbox(self) -> None:
        self.patch(blocking, "CLOSE_TIMEOUT", SHORT)

        def script(peer: socket.socket) -> None:
            with contextlib.suppress(ConnectionError):
                while True:
                    peer.sendall(bytes(65536))

        self.client(script).close()

    def test_an_error_cuts_it_off_at_once(self) -> None:
        over = threading.Event()
        endpoint = self.serve(lambda _: self.assertTrue(over.wait(PATIENCE)))
        started = time.monotonic()
        with contextlib.suppress(KeyboardInterrupt), connect(endpoint):
            raise KeyboardInterrupt
        self.assertLess(time.monotonic() - started, blocking.CLOSE_TIMEOUT)
        over.set()


class BrokenServers(PeerCase):
    def test_ends_in_a_message(self) -> None:
        client = self.client(lambda peer: peer.sendall(encode(b"whole") + encode(b"half")[:-2]))
        self.assertEqual(client.receive(), b"whole")
        for _ in range(2):
            text = self.fails(TruncatedFrame, client.receive)
            self.assertIn("after 6 of 8 bytes", text)

    def test_iteration_does_not_hide_it(self) -> None:
        client = self.client(lambda peer: peer.sendall(encode(b"half")[:-2]))
        self.fails(TruncatedFrame, list, client)

    def test_reset(self) -> None:
        client = self.client(break_off)
        client.send(b"x")
        self.wait_for_servers()
        for _ in range(2):
            text = self.fails(ConnectionReset, client.receive)
            self.assertEqual(text, "the connection broke off: connection reset by peer")
        self.fails(ConnectionReset, list, client)

    def test_sending_to_nobody(self) -> None:
        client = self.client(break_off)

        def send_on() -> None:
            while True:
                client.send(b"x")

        text = self.fails(ConnectionReset, send_on)
        self.assertEqual(self.fails(ConnectionReset, client.send, b"x"), text)

    def test_garbage(self) -> None:
        client = self.client(lambda peer: peer.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n"))
        for _ in range(2):
            error = self.assertRaises(RemoteProtocolError, client.receive)
            self.assertIn("HTTP response", str(error))

    def test_garbage_after_a_message(self) -> None:
        def script(peer: socket.socket) -> None:
            peer.sendall(b"5:hello,garbage")
            until_end(peer)

        client = self.client(script, framing=Netstring())
        self.assertEqual(client.receive(), b"hello")
        for _ in range(2):
            self.fails(CorruptedFrame, client.receive)


class TimeLimits(PeerCase):
    def test_no_message(self) -> None:
        client = self.client(echo)
        self.assertEqual(
            self.fails(DeadlineExceeded, client.receive, SHORT), "no message came within 0.05 s"
        )
        self.assertRaises(TimeoutError, client.receive, SHORT)
        self.assertEqual(client.request(b"still there"), b"still there")

    def test_the_limit_given_to_connect(self) -> None:
        client = self.client(echo, timeout=SHORT)
        self.assertIn("0.05 s", self.fails(DeadlineExceeded, client.receive))
        self.assertEqual(client.request(b"now", timeout=None), b"now")

    def test_no_limit(self) -> None:
        client = self.client(echo, timeout=None)
        self.assertEqual(client.request(b"hello"), b"hello")

    def test_dripping_does_not_move_the_deadline(self) -> None:
        over = threading.Event()

        def script(peer: socket.socket) -> None:
            with contextlib.suppress(ConnectionError):
                for byte in encode(bytes(100_000)):
                    peer.sendall(bytes([byte]))
                    if over.wait(0.005):
                        break

        client = self.client(script)
        self.addCleanup(over.set)
        started = time.monotonic()
        self.fails(DeadlineExceeded, client.receive, 0.2)
        self.assertLess(time.monotonic() - started, 5)

    def test_what_is_there(self) -> None:
        client = self.client(echo)
        self.fails(DeadlineExceeded, client.receive, 0)
        client.send(b"1")
        client.send(b"2")
        with selectors.DefaultSelector() as selector:
            selector.register(client, selectors.EVENT_READ)
            received: list[bytes] = []
            while len(received) < 2:
                self.assertTrue(selector.select(PATIENCE))
                with contextlib.suppress(DeadlineExceeded):
                    while True:
                        received.append(client.receive(0))
        self.assertEqual(received, [b"1", b"2"])

    def test_an_answer_that_is_late(self) -> None:
        asked = threading.Event()

        def script(peer: socket.socket) -> None:
            first = peer.recv(65536)
            asked.wait(PATIENCE)
            peer.sendall(first)
            echo(peer)

        client = self.client(script)
        self.assertEqual(
            self.fails(DeadlineExceeded, client.request, b"one", SHORT),
            "no answer came within 0.05 s",
        )
        asked.set()
        self.assertEqual(client.request(b"two"), b"two")
        self.assertEqual(client.request(b"three"), b"three")

    def test_a_server_that_does_not_read(self) -> None:
        over = threading.Event()
        client = self.client(lambda _: self.assertTrue(over.wait(PATIENCE)))
        self.addCleanup(over.set)

        def send_on() -> None:
            while True:
                client.send(bytes(1 << 20), SHORT)

        self.assertEqual(
            self.fails(DeadlineExceeded, send_on),
            "the server did not read the message within 0.05 s",
        )
        self.assertIn("only in part", self.fails(ConnectionAborted, client.send, b"x"))
        self.fails(DeadlineExceeded, client.receive, SHORT)

    def test_one_look_is_always_allowed(self) -> None:
        deadline = Deadline(0, "nothing came")
        self.assertEqual(deadline.left(), 0)
        self.assertEqual(self.fails(DeadlineExceeded, deadline.left), "nothing came within 0 s")
        self.assertIsNone(Deadline(None, "nothing came").left())

    def test_impossible(self) -> None:
        client = self.client(echo)
        for timeout in (-1, float("nan"), float("inf"), 1e12):
            self.assertIn(
                "timeout must be seconds", self.fails(ConfigurationError, client.receive, timeout)
            )
            self.assertRaises(ConfigurationError, connect, "tcp:localhost:1", timeout=timeout)


class Connecting(PeerCase):
    def refused_port(self) -> int:
        """A port that nobody listens on, and that nobody else is given while the test runs."""
        holder = socket.socket()
        self.addCleanup(holder.close)
        holder.bind(("127.0.0.1", 0))
        port: int = holder.getsockname()[1]
        return port

    def test_refused(self) -> None:
        port = self.refused_port()
        self.assertEqual(
            self.fails(ConnectFailed, connect, f"tcp:127.0.0.1:{port}"),
            f"cannot connect to tcp:127.0.0.1:{port}: connection refused; "
            "is the server running? Start one: twistd -n netlab",
        )

    def test_wrong_endpoints(self) -> None:
        for endpoint in ("8032", "tcp:8032", "ssl:localhost:1", "tcp:localhost:x"):
            self.assertIn(endpoint, self.fails(ConfigurationError, connect, endpoint))

    def test_unknown_host(self) -> None:
        def lookup(*_: Any, **__: Any) -> Any:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

        self.patch(socket, "getaddrinfo", lookup)
        text = self.fails(ConnectFailed, connect, "tcp:nowhere:1")
        self.assertEqual(text, "cannot connect to tcp:nowhere:1: the host name is not known")

    def test_no_host_name(self) -> None:
        for host in ("a..b", "x" * 64):
            text = self.fails(ConnectFailed, connect, f"tcp:{host}:1")
            self.assertIn("the host name is not one", text)

    def test_no_answer(self) -> None:
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            listener.listen(0)  # the kernel takes a connection or two, then lets callers wait
            host, port = listener.getsockname()
            endpoint = f"tcp:{host}:{port}"

            def call_on() -> None:
                while True:
                    self.addCleanup(connect(endpoint, timeout=SHORT).abort)

            text = self.fails(ConnectFailed, call_on)
        self.assertEqual(text, f"cannot connect to {endpoint}: no answer within 0.05 s")

    def test_the_next_address_has_its_share_of_the_time(self) -> None:
        endpoint = self.serve(echo)
        port = int(endpoint.rpartition(":")[2])
        create = socket.create_connection
        shares: list[float] = []

        def lookup(*_: Any, **__: Any) -> Any:
            return [(0, 0, 0, "", ("192.0.2.1", port)), (0, 0, 0, "", ("127.0.0.1", port))]

        def create_connection(address: tuple[str, int], timeout: float) -> socket.socket:
            shares.append(timeout)
            if address[0] == "192.0.2.1":
                raise TimeoutError("timed out")
            self.patch(socket, "getaddrinfo", original)
            return create(address, timeout)

        original = socket.getaddrinfo
        self.patch(socket, "getaddrinfo", lookup)
        self.patch(socket, "create_connection", create_connection)
        with connect(endpoint, timeout=PATIENCE) as client:
            self.assertEqual(client.request(b"hello"), b"hello")
        self.assertLessEqual(shares[0], PATIENCE / 2)
        self.assertGreater(shares[1], PATIENCE / 2)

    def test_small_messages_are_not_held_back(self) -> None:
        client = self.client(echo)
        with socket.socket(fileno=os.dup(client.fileno())) as same:
            self.assertTrue(same.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))

    def test_ipv6(self) -> None:
        try:
            listener = listen(socket.AF_INET6, ("::1", 0))
        except OSError:
            self.skipTest("there is no IPv6 here")
        with connect(self.serve(echo, listener)) as client:
            self.assertEqual(client.request(b"hello"), b"hello")

    def test_unix(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = f"{folder}/a socket"
            text = self.fails(ConnectFailed, connect, f"unix:{path}")
            self.assertIn("no such file or directory; is the server running?", text)
            with connect(self.serve(echo, listen(socket.AF_UNIX, path))) as client:
                self.assertEqual(client.request(b"hello"), b"hello")
            self.assertIn("connection refused", self.fails(ConnectFailed, connect, f"unix:{path}"))

    def test_unix_paths_that_cannot_be(self) -> None:
        for path in ("/" + "x" * 200, "/a\0b", "/\ud800", "/dev/null/x"):
            self.assertIn(
                "cannot connect to unix:/", self.fails(ConnectFailed, connect, f"unix:{path}")
            )

    def test_unix_queue_full(self) -> None:
        with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX) as listener:
            listener.bind(f"{folder}/s")
            listener.listen(0)

            def call_on() -> None:
                while True:
                    self.addCleanup(connect(f"unix:{folder}/s", timeout=PATIENCE).abort)

            self.assertIn(
                "the server's queue of connections is full", self.fails(ConnectFailed, call_on)
            )


class WithoutTwisted(TestCase):
    def test_no_twisted_and_no_reactor(self) -> None:
        code = (
            "import sys, netlab.blocking\n"
            "found = [each for each in sys.modules if each.partition('.')[0] == 'twisted']\n"
            "sys.exit(f'imported: {found}' if found else 0)"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
        self.assertEqual((done.returncode, done.stderr), (0, b""))
