"""The blocking datagram client."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import netlab.blocking_datagram as module
from netlab.blocking import DatagramClient
from netlab.datagram import connected
from netlab.datagram.destination import Destination
from netlab.datagram.lookup import Address
from netlab.errors import (
    ConfigurationError,
    ConnectionClosed,
    LocalProtocolError,
    NetlabError,
    NoReply,
    Unreachable,
)

from .datagram.peers import Answers, PeerCase, closed_port, has_ipv6, silence


def at(port: int) -> Address:
    return socket.AF_INET, ("127.0.0.1", port)


class Case(PeerCase):
    def client(self, target: str, **options: Any) -> DatagramClient:
        client = DatagramClient(target, **{"timeout": 0.05, **options})
        self.addCleanup(client.close)
        return client

    def looked_up(self, *found: Address) -> list[Destination]:
        """Has names looked up give these addresses; returns what is looked up."""
        asked: list[Destination] = []

        def look_up(destination: Destination) -> list[Address]:
            asked.append(destination)
            return list(found)

        self.patch(module, "look_up", look_up)
        return asked

    def fails(self, kind: type[NetlabError], call: Callable[..., object], *args: Any) -> Any:
        """Calls, and returns the error of exactly that kind."""
        error = self.assertRaises(kind, call, *args)
        self.assertIs(type(error), kind)
        self.assertNotIn("\n", str(error))
        return error


class Requests(Case):
    def test_answers(self) -> None:
        with self.client(f"udp:localhost:{self.peer().port}") as client:
            for data in (b"hello", b"", bytes(65507)):
                self.assertEqual(client.request(data), data)

    def test_ipv6(self) -> None:
        if not has_ipv6():
            self.skipTest("there is no IPv6 here")
        self.assertEqual(self.client(self.peer(host="::1").address).request(b"hello"), b"hello")

    def test_ports(self) -> None:
        """Each request has a port of its own, all tries of one the same."""
        seen: set[bytes] = set()

        def script(number: int, data: bytes) -> Answers:
            again = data in seen
            seen.add(data)
            return [data] if again else []

        peer = self.peer(script)
        client = self.client(peer.address)
        ports: list[set[int]] = []
        for number in range(5):
            data = b"%d" % number
            client.request(data)
            tries = zip(peer.received, peer.sources, strict=True)
            ports.append({port for each, (_, port) in tries if each == data})
        self.assertEqual([len(each) for each in ports], [1] * 5)
        self.assertEqual(len(set.union(*ports)), 5)

    def test_late_answer(self) -> None:
        """The answer that comes when nobody waits for it any more is not the next one's."""

        def script(number: int, data: bytes) -> Answers:
            if number == 0:
                return []
            peer.socket.sendto(b"late", peer.sources[0])
            return [(0.01, data)]

        peer = self.peer(script)
        client = self.client(peer.address, timeout=0.1, retries=0)
        self.fails(NoReply, client.request, b"one")
        self.assertEqual(client.request(b"two"), b"two")

    def test_match(self) -> None:
        def script(number: int, data: bytes) -> Answers:
            return [b"", b"2 other", data[:1] + b" mine"]

        def match(request: bytes, reply: bytes) -> bool:
            return reply[:1] == request[:1]

        client = self.client(self.peer(script).address, match=match)
        self.assertEqual(client.request(b"1?"), b"1 mine")

    def test_match_raises(self) -> None:
        def match(request: bytes, reply: bytes) -> bool:
            raise ZeroDivisionError

        client = self.client(self.peer().address, match=match)
        self.assertRaises(ZeroDivisionError, client.request, b"x")


class Failures(Case):
    def test_no_reply(self) -> None:
        peer = self.peer(silence)
        client = self.client(peer.address, timeout=0.01, retries=2)
        error = self.fails(NoReply, client.request, b"x")
        self.assertEqual(peer.wait_for(3), [b"x"] * 3)
        self.assertEqual(error.tries, 3)
        self.assertGreaterEqual(error.seconds, 0.07)
        self.assertIn(f"no reply from {peer.address} after 3 tries in 0.", str(error))

    def test_noise(self) -> None:
        """Datagrams that are no answer do not put the end off."""

        def script(number: int, data: bytes) -> Answers:
            return [(n * 0.002, b"noise") for n in range(1, 100)]

        client = self.client(
            self.peer(script).address, timeout=0.02, retries=0, match=lambda _, reply: False
        )
        error = self.fails(NoReply, client.request, b"x")
        self.assertLess(error.seconds, 0.15)

    def test_refused(self) -> None:
        port = closed_port()
        error = self.fails(Unreachable, self.client(f"127.0.0.1:{port}", timeout=10).request, b"x")
        self.assertEqual(
            str(error),
            f"cannot reach 127.0.0.1:{port}: nothing listens on that port; is the server running?",
        )

    def test_next_address(self) -> None:
        """The one that works is asked first from then on."""
        peer = self.peer()
        asked = self.looked_up((12345, ("?", 1)), at(closed_port()), at(peer.port))
        client = self.client("server.example:1")
        self.assertEqual(client.request(b"one"), b"one")
        assert client._addresses is not None
        self.assertEqual(client._addresses[0], at(peer.port))
        self.assertEqual(client.request(b"two"), b"two")
        self.assertEqual(len(asked), 1)

    def test_looked_up_again(self) -> None:
        """A server may have moved when it does not answer."""
        asked = self.looked_up(at(self.peer(silence).port))
        client = self.client("server.example:1", timeout=0.01, retries=0)
        self.fails(NoReply, client.request, b"x")
        self.fails(NoReply, client.request, b"x")
        self.looked_up(at(closed_port()))
        self.fails(Unreachable, client.request, b"x")
        self.assertEqual(len(asked), 2)

    def test_unknown_name(self) -> None:
        client = self.client("no.invalid:1")
        for call in (client.request, client.send):
            text = str(self.fails(Unreachable, call, b"x"))
            self.assertEqual(text, "cannot reach no.invalid:1: the host name is not known")

    def test_too_long(self) -> None:
        client = self.client("localhost:1")
        for call in (client.request, client.send):
            self.fails(LocalProtocolError, call, bytes(65508))

    def test_configuration(self) -> None:
        for target, options in (
            ("localhost", {}),
            ("tcp:localhost:1", {}),
            ("localhost:1", {"timeout": 0}),
            ("localhost:1", {"retries": -1}),
        ):
            self.assertRaises(ConfigurationError, DatagramClient, target, **options)

    def test_closed(self) -> None:
        client = self.client("localhost:1")
        client.close()
        client.close()
        for call in (client.request, client.send):
            self.assertEqual(str(self.fails(ConnectionClosed, call, b"x")), "the client is closed")


class Sending(Case):
    def test_send(self) -> None:
        """All goes from one port, and what comes back is nobody's."""
        peer = self.peer()
        with self.client(peer.address) as client:
            for number in range(20):
                client.send(b"%d" % number)
            self.assertEqual(client.request(b"?"), b"?")
        self.assertEqual(peer.wait_for(21), [*(b"%d" % number for number in range(20)), b"?"])
        self.assertEqual(len({*peer.sources}), 2)

    def test_next_address(self) -> None:
        """It is used from the moment that the first one is known to refuse."""
        peer = self.peer()
        self.looked_up((12345, ("?", 1)), at(closed_port()), at(peer.port))
        client = self.client("server.example:1")
        client.send(b"one")
        client.send(b"two")
        client.send(b"three")
        self.assertEqual(client.request(b"?"), b"?")
        self.assertEqual(peer.received, [b"two", b"three", b"?"])

    def test_room(self) -> None:
        """It waits for it."""
        rooms = iter([False, False, True])
        self.patch(connected, "transmit", lambda sock, data: next(rooms))
        self.client(self.peer().address).send(b"x")
        self.assertEqual(list(rooms), [])

    def test_refused(self) -> None:
        """It is heard of at the next call; the one after it begins anew."""
        client = self.client(f"127.0.0.1:{closed_port()}")
        client.send(b"one")
        error = self.fails(Unreachable, client.send, b"two")
        self.assertIn("nothing listens on that port", str(error))
        client.send(b"three")

    def test_no_way(self) -> None:
        error = self.fails(Unreachable, self.client("255.255.255.255:1").send, b"x")
        self.assertIn("broadcast", str(error))


class Laziness(Case):
    def test_no_twisted(self) -> None:
        code = (
            "import sys\n"
            "from netlab.blocking import DatagramClient\n"
            f"with DatagramClient('{self.peer().address}') as client:\n"
            "    print(client.request(b'hello'), 'twisted' in sys.modules)"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=30)
        self.assertEqual((done.stdout, done.stderr), (b"b'hello' False\n", b""))
