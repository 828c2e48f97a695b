"""What the tests of the server share: an upstream that does what it is told, and a site on it."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from netlab.cache.gateway import Gateway
from netlab.cache.store import Store
from netlab.cache.store.memory import MemoryStore
from netlab.fields import Fields, ProxyError
from netlab.http import FileBody, Request, Response
from netlab.http.fetching import Fetched, FetchError
from netlab.http.fetching.head import Head
from netlab.http.sending import close_body
from netlab.rfc.freshness import FRESHNESS, OPTIONS, TROUBLED
from netlab.rfc.proxy.library import Library
from netlab.rfc.proxy.mirror import Mirror
from netlab.rfc.proxy.site import Site
from netlab.rfc.proxy.source import Source
from netlab.rfc.search import Search
from netlab.transport.answers import begin
from tests.rfc.support import index_data, text

NOW = 1_000_000_000.0
BASE = "http://127.0.0.1:9/rfc/"
HTML = ("Accept", "text/html,application/xhtml+xml,*/*;q=0.8")
REFUSED = FetchError(ProxyError.CONNECTION_REFUSED, "the connection was refused")
ERRATA = [
    {"errata_id": "682", "doc-id": "RFC2324", "errata_status_code": "Verified", "section": "2.3"}
]


class Machine(Clock):
    """A clock whose threads work at once, or when ``work`` is called if they are ``held``."""

    def __init__(self) -> None:
        super().__init__()
        self.held = False
        self._jobs: list[Callable[[], None]] = []

    def getThreadPool(self) -> Any:
        return self

    def callFromThread(self, function: Any, *args: Any, **kwargs: Any) -> None:
        function(*args, **kwargs)

    def callInThreadWithCallback(self, told: Any, function: Any, *args: Any, **kwargs: Any) -> None:
        def job() -> None:
            try:
                result = function(*args, **kwargs)
            except Exception:
                told(False, Failure())
            else:
                told(True, result)

        self._jobs.append(job)
        if not self.held:
            self.work()

    @property
    def jobs(self) -> int:
        """How many wait for a thread."""
        return len(self._jobs)

    def work(self) -> None:
        """Does what has waited."""
        while self._jobs:
            self._jobs.pop(0)()


class Upstream:
    """``files`` are fields and content by path, or a status; ``error`` is raised instead."""

    def __init__(self) -> None:
        self.files: dict[str, Any] = {
            "/rfc-index.xml": index_data(),
            "/errata.json": json.dumps(ERRATA).encode(),
            **{f"/rfc/rfc{number}.txt": text(number) for number in (237, 768, 2324, 9515)},
        }
        self.error: Exception | None = None
        self.asked: list[tuple[str, str]] = []
        self.fields: list[Fields] = []
        self.later: list[Callable[[], None]] | None = None
        """Answers that wait for the test, if it is a list."""

    @property
    def paths(self) -> list[str]:
        """What was asked for with GET."""
        return [path for method, path in self.asked if method == "GET"]

    def resume(self) -> None:
        """See ``netlab.http.fetching.fetched.Source``."""

    def let_go(self) -> None:
        """See there."""

    def fetch(
        self, method: str, uri: str, fields: Fields, body: Any = None, *, redirect_to: Any = None
    ) -> Deferred[Fetched]:
        path = uri.removeprefix("http://127.0.0.1:9").removeprefix("https://www.rfc-editor.org")
        self.asked.append((method, path))
        self.fields.append(fields)
        answered: Deferred[Fetched] = Deferred(lambda _: None)

        def answer() -> None:
            if answered.called:
                return
            if self.error is not None:
                answered.errback(self.error)
            else:
                answered.callback(self._fetched(method, uri, self.files.get(path, 404), fields))

        if self.later is None:
            answer()
        else:
            self.later.append(answer)
        return answered

    def _fetched(self, method: str, uri: str, found: Any, asked: Fields) -> Fetched:
        status, fields, content = 200, [("Content-Type", "text/plain; charset=utf-8")], b""
        if isinstance(found, int):
            status, content = found, b"no such file"
        elif isinstance(found, bytes):
            fields.append(("ETag", f'"{len(found)}"'))
            content = found
        else:
            status, fields, content = found
        tag = dict(fields).get("ETag")
        if tag is not None and asked.get("if-none-match") == tag:
            status, content = 304, b""
        head = Head("1.1", status, "Whatever", Fields(fields), None, True, False, True)
        fetched = Fetched(head, uri, self)
        if content and method != "HEAD":
            fetched.add(content)
        fetched.end()
        return fetched


def packed(content: bytes, *more: tuple[str, str]) -> tuple[int, list[tuple[str, str]], bytes]:
    """A file as the RFC Editor sends it."""
    fields = [("Content-Type", "text/plain; charset=utf-8"), ("Content-Encoding", "gzip")]
    return 200, [*fields, *more], gzip.compress(content, mtime=0)


class Visit:
    """A client that asks, and reads all of the answer."""

    def __init__(self, reply: Any) -> None:
        self.response: Response | None = None
        self.content = b""
        self.error: Failure | None = None
        self.running = Deferred.fromCoroutine(self._run(reply))
        self.running.addErrback(self._failed)

    async def _run(self, reply: Any) -> None:
        found = begin(reply)
        response: Response = await found if isinstance(found, Deferred) else found
        body: Any = response.body
        if isinstance(body, FileBody):
            self.content = body.read(0, body.length)
            body.close()
        elif isinstance(body, bytes):
            self.content = body
        elif body is not None:
            try:
                self.content = b"".join([piece async for piece in body])
            finally:
                await close_body(body)
        self.response = response

    def _failed(self, failure: Failure) -> None:
        self.error = failure

    @property
    def status(self) -> int:
        assert self.response is not None, self.error or "no answer yet"
        return self.response.status

    def field(self, name: str) -> str | None:
        assert self.response is not None, self.error or "no answer yet"
        return self.response.fields.get(name)

    @property
    def text(self) -> str:
        return self.content.decode()

    @property
    def json(self) -> Any:
        return json.loads(self.content)


class SiteCase(SynchronousTestCase):
    """A site in memory, on a clock and an ``Upstream``."""

    def setUp(self) -> None:
        self.machine = Machine()
        self.upstream = Upstream()
        self.make()

    def make(
        self,
        *,
        offline: bool = False,
        mirror: Path | None = None,
        store: Store | None = None,
        base: str = BASE,
        hosts: tuple[str, ...] = (),
    ) -> None:
        """Makes another site, which is started."""
        self.store = store or MemoryStore(memory_bytes=1 << 26)
        folder = None if mirror is None else Mirror(mirror)
        self.search = Search(":memory:", lambda number: self.library.stored_text(number))
        self.addCleanup(self.search.close)
        fetch = None if offline else self.upstream.fetch
        self.source = Source(base, fetch, folder, reactor=self.machine)
        self.gateway = Gateway(
            self.store,
            self.source.fetch,
            reactor=self.machine,
            options=OPTIONS,
            amend=self.source.amend,
            unsaid=frozenset({FRESHNESS}),
            fills=True,
            troubled=TROUBLED,
            clock=lambda: NOW + self.machine.seconds(),
        )
        self.library = Library(
            self.gateway, self.store, self.source, self.search, folder, reactor=self.machine
        )
        self.site = Site(self.library, hosts, lambda: [8080])
        self.library.start()
        self.machine.advance(0)

    def request(
        self,
        target: str,
        *fields: tuple[str, str],
        method: str = "GET",
        host: str | None = "localhost:8080",
    ) -> Request:
        named = [("Host", host)] if host is not None else []
        return Request(method, target, [*named, *fields])

    def get(
        self,
        target: str,
        *fields: tuple[str, str],
        method: str = "GET",
        host: str | None = "localhost:8080",
    ) -> Visit:
        """The answer to a request; what takes a turn gets one."""
        visit = Visit(self.site.handle(self.request(target, *fields, method=method, host=host)))
        self.machine.advance(0)
        return visit
