"""Files as bodies: in pieces, as the client takes them, and closed in the end."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from netlab.errors import LocalProtocolError
from netlab.http import FileBody, Request, Response
from netlab.http.sending import FileSender
from netlab.testing import Faults

from .support import GET, MemoryHttp, answers, blank, get, logged, request

SIZE = 3_000_000


class Files(SynchronousTestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = Path(folder.name) / "file"
        self.data = os.urandom(SIZE)
        self.path.write_bytes(self.data)
        self.bodies: list[FileBody] = []

    def serve(self, offset: int = 0, length: int | None = None, **options: Any) -> MemoryHttp:
        def handle(request: Request) -> Response:
            self.bodies.append(FileBody(self.path, offset, length))
            return Response(200, [], self.bodies[-1])

        link = MemoryHttp(handle, **options)

        def close() -> None:
            link.close()
            link.advance(2)
            self.assertTrue(blank(link))
            self.assertEqual([each.fd for each in self.bodies], [-1] * len(self.bodies))

        self.addCleanup(close)
        return link

    def test_whole(self) -> None:
        for asked, again in ((GET, True), (get("/", version="1.0"), False)):
            link = self.serve(faults=Faults(capacity=1 << 20))
            for answer in link.ask(asked, *[asked] * again):
                self.assertEqual(answer.fields.get("content-length"), str(SIZE))
                self.assertEqual(answer.body, self.data)

    def test_ranges(self) -> None:
        for offset, length in ((0, 1), (65_536, 65_536), (SIZE - 1, 1), (SIZE, 0), (5, 100_001)):
            answer = self.serve(offset, length).one(GET)
            self.assertEqual(answer.body, self.data[offset : offset + length])

    def test_head(self) -> None:
        (answer,) = self.serve().ask(request("HEAD", "/", "Host: x"), heads=(0,))
        self.assertEqual(answer.fields.get("content-length"), str(SIZE))

    def test_never_whole(self) -> None:
        """A client that reads slowly costs little memory."""
        link = self.serve(faults=Faults(capacity=100_000))
        peer = link.connect_raw()
        peer.pause()
        peer.socket.send(GET)
        most = 0
        while len(peer.received) < SIZE:
            link.advance(0.1)
            for stream in link.server.streams.streams:
                most = max(most, stream.buffered)
            peer.resume()
            peer.pause()
        self.assertLess(most, 200_000)
        self.assertEqual(answers(bytes(peer.received))[0].body, self.data)

    def test_others_have_their_turn(self) -> None:
        """A fast client with a large file does not keep the others waiting."""
        sent: list[int] = []

        def handle(request: Request) -> Response:
            if request.target == "/quick":
                sent.append(first.socket.peer._under_way)
                return Response()
            return Response(200, [], FileBody(self.path))

        link = MemoryHttp(handle, faults=Faults(capacity=1 << 30))
        first, second = link.connect_raw(), link.connect_raw()
        first.pause()
        first.socket.send(GET)
        second.socket.send(get("/quick"))
        link.advance(1)
        self.assertLess(sent[0], SIZE)
        self.assertGreater(first.socket.peer._under_way, SIZE)
        link.close()

    def test_stream_that_closes(self) -> None:
        """Nothing more is read for it."""

        class Closing:
            full = closing = False

            def __init__(self) -> None:
                self.written: list[bytes] = []

            def write(self, data: bytes) -> None:
                self.written.append(data)
                self.closing = True

        stream: Any = Closing()
        done: list[Any] = []
        body = FileBody(self.path)
        sender = FileSender(stream, done.append, body)
        sender.start()
        self.assertEqual((len(stream.written), done), (1, []))
        sender.give_up()
        sender.can_write()
        self.assertEqual((len(stream.written), done, body.fd), (1, [], -1))

    def test_gone(self) -> None:
        link = self.serve(faults=Faults(capacity=100_000))
        peer = link.connect_raw()
        peer.pause()
        peer.socket.send(GET)
        link.advance(1)
        peer.reset()
        link.advance(1)
        self.assertEqual(self.bodies[0].fd, -1)

    def test_twice(self) -> None:
        """Once it is sent, it is closed."""
        response = Response(200, [], FileBody(self.path, 0, 10))
        link = MemoryHttp(lambda request: response)
        with logged("incident"):
            self.assertEqual([each.status for each in link.ask(GET, GET)], [200, 500])
        self.assertEqual(len(self.flushLoggedErrors(LocalProtocolError)), 1)
        link.close()

    def test_shrunk(self) -> None:
        """A file that is shorter than it was: the response is cut off, and does not look whole."""
        link = self.serve(faults=Faults(capacity=100_000))
        peer = link.connect_raw()
        peer.pause()
        peer.socket.send(GET)
        link.advance(1)
        os.truncate(self.path, 1_000_000)
        with logged("incident") as lines:
            peer.resume()
            link.advance(1)
        self.assertEqual(len(self.flushLoggedErrors(LocalProtocolError)), 1)
        self.assertEqual(len(lines), 1)
        (answer,) = answers(bytes(peer.received))
        self.assertFalse(answer.whole)
        self.assertTrue(self.data.startswith(answer.body))
        self.assertTrue(peer.ended)
