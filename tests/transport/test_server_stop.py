"""The end of a ``StreamServer``: drained, in time, and with nothing left behind."""

from __future__ import annotations

import os
from typing import Any

from twisted.internet.defer import Deferred

from netlab.errors import ServerStopping
from tests.transport.support import (
    LOOPBACK,
    Lazy,
    Recorder,
    ServerCase,
    connect_peer,
    dial,
    eventually,
    in_thread,
)


class Stopping(ServerCase):
    async def test_nothing_to_do(self) -> None:
        """A server that never listened stops too; nothing is left in the reactor."""
        await self.stop(self.server())

    async def test_ports_closed(self) -> None:
        """Nobody can connect any more."""
        server, port = await self.serve()
        await self.stop(server)
        self.assertEqual(server.addresses, [])
        await self.assertFailure(in_thread_deferred(dial, port), ConnectionRefusedError)

    async def test_drain(self) -> None:
        """Each connection is told to finish; the stop ends with the last one.

        Stock Twisted closes its port and forgets the connections.
        """
        server, port = await self.serve()
        peers = [await connect_peer(port) for _ in range(3)]
        await eventually(lambda: server.stats.active == 3)
        stopped = server.stop(20)
        self.servers.remove(server)
        for peer in peers:
            await peer.until(lambda: peer.over)  # noqa: B023
            self.assertFalse(stopped.called)
            peer.transport.loseConnection()
        await stopped
        for receiver in self.receivers:
            self.assertEqual(receiver.calls, ["connected", "drain", "lost"])
            self.assertIsNone(receiver.reason)
        self.assertEqual(server.stats.errors, {})

    async def test_grace(self) -> None:
        """Who is not done when the grace is over is aborted."""
        server, port = await self.serve(make_receiver=self.lazy)
        sock = self.dial(port)
        await eventually(lambda: server.stats.active == 1)
        begun = server._hub.time()
        await self.stop(server, 0.3)
        self.assertGreaterEqual(server._hub.time() - begun, 0.3)
        self.assertLess(server._hub.time() - begun, 5)
        self.assertIsInstance(self.receivers[0].reason, ServerStopping)
        self.assertEqual(server.stats.errors, {"server_stopping": 1})
        self.assertEqual(await self.ends(sock), "reset")

    def lazy(self) -> Recorder:
        """A receiver that does not finish."""
        made = Lazy(echo=True)
        self.receivers.append(made)
        return made

    async def test_second_stop(self) -> None:
        """A second one with no grace ends the first at once; a longer one does not prolong."""
        server, port = await self.serve(make_receiver=self.lazy)
        self.dial(port)
        await eventually(lambda: server.stats.active == 1)
        first = server.stop(600)
        second = server.stop(700)
        self.assertLessEqual(server._stop_at - server._hub.time(), 600)
        await self.receivers[0].until(lambda: "drain" in self.receivers[0].calls)
        third = server.stop(0)
        self.servers.remove(server)
        for each in (first, second, third):
            await each
        self.assertEqual(self.receivers[0].calls, ["connected", "drain", "lost"])

    async def test_stop_again(self) -> None:
        """Stopping what has stopped is done at once."""
        server, _ = await self.serve()
        await self.stop(server)
        for grace in (0, 10):
            again = server.stop(grace)
            await eventually(lambda: again.called, 2)  # noqa: B023

    async def test_headers(self) -> None:
        """Who has sent no PROXY header yet has asked for nothing: closed at once."""
        server, port = await self.serve(f"haproxy:{LOOPBACK}")
        sock = self.dial(port)
        await eventually(lambda: len(server._headers) == 1)
        await self.stop(server, 10)
        self.assertIn(await self.ends(sock), (b"", "reset"))

    async def test_backlog(self) -> None:
        """Who was connected before the stop is served."""
        server, port = await self.serve()
        socks = [self.dial(port) for _ in range(5)]
        for sock in socks:
            sock.sendall(b"early")
        stopped = server.stop(10)
        self.servers.remove(server)
        self.assertEqual(server.stats.accepted, 5)
        for sock in socks:
            self.assertIn(await self.ends(sock), (b"", "reset", b"early"))
            sock.close()
        await stopped

    async def test_clean(self) -> None:
        """With the last server gone, its hub waits for nothing."""
        server, port = await self.serve()
        self.dial(port)
        await eventually(lambda: server.stats.active == 1)
        descriptors = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0
        await self.stop(server)
        hub: Any = server._hub
        self.assertEqual((hub.descriptors, hub._tickers, hub.fileno()), ({}, set(), -1))
        if descriptors:
            self.assertLess(len(os.listdir("/proc/self/fd")), descriptors)


def in_thread_deferred(function: Any, *arguments: Any) -> Deferred[Any]:
    """``in_thread`` as a Deferred."""
    return Deferred.fromCoroutine(in_thread(function, *arguments))
