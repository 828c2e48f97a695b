"""The whole message server on ``ReactorHub``, the hub for systems without epoll."""

from __future__ import annotations

from netlab import LengthPrefix, MessageProtocol
from netlab.message import connect, serve
from netlab.transport import Limits, hub
from netlab.transport.hub import ReactorHub
from tests.transport.support import (
    LOOPBACK,
    TransportCase,
    dial,
    eventually,
    in_thread,
    reactor,
    read_all,
)


class Shout(MessageProtocol):
    def message_received(self, message: bytes) -> bytes:
        return message.upper()


class Messages(TransportCase):
    def setUp(self) -> None:
        super().setUp()
        self.patch(hub, "_hubs", {reactor: ReactorHub(reactor)})

    async def test_server_and_client(self) -> None:
        """Small and large messages, back-pressure, a pipelined burst, and a clean end."""
        framing = LengthPrefix(max_message=4 << 20)
        limits = Limits(max_buffered=8 << 20)
        async with serve(Shout, LOOPBACK, framing=framing, limits=limits, reactor=reactor) as one:
            port = one.addresses[0].port  # type: ignore[attr-defined]
            where = f"tcp:127.0.0.1:{port}"
            async with connect(where, framing=framing, limits=limits, reactor=reactor) as client:
                for size in (0, 1, 65536, 3 << 20):
                    self.assertEqual(await client.request(b"a" * size), b"A" * size)
                for number in range(500):
                    await client.send(b"n%d" % number)
                for number in range(500):
                    self.assertEqual(await client.receive(), b"N%d" % number)
            await eventually(lambda: one.stats.active == 0)
            self.assertEqual(one.stats.messages_in, 504)
            self.assertEqual(one.stats.errors, {})
        self.assertEqual([each for each in reactor.getReaders() if "Watched" in repr(each)], [])

    async def test_drain(self) -> None:
        """A stop answers what the system has received, here too."""
        server = await serve(Shout, LOOPBACK, reactor=reactor)
        port = server.addresses[0].port  # type: ignore[attr-defined]
        known, silent = dial(port), dial(port)
        for sock in (known, silent):
            self.addCleanup(sock.close)
        await eventually(lambda: server.stats.active == 2)
        backlog = dial(port)
        self.addCleanup(backlog.close)
        for sock in (known, backlog):
            sock.sendall(b"\0\0\0\4last")
        stopped = server.stop()
        for sock, answer in ((known, b"LAST"), (backlog, b"LAST"), (silent, b"")):
            expected = b"\0\0\0\4" + answer if answer else b""
            self.assertEqual(await in_thread(read_all, sock), expected)
            sock.close()
        await stopped
        self.assertEqual(server.stats.messages_out, 2)
        self.assertEqual(server.stats.errors, {})
