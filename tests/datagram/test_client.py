"""The datagram client on Twisted."""

from __future__ import annotations

import socket
import threading
from collections.abc import Coroutine
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import CancelledError, ensureDeferred, gatherResults
from twisted.trial.unittest import TestCase

from netlab.datagram import DatagramClient, connected
from netlab.datagram import client as module
from netlab.datagram.destination import Destination
from netlab.datagram.lookup import Address
from netlab.errors import (
    ConfigurationError,
    ConnectionClosed,
    LocalProtocolError,
    NoReply,
    Unreachable,
)
from netlab.transport import hub_for

from .peers import Answers, Peer, Script, closed_port, echo, has_ipv6, silence


class Case(TestCase):
    """Whatever happens, nothing of the client is left in the hub."""

    def setUp(self) -> None:
        self.addCleanup(lambda: self.assertEqual(hub_for(reactor).descriptors, {}))

    def peer(self, script: Script = echo, host: str = "127.0.0.1") -> Peer:
        peer = Peer(script, host)
        self.addCleanup(peer.stop)
        return peer

    def client(self, target: str, **options: Any) -> DatagramClient:
        client = DatagramClient(target, **{"timeout": 0.05, "reactor": reactor, **options})
        self.addCleanup(lambda: ensureDeferred(client.close()))
        return client

    def looked_up(self, *found: Address) -> list[Destination]:
        """Has names looked up give these addresses; returns what is looked up."""
        asked: list[Destination] = []

        def look_up(destination: Destination) -> list[Address]:
            asked.append(destination)
            return list(found)

        self.patch(module, "look_up", look_up)
        return asked

    async def fails(self, kind: type[Exception], call: Coroutine[Any, Any, Any]) -> Any:
        """Awaits, and returns the error of exactly that kind."""
        try:
            await call
        except kind as error:
            self.assertIs(type(error), kind)
            self.assertNotIn("\n", str(error))
            return error
        self.fail(f"{kind} was not raised")


def at(port: int) -> Address:
    return socket.AF_INET, ("127.0.0.1", port)


class Requests(Case):
    async def test_answers(self) -> None:
        peer = self.peer()
        async with self.client(f"udp:{peer.address}") as client:
            for data in (b"hello", b"", bytes(65507)):
                self.assertEqual(await client.request(data), data)

    async def test_ipv6(self) -> None:
        if not has_ipv6():
            self.skipTest("there is no IPv6 here")
        client = self.client(self.peer(host="::1").address)
        self.assertEqual(await client.request(b"hello"), b"hello")

    async def test_name(self) -> None:
        """A name is looked up, though not in the reactor's thread, and only once."""
        threads: list[Any] = []
        peer = self.peer()

        def look_up(destination: Destination) -> list[Address]:
            threads.append(threading.current_thread())
            return [at(destination.port)]

        self.patch(module, "look_up", look_up)
        client = self.client(f"localhost:{peer.port}")
        asked = [ensureDeferred(client.request(b"%d" % n)) for n in range(10)]
        self.assertEqual(await gatherResults(asked), [b"%d" % n for n in range(10)])
        await client.request(b"again")
        self.assertEqual(len(threads), 1)
        self.assertIsNot(threads[0], threading.main_thread())

    async def test_global_reactor(self) -> None:
        client = DatagramClient(self.peer().address)
        self.assertEqual(await client.request(b"hello"), b"hello")
        await client.close()

    async def test_many_at_once(self) -> None:
        """Each gets its own answer, in whatever order they come."""

        def script(number: int, data: bytes) -> Answers:
            return [((50 - number) * 0.001, data)]

        client = self.client(self.peer(script).address, timeout=2)
        asked = [ensureDeferred(client.request(b"%d" % n)) for n in range(50)]
        self.assertEqual(await gatherResults(asked), [b"%d" % n for n in range(50)])

    async def test_ports(self) -> None:
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
            await client.request(data)
            tries = zip(peer.received, peer.sources, strict=True)
            ports.append({port for each, (_, port) in tries if each == data})
        self.assertEqual([len(each) for each in ports], [1] * 5)
        self.assertEqual(len(set.union(*ports)), 5)

    async def test_late_answer(self) -> None:
        """The answer that comes when nobody waits for it any more is not the next one's."""

        def script(number: int, data: bytes) -> Answers:
            if number == 0:
                return []
            peer.socket.sendto(b"late", peer.sources[0])
            return [(0.01, data)]

        peer = self.peer(script)
        client = self.client(peer.address, timeout=0.1, retries=0)
        await self.fails(NoReply, client.request(b"one"))
        self.assertEqual(await client.request(b"two"), b"two")

    async def test_match(self) -> None:
        def script(number: int, data: bytes) -> Answers:
            return [b"", b"2 other", *[b"noise"] * 40, data[:1] + b" mine"]

        def match(request: bytes, reply: bytes) -> bool:
            return reply[:1] == request[:1]

        client = self.client(self.peer(script).address, match=match)
        self.assertEqual(await client.request(b"1?"), b"1 mine")

    async def test_match_raises(self) -> None:
        def match(request: bytes, reply: bytes) -> bool:
            raise ZeroDivisionError

        client = self.client(self.peer().address, match=match)
        await self.fails(ZeroDivisionError, client.request(b"x"))


class Failures(Case):
    async def test_no_reply(self) -> None:
        peer = self.peer(silence)
        client = self.client(peer.address, timeout=0.01, retries=2)
        error = await self.fails(NoReply, client.request(b"x"))
        self.assertEqual(peer.wait_for(3), [b"x"] * 3)
        self.assertEqual(error.tries, 3)
        self.assertGreaterEqual(error.seconds, 0.07)
        self.assertIn(f"no reply from {peer.address} after 3 tries in 0.", str(error))

    async def test_refused(self) -> None:
        port = closed_port()
        client = self.client(f"127.0.0.1:{port}", timeout=10)
        error = await self.fails(Unreachable, client.request(b"x"))
        self.assertEqual(
            str(error),
            f"cannot reach 127.0.0.1:{port}: nothing listens on that port; is the server running?",
        )

    async def test_next_address(self) -> None:
        """The one that works is asked first from then on."""
        peer = self.peer()
        asked = self.looked_up((12345, ("?", 1)), at(closed_port()), at(peer.port))
        client = self.client("server.example:1")
        self.assertEqual(await client.request(b"one"), b"one")
        assert client._addresses is not None
        self.assertEqual(client._addresses[0], at(peer.port))
        self.assertEqual(await client.request(b"two"), b"two")
        self.assertEqual(len(asked), 1)

    async def test_looked_up_again(self) -> None:
        """A server may have moved when it does not answer."""
        asked = self.looked_up(at(self.peer(silence).port))
        client = self.client("server.example:1", timeout=0.01, retries=0)
        await self.fails(NoReply, client.request(b"x"))
        await self.fails(NoReply, client.request(b"x"))
        self.looked_up(at(closed_port()))
        await self.fails(Unreachable, client.request(b"x"))
        self.assertEqual(len(asked), 2)

    async def test_unknown_name(self) -> None:
        client = self.client("no.invalid:1")
        asked = [
            ensureDeferred(self.fails(Unreachable, client.request(b"x"))),
            ensureDeferred(self.fails(Unreachable, client.send(b"x"))),
        ]
        for error in await gatherResults(asked):
            self.assertIn("the host name is not known", str(error))

    async def test_too_long(self) -> None:
        client = self.client("localhost:1")
        await self.fails(LocalProtocolError, client.request(bytes(65508)))
        await self.fails(LocalProtocolError, client.send(bytes(65508)))

    def test_configuration(self) -> None:
        for target, options in (
            ("localhost", {}),
            ("tcp:localhost:1", {}),
            ("localhost:1", {"timeout": 0}),
            ("localhost:1", {"retries": -1}),
        ):
            self.assertRaises(ConfigurationError, DatagramClient, target, **options)


class Ending(Case):
    """Nothing is left behind, in whatever way a request ends."""

    async def test_close(self) -> None:
        peer = self.peer(silence)
        client = self.client(peer.address, timeout=60)
        asked = [
            ensureDeferred(self.fails(ConnectionClosed, client.request(b"x"))) for _ in range(3)
        ]
        await client.close()
        errors = await gatherResults(asked)
        self.assertEqual({str(each) for each in errors}, {"the client is closed"})
        await client.close()
        for call in (client.request(b"x"), client.send(b"x")):
            await self.fails(ConnectionClosed, call)

    async def test_cancel(self) -> None:
        client = self.client(self.peer(silence).address, timeout=60)
        asked = ensureDeferred(client.request(b"x"))
        asked.cancel()
        await self.assertFailure(asked, CancelledError)
        self.assertEqual(hub_for(reactor).descriptors, {})

    async def test_abandoned(self) -> None:
        """A coroutine that nobody goes on with is collected some time."""
        client = self.client(self.peer(silence).address, timeout=60)
        call = client.request(b"x")
        call.send(None)
        call.close()
        self.assertEqual(hub_for(reactor).descriptors, {})

    def held_up(self) -> threading.Event:
        """Looking up waits for the event."""
        event = threading.Event()
        self.addCleanup(event.set)

        def look_up(destination: Destination) -> list[Address]:
            event.wait(10)
            raise Unreachable("too late")

        self.patch(module, "look_up", look_up)
        return event

    async def test_close_while_looking_up(self) -> None:
        event = self.held_up()
        client = self.client("server.example:1")
        asked = ensureDeferred(self.fails(ConnectionClosed, client.request(b"x")))
        await client.close()
        await asked
        event.set()

    async def test_cancel_while_looking_up(self) -> None:
        """One that does not wait any more is no matter to the other."""
        event = self.held_up()
        client = self.client("server.example:1")
        one = ensureDeferred(client.request(b"x"))
        other = ensureDeferred(client.request(b"x"))
        one.cancel()
        await self.assertFailure(one, CancelledError)
        event.set()
        error = await self.assertFailure(other, Unreachable)
        self.assertEqual(str(error), "too late")

    async def test_internal_error(self) -> None:
        """A mistake of ours is told to who waits."""
        client = self.client(self.peer(silence).address, timeout=60)
        asked = ensureDeferred(client.request(b"x"))
        (question,) = hub_for(reactor).descriptors.values()
        try:
            raise ZeroDivisionError
        except ZeroDivisionError:
            question.failed()
        question.failed()
        await self.assertFailure(asked, ZeroDivisionError)


class Sending(Case):
    async def test_send(self) -> None:
        """All goes from one port, and what comes back is nobody's."""
        peer = self.peer()
        async with self.client(f"localhost:{peer.port}") as client:
            for number in range(20):
                await client.send(b"%d" % number)
            self.assertEqual(await client.request(b"?"), b"?")
            peer.wait_for(21)
        self.assertEqual({*peer.received}, {b"%d" % number for number in range(20)} | {b"?"})
        self.assertEqual(len({*peer.sources}), 2)

    async def test_next_address(self) -> None:
        """It is used from the moment that the first one is known to refuse."""
        peer = self.peer()
        self.looked_up((12345, ("?", 1)), at(closed_port()), at(peer.port))
        client = self.client("server.example:1")
        await gatherResults([ensureDeferred(client.send(b"one")) for _ in range(3)])
        await client.send(b"two")
        peer.wait_for(3)
        self.assertEqual(peer.received[-1], b"two")
        self.assertEqual(len({*peer.sources}), 1)

    async def test_refused(self) -> None:
        """It is heard of at the next call; the one after it begins anew."""
        client = self.client(f"127.0.0.1:{closed_port()}")
        await client.send(b"one")
        error = await self.fails(Unreachable, client.send(b"two"))
        self.assertIn("nothing listens on that port", str(error))
        await client.send(b"three")

    async def test_no_way(self) -> None:
        error = await self.fails(Unreachable, self.client("255.255.255.255:1").send(b"x"))
        self.assertIn("broadcast", str(error))

    def no_room(self, times: int) -> list[bytes]:
        """Has the system say so many times that its buffer is full; returns what is sent."""
        sent: list[bytes] = []
        tries: list[bytes] = []

        def transmit(sock: socket.socket, data: bytes) -> bool:
            tries.append(data)
            if len(tries) > times:
                sent.append(data)
                return True
            return False

        self.patch(connected, "transmit", transmit)
        return sent

    async def test_room(self) -> None:
        sent = self.no_room(5)
        client = self.client(self.peer().address)
        calls = [ensureDeferred(client.send(b"%d" % number)) for number in range(3)]
        self.assertEqual(sent, [])
        await gatherResults(calls)
        self.assertEqual(sorted(sent), [b"0", b"1", b"2"])

    async def test_cancel(self) -> None:
        sent = self.no_room(2)
        client = self.client(self.peer().address)
        one, two = (ensureDeferred(client.send(data)) for data in (b"one", b"two"))
        one.cancel()
        await self.assertFailure(one, CancelledError)
        await two
        self.assertEqual(sent, [b"two"])

    async def test_close(self) -> None:
        self.no_room(1000)
        client = self.client(self.peer().address)
        call = ensureDeferred(self.fails(ConnectionClosed, client.send(b"x")))
        await client.close()
        await call
