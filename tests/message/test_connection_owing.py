"""Protocols that answer by themselves: ``ending``, and what the connection waits for."""

from __future__ import annotations

from typing import Any

from netlab import Limits, MessageProtocol, NetlabError
from netlab.errors import ServerStopping
from netlab.testing import pair, serve
from tests.message.test_client import Case


class Owing(MessageProtocol):
    """Answers when the test says so, with ``send``."""

    def __init__(self) -> None:
        self.told: list[NetlabError | None] = []

    def message_received(self, message: bytes) -> None:
        self._connection.owing = True

    def ending(self, reason: NetlabError | None) -> None:
        self.told.append(reason)

    def answer(self, message: bytes) -> None:
        self.send(message)
        self._connection.owing = False


class Waiting(Case):
    def owing(self, link: Any) -> Owing:
        (protocol,) = link.protocols
        assert isinstance(protocol, Owing)
        return protocol

    def test_half_close(self) -> None:
        link = self.serve(Owing)
        peer = link.connect_raw()
        peer.send_message(b"?")
        peer.half_close()
        link.advance(30)
        protocol = self.owing(link)
        self.assertEqual(protocol.told, [None])
        self.assertFalse(peer.gone)
        protocol.answer(b"!")
        link.advance(1)
        self.assertEqual((peer.messages, peer.ended), ([b"!"], True))

    def test_drain(self) -> None:
        link = self.serve(Owing)
        peer = link.connect_raw()
        peer.send_message(b"?")
        stopped = link.server.stop(10)
        link.advance(1)
        protocol = self.owing(link)
        (reason,) = protocol.told
        self.assertIsInstance(reason, ServerStopping)
        self.assertNoResult(stopped)
        protocol.answer(b"!")
        peer.close()
        link.advance(1)
        self.successResultOf(stopped)

    def test_idle(self) -> None:
        """A connection that owes an answer is not idle; afterwards it is."""
        link = self.serve(Owing, limits=Limits(idle_timeout=5))
        peer = link.connect_raw()
        peer.send_message(b"?")
        link.advance(20)
        self.assertFalse(peer.gone)
        self.owing(link).answer(b"!")
        link.advance(4)
        self.assertFalse(peer.gone)
        link.advance(3)
        self.assertTrue(peer.gone)

    def test_hook_that_fails(self) -> None:
        class Failing(Owing):
            def ending(self, reason: NetlabError | None) -> None:
                raise ValueError("no")

        with serve(Failing) as link:
            peer = link.connect_raw()
            peer.half_close()
            link.advance(1)
            self.assertTrue(peer.gone)
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)

    def test_not_told_after_close(self) -> None:
        with pair(Owing) as link:
            protocol = self.owing(link)
            protocol.close()
            link.advance(5)
            self.assertEqual(protocol.told, [])
