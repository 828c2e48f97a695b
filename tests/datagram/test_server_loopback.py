# trial's assertions have no annotations:
# mypy: allow-untyped-calls
"""The whole of a server on real sockets, on the reactor that runs the tests."""

from __future__ import annotations

import socket
from typing import Any

from twisted.internet import reactor as _reactor
from twisted.trial.unittest import SkipTest, TestCase

from netlab import ConfigurationError, DatagramApp, ListenFailed
from netlab.datagram import Echo, Peer, serve
from netlab.impair import parse
from netlab.transport import datagrams, has_ipv6, hub
from netlab.transport.datagrams import LONGEST
from netlab.transport.hub import ReactorHub
from tests.datagram.support import Noting
from tests.transport.support import DEADLINE, in_thread

reactor: Any = _reactor


class OnLoopback(TestCase):
    """As it is on Linux: epoll, recvmmsg(2)."""

    timeout = 30

    def setUp(self) -> None:
        self.patch(hub, "_hubs", {})  # each with a hub of its own

    def left(self) -> list[Any]:
        """What is left of the hub in the reactor."""
        return [each for each in reactor.getReaders() if "netlab" in type(each).__module__]

    def ask(self, address: Any, *data: bytes) -> list[bytes]:
        """The answers to ``data``, from a client in a thread."""
        family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
        with socket.socket(family, socket.SOCK_DGRAM) as sock:
            sock.settimeout(DEADLINE)
            sock.connect((address.host, address.port))
            answers = []
            for each in data:
                sock.send(each)
                answers.append(sock.recv(65536))
            return answers

    async def test_serve(self) -> None:
        """``async with serve(...)``: it serves until the block ends, and leaves nothing."""
        listen = ["udp:0:interface=127.0.0.1", *(["udp6:0:interface=::1"] if has_ipv6() else [])]
        async with serve(Echo, *listen, reactor=reactor) as server:
            data = [b"", b"hello", bytes(LONGEST)]
            for address in server.addresses:
                self.assertEqual(await in_thread(self.ask, address, *data), data)
        self.assertEqual(server.addresses, [])
        self.assertEqual(self.left(), [])

    async def test_await(self) -> None:
        """``await serve(...)``: it serves until it is stopped."""
        server = await serve(Echo, "udp:0:interface=127.0.0.1", reactor=reactor)
        self.assertEqual(await in_thread(self.ask, server.addresses[0], b"hello"), [b"hello"])
        await server.stop()

    async def test_impaired(self) -> None:
        """Delays by the real clock: all answers come, those with less delay first."""

        class Both(DatagramApp):
            def datagram_received(self, data: bytes, peer: Peer) -> bytes:
                return data

        impair = parse("delay 20ms reorder 50% seed 3")
        async with serve(
            Both, "udp:0:interface=127.0.0.1", impair=impair, reactor=reactor
        ) as server:

            def ask() -> list[bytes]:
                with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
                    sock.settimeout(DEADLINE)
                    address: Any = server.addresses[0]
                    for number in range(40):
                        sock.sendto(b"%d" % number, (address.host, address.port))
                    return [sock.recv(100) for _ in range(40)]

            answers = await in_thread(ask)
        self.assertEqual(sorted(answers), sorted(b"%d" % number for number in range(40)))
        self.assertNotEqual(answers, sorted(answers, key=int))

    async def test_busy(self) -> None:
        """A busy port: an error that says so, and no listener is left of the others."""
        app = Noting()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
            taken.bind(("127.0.0.1", 0))
            busy = f"udp:{taken.getsockname()[1]}:interface=127.0.0.1"
            with self.assertRaises(ListenFailed) as caught:
                await serve(app, "udp:0:interface=127.0.0.1", busy, reactor=reactor)
        self.assertIn("address already in use", str(caught.exception))
        self.assertEqual(app.notes, ["started", "stopped"])
        with self.assertRaises(ConfigurationError):
            await serve(Echo, "8007", reactor=reactor)
        self.assertEqual(self.left(), [])

    async def test_default(self) -> None:
        """Without an endpoint it is port 8007 of this machine's own addresses."""
        try:
            async with serve(Echo) as server:
                hosts = ["127.0.0.1", *(["::1"] if has_ipv6() else [])]
                self.assertEqual(
                    [(each.host, each.port) for each in server.addresses],  # type: ignore[attr-defined]
                    [(host, 8007) for host in hosts],
                )
        except ListenFailed as error:
            raise SkipTest(str(error)) from error


class Elsewhere(OnLoopback):
    """With neither epoll nor recvmmsg(2)."""

    def setUp(self) -> None:
        super().setUp()
        self.patch(hub, "_hubs", {reactor: ReactorHub(reactor)})
        self.patch(datagrams, "_library", None)
