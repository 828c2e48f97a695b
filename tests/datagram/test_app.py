# trial's assertions have no annotations:
# mypy: allow-untyped-calls
"""What an author writes: the least there is to it."""

from __future__ import annotations

from netlab import DatagramApp
from netlab.datagram import Echo, Peer
from tests.datagram.support import CLIENT, MemoryCase


class Shout(DatagramApp):
    def datagram_received(self, data: bytes, peer: Peer) -> bytes:
        return data.upper()


class Counting(DatagramApp):
    """Its own state, in one object for all peers."""

    def __init__(self) -> None:
        self.peers: set[Peer] = set()

    async def datagram_received(self, data: bytes, peer: Peer) -> bytes:
        self.peers.add(peer)
        return b"%d" % len(self.peers)


class Apps(MemoryCase):
    def test_class(self) -> None:
        """A class is enough: it is made once."""
        self.serve(Shout)
        self.assertEqual(self.ask(b"hello"), [b"HELLO"])

    def test_object(self) -> None:
        """An object is served as it is, for all peers."""
        app = Counting()
        server = self.serve(app)
        self.assertIs(server.app, app)
        for number in (1, 2, 2):
            reply = self.ask(b"who", peer=("192.0.2.7", 40000 + number))
            self.assertEqual(reply, [b"%d" % number])

    def test_hooks_are_optional(self) -> None:
        """``started`` and ``stopped`` may be left out."""
        server = self.serve(Shout)
        self.successResultOf(server.stop())

    def test_stats(self) -> None:
        """The counters are the server's."""
        app = Shout()
        server = self.serve(app)
        self.ask(b"hello")
        self.assertIs(app.stats, server.stats)
        self.assertEqual(app.stats.datagrams_in, 1)

    def test_echo(self) -> None:
        """RFC 862: the data, unchanged; the very same, so that nothing is copied."""
        data = b"hello"
        self.assertIs(Echo().datagram_received(data, CLIENT), data)

    def test_not_said(self) -> None:
        """A class that does not say what a datagram means says so."""
        error = self.assertRaises(
            NotImplementedError, DatagramApp().datagram_received, b"hello", CLIENT
        )
        self.assertEqual(str(error), "DatagramApp does not say what a datagram means")
