"""A server, a gateway, a store on the disk and a fetcher, in front of an origin on loopback."""

from __future__ import annotations

import re
import resource
from collections.abc import Callable
from functools import partial
from typing import Any

from twisted.internet.defer import Deferred, gatherResults, maybeDeferred
from twisted.internet.endpoints import TCP4ClientEndpoint
from twisted.internet.protocol import Factory, Protocol

from netlab.cache.gateway import Gateway, ReverseProxy
from netlab.cache.policy import Options
from netlab.cache.store import open_store
from netlab.http import HttpLimits, HttpServer
from netlab.http.fetching import Fetcher, FetchLimits
from tests.http.support import Answer, answers
from tests.transport.support import LOOPBACK, Lines, Peer, TransportCase, Watch, eventually, reactor

END = b"\r\n\r\n"
CROWD = 1000


class Conversation(Protocol):
    """A connection to the origin."""

    transport: Any

    def __init__(self, origin: RawOrigin) -> None:
        self.origin = origin
        self.received = bytearray()

    def dataReceived(self, data: bytes) -> None:
        self.received += data
        while END in self.received:
            head, _, rest = bytes(self.received).partition(END)
            length = re.search(rb"(?i)\r\ncontent-length: *([0-9]+)", head)
            size = int(length[1]) if length else 0
            if len(rest) < size:
                return
            self.received = bytearray(rest[size:])
            self.origin.requests.append(head + END + rest[:size])
            self.origin.changed()
            self.origin.answer(self, head.split()[1].decode())

    def say(self, *lines: str, content: bytes = b"", status: str = "200 OK") -> None:
        """An answer with its length."""
        self.head(*lines, f"Content-Length: {len(content)}", status=status)
        self.transport.write(content)

    def head(self, *lines: str, status: str = "200 OK") -> None:
        head = "\r\n".join([f"HTTP/1.1 {status}", *lines])
        self.transport.write(head.encode("latin-1") + END)


class RawOrigin(Watch, Factory):
    """An origin; ``answer`` is called with the connection and the target of each request."""

    noisy = False

    def __init__(self) -> None:
        super().__init__()
        self.requests: list[bytes] = []
        self.answer: Callable[[Conversation, str], None] = lambda to, _: to.say(content=b"?")

    def buildProtocol(self, _: object) -> Conversation:
        return Conversation(self)


class LoopbackCase(TransportCase):
    async def start(self, **options: Any) -> None:
        """All of it."""
        self.origin = RawOrigin()
        port = reactor.listenTCP(0, self.origin, interface="127.0.0.1", backlog=256)
        self.origin_port = port
        self.store = open_store(self.folder / "cache", told=self.fail)
        limits = FetchLimits(head_timeout=5.0)
        self.fetcher = Fetcher(reactor=reactor, limits=limits)
        self.gateway = Gateway(self.store, self.fetcher.fetch, reactor=reactor, **options)
        proxy = ReverseProxy(self.gateway, f"http://127.0.0.1:{port.getHost().port}")
        self.http = HttpServer(
            proxy,
            reactor=reactor,
            limits=HttpLimits(max_connections=CROWD + 24, max_per_address=None),
        )
        self.servers.append(self.http)
        listening = await self.http.listen(LOOPBACK)
        self.port = listening.getHost().port
        self.addCleanup(self._end)

    async def _end(self) -> None:
        if self.http in self.servers:
            await self.stop(self.http)
        self.assertEqual(list(self.gateway._flights), [])
        self.gateway.close()
        await self.fetcher.close()
        await maybeDeferred(self.origin_port.stopListening)
        self.store.close()

    def connect(self) -> Deferred[Peer]:
        endpoint = TCP4ClientEndpoint(reactor, "127.0.0.1", self.port, timeout=20)
        connecting: Deferred[Any] = endpoint.connect(Factory.forProtocol(Peer))
        return connecting

    async def ask(
        self, target: str, *lines: str, method: str = "GET", host: str = "x", body: bytes = b""
    ) -> Answer:
        """An answer, read to the end of the connection."""
        peer = await self.send(target, *lines, method=method, host=host, body=body)
        await peer.until(lambda: peer.over)
        if peer.lost is None:
            peer.transport.loseConnection()
            await peer.until(lambda: peer.lost is not None)
        heads = (0,) if method == "HEAD" else ()
        (answer,) = answers(bytes(peer.received), heads=heads)
        return answer

    async def send(
        self, target: str, *lines: str, method: str = "GET", host: str = "x", body: bytes = b""
    ) -> Peer:
        """A client that has asked."""
        peer = await self.connect()
        framing = [f"Content-Length: {len(body)}"] if body else []
        head = [f"{method} {target} HTTP/1.1", f"Host: {host}", "Connection: close"]
        peer.transport.write("\r\n".join([*head, *framing, *lines]).encode() + END + body)
        return peer

    def at_first(self, *lines: str, content: bytes = b"document") -> None:
        """The origin says this."""
        self.origin.answer = lambda to, _: to.say(*lines, content=content)


class Crowd(LoopbackCase):
    def allow_descriptors(self, count: int) -> None:
        """Both ends of all connections are in this process."""
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if soft != resource.RLIM_INFINITY and soft < count:
            resource.setrlimit(resource.RLIMIT_NOFILE, (count, hard))
            self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))

    async def test_one_request(self) -> None:
        """1,000 concurrent misses of one document are one request; all get all of it."""
        self.allow_descriptors(2 * CROWD + 200)
        await self.start()
        asked: list[Conversation] = []
        self.origin.answer = lambda to, _: asked.append(to)
        content = bytes(range(256)) * 200
        peers: list[Peer] = []
        for _ in range(CROWD // 100):
            peers += await gatherResults(
                [Deferred.fromCoroutine(self.send("/document")) for _ in range(100)]
            )
        await eventually(lambda: self.http.stats.messages_in == CROWD and bool(asked))
        (to,) = asked
        to.head("Cache-Control: max-age=60", f"Content-Length: {len(content)}")
        for at in range(0, len(content), 20_000):
            to.transport.write(content[at : at + 20_000])
        for peer in peers:
            await peer.until(partial(getattr, peer, "over"))
        self.assertEqual(len(self.origin.requests), 1)
        for peer in peers:
            (answer,) = answers(bytes(peer.received))
            self.assertTrue(answer.status == 200 and answer.whole and answer.body == content)
            peer.transport.abortConnection()
        hit = await self.ask("/document")
        self.assertIn("netlab;hit", hit.fields.get("cache-status") or "")
        self.assertEqual((hit.body, len(self.origin.requests)), (content, 1))


class Failing(LoopbackCase):
    async def test_dies_in_the_middle(self) -> None:
        """The client can tell, however the answer was framed; nothing of it is stored."""
        await self.start()
        log = Lines(self)

        def die(to: Conversation, target: str) -> None:
            framing = {"/length": "Content-Length: 9999", "/chunks": "Transfer-Encoding: chunked"}
            to.head("Cache-Control: max-age=60", framing[target])
            to.transport.write(b"4\r\nhalf\r\n" if target == "/chunks" else b"half")
            to.transport.loseConnection()

        self.origin.answer = die
        for target in ("/length", "/chunks"):
            answer = await self.ask(target)
            self.assertEqual((answer.status, answer.whole), (200, False))
            uri = f"http://127.0.0.1:{self.origin_port.getHost().port}{target}"
            self.assertEqual(self.store.entries(uri), ())
        self.assertEqual(len(log.with_("in the middle of")), 2)
        self.assertEqual(log.with_("incident"), [])
        self.assertEqual(self.store.stats.entries, 0)

    async def test_down(self) -> None:
        """Something stale; and an error that says why where there is nothing."""
        await self.start(options=Options(stale_if_error=600))
        self.at_first("Cache-Control: max-age=0", 'ETag: "1"')
        self.assertEqual((await self.ask("/a")).body, b"document")
        await maybeDeferred(self.origin_port.stopListening)
        await self.fetcher.close()
        self.fetcher = Fetcher(reactor=reactor)
        self.gateway._upstream._fetch = self.fetcher.fetch
        stale = await self.ask("/a")
        self.assertEqual((stale.status, stale.body), (200, b"document"))
        self.assertIn("error=connection_refused", stale.fields.get("proxy-status") or "")
        again = await self.ask("/a")
        self.assertRegex(again.fields.get("cache-status") or "", r"^netlab;hit;ttl=-?[0-9]+$")
        other = await self.ask("/b")
        self.assertEqual(other.status, 502)
        self.assertIn("error=connection_refused", other.fields.get("proxy-status") or "")

    async def test_no_http(self) -> None:
        await self.start()
        self.origin.answer = lambda to, _: to.transport.write(b"SSH-2.0-OpenSSH_9.9\r\n")
        answer = await self.ask("/a")
        self.assertEqual(answer.status, 502)
        self.assertIn("error=http_protocol_error", answer.fields.get("proxy-status") or "")

    async def test_client_goes_away(self) -> None:
        """What cannot be stored is not fetched for nobody."""
        await self.start()
        lost: Deferred[None] = Deferred()

        def answer(to: Conversation, _: str) -> None:
            to.connectionLost = lambda reason=None: lost.callback(None)  # type: ignore[method-assign]
            to.head("Cache-Control: no-store", "Content-Length: 9999")
            to.transport.write(b"some")

        self.origin.answer = answer
        peer = await self.send("/a")
        await peer.until(lambda: b"some" in peer.received)
        peer.transport.abortConnection()
        await lost


class Whole(LoopbackCase):
    async def test_posting(self) -> None:
        """Bodies pass both ways; what is stored of the resource goes."""
        await self.start()
        self.at_first("Cache-Control: max-age=60")
        await self.ask("/a")
        self.assertEqual((await self.ask("/a", method="HEAD")).status, 200)
        self.assertEqual(len(self.origin.requests), 1)
        body = b"x" * 200_000
        posted = await self.ask("/a", method="POST", body=body)
        self.assertEqual(posted.status, 200)
        self.assertTrue(self.origin.requests[-1].endswith(body))
        await self.ask("/a")
        self.assertEqual(len(self.origin.requests), 3)

    async def test_no_length(self) -> None:
        """An answer that ends with its connection is stored as well, and has a length then."""
        await self.start()

        def answer(to: Conversation, _: str) -> None:
            to.head("Cache-Control: max-age=60", "Connection: close")
            to.transport.write(b"to the end")
            to.transport.loseConnection()

        self.origin.answer = answer
        first, second = await self.ask("/a"), await self.ask("/a")
        self.assertEqual((first.body, second.body), (b"to the end", b"to the end"))
        self.assertEqual(first.fields.get("transfer-encoding"), "chunked")
        self.assertEqual(second.fields.get("content-length"), "10")

    async def test_part_of_a_large_document(self) -> None:
        await self.start()
        content = bytes(range(256)) * 8192  # more than is kept in memory
        self.at_first("Cache-Control: max-age=60", content=content)
        self.assertEqual((await self.ask("/a")).body, content)
        part = await self.ask("/a", "Range: bytes=1000000-1000009")
        self.assertEqual((part.status, part.body), (206, content[1000000:1000010]))
        self.assertEqual(len(self.origin.requests), 1)


class Hostile(LoopbackCase):
    def believing(self, to: Conversation, target: str) -> None:
        """An origin that believes what proxies tell it, and writes it into its page."""
        request = self.origin.requests[-1]
        told = re.findall(rb"(?im)^(?:x-forwarded-host|x-original-url|host): ([^\r]*)", request)
        to.say("Cache-Control: max-age=60", content=b" ".join([target.encode(), *told]))

    async def test_poisoning(self) -> None:
        """Nothing that is no part of the key changes what others get."""
        await self.start()
        self.origin.answer = self.believing
        evil = await self.ask(
            "/a",
            *("X-Forwarded-Host: evil.example", "X-Original-URL: /admin", "X-Host: evil.example"),
            *("Forwarded: host=evil.example", "X-Forwarded-Scheme: nothttps"),
            host="evil.example",
        )
        self.assertNotIn(b"evil", evil.body)
        self.assertNotIn(b"evil", self.origin.requests[0])
        for host in ("x", "X:80", "other.example", "evil.example"):
            good = await self.ask("/a", host=host)
            self.assertEqual(good.body, evil.body)
        self.assertEqual(len(self.origin.requests), 1)
        whole = await self.ask("http://evil.example/a")
        self.assertEqual((whole.body, len(self.origin.requests)), (evil.body, 1))
        twice = await self.ask("/a?u=1&u=2")
        self.assertEqual(twice.body.split()[0], b"/a?u=1&u=2")
        self.assertEqual((await self.ask("/a?u=1")).body.split()[0], b"/a?u=1")

    async def test_deception(self) -> None:
        """A path that looks like a style sheet is no reason to store what is somebody's."""
        await self.start()

        def account(to: Conversation, _: str) -> None:
            mine = b"secret" if b"Cookie: id=victim" in self.origin.requests[-1] else b"log in"
            to.say(*self.lines, content=mine)

        self.origin.answer = account
        for lines in (
            [],
            ["Content-Type: text/css"],
            ["Cache-Control: private"],
            ["Cache-Control: no-store"],
            ["Cache-Control: max-age=60, private"],
        ):
            self.lines = lines
            for target in ("/account/x.css", "/account;x.js", "/account%2fx.css", "/account?x.png"):
                victim = await self.ask(target, "Cookie: id=victim")
                self.assertEqual(victim.body, b"secret")
                self.assertEqual((await self.ask(target)).body, b"log in")
        self.assertEqual(self.store.stats.entries, 0)

    async def test_another_host_by_the_target(self) -> None:
        await self.start()
        for target in ("x:.evil.example/", "x:@evil.example/"):
            self.assertEqual((await self.ask(target)).status, 400)
        self.assertEqual(self.origin.requests, [])
