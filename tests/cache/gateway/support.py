"""What the tests of the gateway share: an origin that says what it is told, and clients."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from netlab.cache.gateway import Gateway
from netlab.cache.policy import Entry
from netlab.cache.store import Store, StoreFailed, Writing
from netlab.cache.store.memory import MemoryStore
from netlab.fields import Fields, ProxyError, format_date
from netlab.http import FileBody, Request, RequestError, Response
from netlab.http.fetching import Fetched, FetchError
from netlab.http.fetching.head import Head
from netlab.transport.answers import begin

NOW = 1_000_000_000.0
ORIGIN = "http://example.org"
KEY = f"{ORIGIN}/a"
FRESH = ("Cache-Control", "max-age=60")
REFUSED = FetchError(ProxyError.CONNECTION_REFUSED, "the connection was refused")
CUT = FetchError(ProxyError.HTTP_RESPONSE_INCOMPLETE, "the connection broke off")
LOST = FetchError(ProxyError.CONNECTION_TERMINATED, "the connection ended without an answer")


class Full(MemoryStore):
    """A store that fails where a test wants it; ``room`` is for how many bytes."""

    def __init__(self) -> None:
        super().__init__(memory_bytes=1 << 24)
        self.room: int | None = None
        self.begins = True
        self.commits = True

    def begin(self, announced: int = 0) -> Writing:
        if not self.begins:
            raise StoreFailed("no descriptor")
        return super().begin(announced)

    def grow(self, size: int) -> None:
        if size > 0 and self.room is not None:
            if size > self.room:
                raise StoreFailed("the disk is full")
            self.room -= size
        super().grow(size)

    def put(self, entry: Entry, content: bytes) -> None:
        if not self.commits:
            raise StoreFailed("the disk is full at last")
        super().put(entry, content)


class Asked:
    """A request as it came to the origin, and what the origin does with it."""

    def __init__(self, method: str, uri: str, fields: Fields, body: Any) -> None:
        self.method = method
        self.uri = uri
        self.fields = fields
        self.body = body
        self.cancelled = False
        self.gone = False
        self.resumed = 0
        self.fetched: Fetched | None = None
        self.answered: Deferred[Fetched] = Deferred(self._cancel)

    def _cancel(self, _: object) -> None:
        self.cancelled = True

    @property
    def over(self) -> bool:
        """Whether nothing of it is left."""
        if self.fetched is None:
            return self.answered.called
        return self.fetched.over

    def answer(
        self,
        *pairs: tuple[str, str],
        status: int = 200,
        content: bytes = b"",
        end: bool = True,
        version: str = "1.1",
    ) -> None:
        """Sends a head, with what is there of the content, and the ``end`` perhaps."""
        fields = Fields(pairs)
        head = Head(version, status, "Whatever", fields, None, True, False, True)
        self.fetched = Fetched(head, self.uri, self)
        if content:
            self.fetched.add(content)
        if end:
            self.fetched.end()
        self.answered.callback(self.fetched)

    def add(self, content: bytes) -> None:
        assert self.fetched is not None
        self.fetched.add(content)

    def end(self) -> None:
        assert self.fetched is not None
        self.fetched.end()

    def fail(self, error: Exception) -> None:
        """Breaks off, before or after the head."""
        if self.fetched is None:
            self.answered.errback(error)
        else:
            self.fetched.fail(error)

    # -- the source of ``Fetched``

    def resume(self) -> None:
        self.resumed += 1

    def let_go(self) -> None:
        self.gone = True


class Origin:
    """``fetch``: keeps each request until the test answers it, or answers as ``always`` does."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.always: Callable[[Asked], None] | None = None

    def fetch(self, method: str, uri: str, fields: Fields, body: Any = None) -> Deferred[Fetched]:
        asked = Asked(method, uri, fields, body)
        self.asked.append(asked)
        if self.always is not None:
            self.always(asked)
        return asked.answered

    @property
    def last(self) -> Asked:
        return self.asked[-1]


class Client:
    """Who waits for a reply, and reads all of it; unless ``reading`` is ``False`` at a piece."""

    def __init__(self, reply: Any, *, reading: bool = True) -> None:
        self.response: Response | None = None
        self.content = b""
        self.error: BaseException | None = None
        self.whole = False
        self.reading = reading
        self._go: Deferred[None] | None = None
        self._running = Deferred.fromCoroutine(self._run(reply))
        self._running.addErrback(self._failed)

    async def _run(self, reply: Any) -> None:
        found = begin(reply)
        self.response = response = await found if isinstance(found, Deferred) else found
        body: Any = response.body
        if isinstance(body, FileBody):
            self.content = body.read(0, body.length)
            body.close()
        elif isinstance(body, bytes):
            self.content = body
        elif body is not None:
            try:
                while True:
                    if not self.reading:
                        self._go = Deferred()
                        await self._go
                    try:
                        self.content += await body.__anext__()
                    except StopAsyncIteration:
                        break
            finally:
                await body.aclose()
        self.whole = True

    def _failed(self, failure: Any) -> None:
        self.error = failure.value

    def read(self) -> None:
        """Reads to the end, from now on."""
        self.reading = True
        go, self._go = self._go, None
        if go is not None:
            go.callback(None)

    def go_away(self) -> None:
        self._running.cancel()

    @property
    def status(self) -> int:
        assert self.response is not None, "no response yet"
        return self.response.status

    def field(self, name: str) -> str | None:
        assert self.response is not None, "no response yet"
        return self.response.fields.get(name)

    @property
    def told(self) -> str:
        """``Cache-Status``."""
        return self.field("cache-status") or ""


class GatewayCase(SynchronousTestCase):
    """A gateway of an ``Origin`` and a store in memory, on a clock; nothing may be left over."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.origin = Origin()
        self.store: Full = Full()
        self.clients: list[Client] = []
        self.expected: tuple[type[Exception], ...] = (RequestError, CancelledError)
        self.gateway = self.made()

    def made(self, store: Store | None = None, **options: Any) -> Gateway:
        """A gateway; ``self.gateway`` from now on."""
        self.gateway = Gateway(
            store or self.store,
            self.origin.fetch,
            reactor=self.clock,
            clock=lambda: NOW + self.clock.seconds(),
            **options,
        )
        return self.gateway

    def tearDown(self) -> None:
        for client in self.clients:
            if client.error is not None and not isinstance(client.error, self.expected):
                raise client.error
            self.assertTrue(client.whole or client.error is not None)
        for asked in self.origin.asked:
            self.assertTrue(asked.over, f"{asked.method} {asked.uri} goes on")
        self.assertEqual(list(self.gateway._flights), [])
        self.assertEqual(self.store._growing, 0)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def ask(
        self,
        *pairs: tuple[str, str],
        path: str = "/a",
        method: str = "GET",
        body: bytes = b"",
        reading: bool = True,
    ) -> Client:
        """A client that asks."""
        request = Request(method, path, pairs, body)
        client = Client(self.gateway.respond(request, ORIGIN + path), reading=reading)
        self.clients.append(client)
        return client

    def stored(self, *pairs: tuple[str, str], content: bytes = b"old", path: str = "/a") -> None:
        """Lets the origin answer, and stores that."""
        self.ask(path=path)
        self.origin.last.answer(*pairs, content=content)
        self.assertEqual(len(self.store.entries(ORIGIN + path)), 1)

    @property
    def date(self) -> str:
        """Now, as a field says it."""
        return format_date(NOW + self.clock.seconds())

    def entries(self, path: str = "/a") -> tuple[Entry, ...]:
        return self.store.entries(ORIGIN + path)

    def contents(self, path: str = "/a") -> list[bytes | None]:
        """What is stored."""
        return [self.store.content(entry) for entry in self.entries(path)]
