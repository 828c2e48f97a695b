"""What the tests of fetching share: an origin that answers as each test wants, however wrongly."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.internet.ssl import PrivateCertificate
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.python.failure import Failure
from twisted.trial.unittest import TestCase

from netlab.http.fetching import Fetched, Fetcher, FetchError, FetchLimits
from tests.transport.support import Watch, reactor

END = b"\r\n\r\n"


class Connection(Protocol):
    """One connection to an origin; ``requests`` are the heads that came on it."""

    transport: Any

    def __init__(self, origin: Origin) -> None:
        self.origin = origin
        self.received = bytearray()
        self.requests: list[bytes] = []
        self.lost: BaseException | None = None

    def connectionMade(self) -> None:
        self.origin.connections.append(self)
        self.origin.changed()

    def dataReceived(self, data: bytes) -> None:
        self.received += data
        while END in self.received and not self.origin.raw:
            head, _, rest = bytes(self.received).partition(END)
            self.received = bytearray(rest)
            self.requests.append(head + END)
            self.origin.requests.append(head + END)
            self.origin.answer(self)
        self.origin.changed()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.lost = reason.value
        self.origin.changed()

    def send(self, data: bytes, *, end: bool = False) -> None:
        """Sends ``data``, and perhaps closes."""
        self.transport.write(data)
        if end:
            self.transport.loseConnection()


Answer = Callable[[Connection], None]


class Origin(Watch, Factory):
    """A server on loopback; ``answer`` is called for each head of a request."""

    noisy = False
    port: Any
    tls = False

    def __init__(self, answer: Answer, *, raw: bool = False) -> None:
        super().__init__()
        self.answer = answer
        self.raw = raw  # whether bodies are expected: then nothing is answered
        self.requests: list[bytes] = []
        self.connections: list[Connection] = []

    def buildProtocol(self, _: object) -> Connection:
        return Connection(self)

    def uri(self, path: str = "/") -> str:
        """A URI of this origin."""
        scheme = "https" if self.tls else "http"
        return f"{scheme}://127.0.0.1:{self.port.getHost().port}{path}"

    @property
    def open(self) -> int:
        """How many connections there are."""
        return sum(each.lost is None for each in self.connections)


def saying(data: bytes, *, end: bool = False) -> Answer:
    """Answers each request with ``data``."""
    return lambda connection: connection.send(data, end=end)


def ok(body: bytes = b"hello", *lines: str) -> bytes:
    """A good response."""
    head = "\r\n".join(["HTTP/1.1 200 OK", f"Content-Length: {len(body)}", *lines])
    return head.encode("latin-1") + END + body


async def read(fetched: Fetched) -> bytes:
    """All of a body."""
    return b"".join([piece async for piece in fetched])


class FetchingCase(TestCase):
    """A case with origins and fetchers, which leave nothing behind."""

    timeout = 20

    def setUp(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="netlab-"))
        self.addCleanup(shutil.rmtree, self.folder)

    async def origin(
        self, answer: Answer | bytes = b"", *, end: bool = False, tls: Any = None, raw: bool = False
    ) -> Origin:
        """An origin that listens, of ``answer`` or of what always says ``answer``."""
        origin = Origin(saying(answer, end=end) if isinstance(answer, bytes) else answer, raw=raw)
        factory: Any = origin
        if tls is not None:
            origin.tls = True
            options = PrivateCertificate.loadPEM(tls).options()
            factory = TLSMemoryBIOFactory(options, False, origin)
        origin.port = reactor.listenTCP(0, factory, interface="127.0.0.1")

        async def stop() -> None:
            await maybeDeferred(origin.port.stopListening)
            for each in origin.connections:
                if each.lost is None:
                    each.transport.abortConnection()
            await origin.until(lambda: not origin.open)

        self.addCleanup(lambda: Deferred.fromCoroutine(stop()))
        return origin

    def fetcher(self, authorities: str | None = None, **limits: Any) -> Fetcher:
        """A fetcher that is closed at the end."""
        fetcher = Fetcher(
            reactor=reactor, limits=FetchLimits(**limits), authorities=authorities, user_agent="t/1"
        )
        self.addCleanup(fetcher.close)
        return fetcher

    async def refused(self, fetching: Any, *words: str) -> FetchError:
        """The error with which ``fetching`` fails, checked for ``words`` of its text."""
        try:
            await fetching
        except FetchError as error:
            for word in words:
                self.assertIn(word, str(error))
            return error
        raise AssertionError("nothing failed")

    async def answered(self, response: bytes, *, end: bool = False, **limits: Any) -> Any:
        """What fetching the whole of ``response`` gives: (Fetched, its body), or FetchError."""
        origin = await self.origin(response, end=end)
        fetcher = self.fetcher(**limits)
        try:
            fetched = await fetcher.fetch("GET", origin.uri())
            return fetched, await read(fetched)
        except FetchError as error:
            return error
