"""What the tests of HTTP share: a server in memory, a strict reader of answers, a log to read."""

from __future__ import annotations

import io
import re
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock, deferLater
from twisted.logger import LogEvent, formatEvent, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from netlab.fields import Fields
from netlab.http import Access, HttpLimits, HttpServer, Request, Response
from netlab.testing import Faults, MemoryHub, MemoryServer, MemorySocket, RawPeer

GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


class MemoryHttp(MemoryServer):
    """An ``HttpServer`` in memory, and the clock that it lives by."""

    server: Any

    def __init__(
        self,
        handler: Any,
        *,
        limits: HttpLimits | None = None,
        faults: Faults | None = None,
        access_log: Callable[[Access], None] | None = None,
    ) -> None:
        self.clock = Clock()
        self.hub = MemoryHub(self.clock)
        self.faults = faults or Faults()
        self.server = HttpServer(
            handler, reactor=self.clock, limits=limits, hub=self.hub, access_log=access_log
        )
        self.server.streams.start()
        self.listening = True
        self.raw_peers: list[RawPeer] = []
        self.sockets: list[MemorySocket] = []

    def later(self, value: Any = None, seconds: float = 0.3) -> Deferred[Any]:
        """A Deferred that fires with ``value``."""
        return deferLater(self.clock, seconds, lambda: value)

    def ask(self, *requests: bytes, **options: Any) -> list[Answer]:
        """The answers to ``requests``, sent at once on a connection of their own."""
        peer = self.connect_raw()
        data = b"".join(requests)
        peer.send(data)
        self.advance(1)
        found = answers(bytes(peer.received), **options)
        if not peer.gone:
            peer.close()
            self.advance(5)
        return found

    def one(self, request: bytes, **options: Any) -> Answer:
        """The only answer to ``request``."""
        (found,) = self.ask(request, **options)
        return found


@dataclass(frozen=True)
class Answer:
    """A response as a client reads it."""

    status: int
    reason: str
    fields: Fields
    body: bytes
    trailers: Fields
    whole: bool
    """Whether it ended as its framing says."""


_STATUS = re.compile(rb"HTTP/1\.1 ([0-9]{3}) ([^\r\n]*)\r\n")


def answers(data: bytes, *, heads: tuple[int, ...] = (), ended: bool = True) -> list[Answer]:
    """Every response in ``data``, read as strictly as can be; 1xx as well.

    heads  the numbers of those, from 0, that answer HEAD
    ended  whether the connection has ended behind ``data``
    """
    found: list[Answer] = []
    reader = io.BytesIO(data)
    number = 0
    while reader.tell() < len(data):
        answer = _answer(reader, head=number in heads, ended=ended)
        found.append(answer)
        number += answer.status >= 200
    return found


def _section(reader: io.BytesIO) -> Fields:
    pairs: list[tuple[bytes, bytes]] = []
    while True:
        line = reader.readline()
        assert line.endswith(b"\r\n"), line
        if line == b"\r\n":
            return Fields.received(pairs)
        name, colon, value = line[:-2].partition(b":")
        assert colon, line
        pairs.append((name, value))


def _answer(reader: io.BytesIO, *, head: bool, ended: bool) -> Answer:
    line = reader.readline()
    match = _STATUS.fullmatch(line)
    assert match is not None, line
    status = int(match[1])
    fields = _section(reader)
    length = fields.get("content-length")
    coding = fields.get("transfer-encoding")
    assert length is None or coding is None
    trailers = Fields()
    whole = True
    if head or status < 200 or status in (204, 304):
        assert coding is None
        body = b""
    elif coding is not None:
        assert coding == "chunked"
        body, trailers, whole = _chunks(reader)
    elif length is not None:
        body = reader.read(int(length))
        whole = len(body) == int(length)
    else:
        assert fields.get("connection") == "close"
        assert ended
        body = reader.read()
    return Answer(status, match[2].decode(), fields, body, trailers, whole)


def _chunks(reader: io.BytesIO) -> tuple[bytes, Fields, bool]:
    pieces: list[bytes] = []
    while True:
        line = reader.readline()
        if not line:
            return b"".join(pieces), Fields(), False
        assert re.fullmatch(rb"[0-9a-f]{1,8}\r\n", line), line
        size = int(line, 16)
        if not size:
            return b"".join(pieces), _section(reader), True
        data = reader.read(size + 2)
        if len(data) < size + 2:
            return b"".join(pieces) + data[:size], Fields(), False
        assert data.endswith(b"\r\n")
        pieces.append(data[:-2])


def blank(link: MemoryHttp) -> bool:
    """Whether nothing of the server is left: no stream, no delayed call."""
    streams = link.server.streams.streams
    return not streams and not link.stats.active and not link.clock.getDelayedCalls()


@contextmanager
def logged(*containing: str) -> Iterator[list[str]]:
    """Collects the text of the log events that contain one of ``containing``."""
    lines: list[str] = []

    def observing(event: LogEvent) -> None:
        text = formatEvent(event)
        if any(each in text for each in containing):
            failure = event.get("log_failure")
            lines.append(text + (f": {failure.value!r}" if failure is not None else ""))

    observe: Any = observing
    globalLogPublisher.addObserver(observe)
    try:
        yield lines
    finally:
        globalLogPublisher.removeObserver(observe)


class Broken(Exception):
    """What a handler of these tests raises on purpose."""


def hello(request: Request) -> Response:
    """Says what was asked for."""
    return Response(200, [("Content-Type", "text/plain")], f"{request.target}\n".encode())


class Waiting:
    """Answers each request when the test says so: ``waiting[n].callback(response)``."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.waiting: list[Deferred[Any]] = []
        self.cancelled: list[int] = []

    def handle(self, request: Request) -> Deferred[Any]:
        number = len(self.waiting)
        self.requests.append(request)
        self.waiting.append(Deferred(lambda _: self.cancelled.append(number)))
        return self.waiting[-1]


def pieces_of(*pieces: bytes) -> AsyncIterator[bytes]:
    """An async iterable of ``pieces``."""

    async def generate() -> AsyncIterator[bytes]:
        for piece in pieces:
            yield piece

    return generate()


def get(target: str = "/", *lines: str, version: str = "1.1") -> bytes:
    """A GET as bytes; with a Host, if its version needs one."""
    host = ["Host: x"] if version == "1.1" else []
    return request("GET", target, *host, *lines, version=version)


def request(method: str, target: str, *lines: str, version: str = "1.1") -> bytes:
    """A request's head, as bytes."""
    joined = "\r\n".join([f"{method} {target} HTTP/{version}", *lines])
    return f"{joined}\r\n\r\n".encode("latin-1")


class ServingCase(SynchronousTestCase):
    """A case with servers in memory, which leave nothing behind."""

    def serve(self, handler: Any = None, **options: Any) -> MemoryHttp:
        """A server of ``handler``, or of ``hello``."""
        link = MemoryHttp(handler or hello, **options)

        def close() -> None:
            link.close()
            link.advance(2)
            self.assertTrue(blank(link))

        self.addCleanup(close)
        return link

    def statuses(self, peer: RawPeer) -> list[int]:
        """Those of the answers that ``peer`` has received."""
        return [each.status for each in answers(bytes(peer.received))]


def post(*lines: str, length: int | None = None, version: str = "1.1") -> bytes:
    framing = "Transfer-Encoding: chunked" if length is None else f"Content-Length: {length}"
    return request("POST", "/", "Host: x", framing, *lines, version=version)


async def echo(request: Request) -> Response:
    return Response(200, [], await request.body.read())


class Reader:
    """Reads bodies one piece at a time, when the test says so."""

    def __init__(self) -> None:
        self.request: Request
        self.pieces: list[bytes] = []
        self.errors: list[BaseException] = []
        self.go: Deferred[Any]

    async def handle(self, request: Request) -> Response:
        self.request = request
        try:
            while True:
                self.go = Deferred()
                if await self.go == "answer":
                    return Response(201)
                try:
                    self.pieces.append(await request.body.__anext__())
                except StopAsyncIteration:
                    return Response(200, [], b"".join(self.pieces))
        except BaseException as error:
            self.errors.append(error)
            raise

    def read(self) -> None:
        self.go.callback("read")
