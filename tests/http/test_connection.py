"""Connections: order, keep-alive, and what is refused. In memory."""

from __future__ import annotations

from netlab.http import HttpLimits, Request, Response, dates
from netlab.testing import Faults

from .support import (
    GET,
    ServingCase,
    Waiting,
    answers,
    get,
    hello,
    logged,
    request,
)

CLOSE = ("Connection: close",)


class Requests(ServingCase):
    def test_one(self) -> None:
        link = self.serve()
        answer = link.one(get("/a"))
        self.assertEqual((answer.status, answer.reason, answer.body), (200, "OK", b"/a\n"))
        names = ("Content-Type", "Content-Length", "Date", "Server")
        self.assertEqual(tuple(name for name, _ in answer.fields), names)

    def test_what_a_handler_sees(self) -> None:
        seen: list[Request] = []

        def handle(request: Request) -> Response:
            seen.append(request)
            self.assertEqual(repr(request.peer).count("127.0.0.1"), 1)
            return Response()

        link = self.serve(handle)
        link.ask(
            get("/a?b", "X: y"),
            get("http://h:1/c?d"),
            request("OPTIONS", "*", "Host: x"),
            request("BREW", "/", "Host: x"),
            request("GET", "/", version="1.0"),
        )
        self.assertEqual(
            [(r.method, r.target, r.path, r.query, r.authority, r.version) for r in seen],
            [
                ("GET", "/a?b", "/a", "b", "x", (1, 1)),
                ("GET", "http://h:1/c?d", "/c", "d", "h:1", (1, 1)),
                ("OPTIONS", "*", "*", "", "x", (1, 1)),
                ("BREW", "/", "/", "", "x", (1, 1)),
                ("GET", "/", "/", "", "", (1, 0)),
            ],
        )
        self.assertEqual(seen[0].fields.get("x"), "y")
        self.assertEqual({each.scheme for each in seen}, {"http"})

    def test_raw_fields(self) -> None:
        """The same object, for as long as a client says the same."""
        seen: list[Request] = []

        def handle(request: Request) -> Response:
            seen.append(request)
            return Response()

        link = self.serve(handle)
        peer = link.connect_raw()
        targets = ("/a", "/b?c", "http://h/d", "https://h/e", "/f")
        for target in targets:
            peer.send(get(target, "A: b"))
        peer.send(get("/", "A: c"))
        raw = [each.raw_fields for each in seen]
        self.assertEqual(raw[0], b"Host: x\r\nA: b\r\n\r\n")
        for each in raw[1:-1]:
            self.assertIs(each, raw[0])
        self.assertEqual(raw[-1], b"Host: x\r\nA: c\r\n\r\n")

    def test_object(self) -> None:
        """A handler may be an object."""

        class Hello:
            def handle(self, request: Request) -> Response:
                return hello(request)

        self.assertEqual(self.serve(Hello()).one(get("/a")).body, b"/a\n")

    def test_prepared(self) -> None:
        """A prepared response is the same as any other to those who ask."""
        fields = [("ETag", '"x"')]
        for body in (b"", b"x" * 1500, b"x" * 70_000, b"x" * 500_000):
            ready, plain = Response.prepared(200, fields, body), Response(200, fields, body)
            for asked in (
                [get("/")],
                [get("/"), get("/", "Accept: a"), get("/")],
                [get("/", *CLOSE)],
                [request("HEAD", "/", "Host: x")],
                [get("/", version="1.0")],
                [get("/", "Connection: keep-alive", version="1.0")],
                [request("POST", "/", "Host: x", "Content-Length: 3") + b"abc"],
            ):
                heads = (0,) if asked[0].startswith(b"HEAD") else ()
                found = []
                for response in (ready, plain):
                    link = self.serve(lambda request, response=response: response)
                    found.append(
                        [
                            (
                                each.status,
                                each.body,
                                each.whole,
                                sorted(each.fields.without("date")),
                            )
                            for each in link.ask(*asked, heads=heads)
                        ]
                    )
                self.assertEqual(found[0], found[1], asked)
                self.assertEqual(len(found[0]), len(asked))

    def test_prepared_again(self) -> None:
        """Its date is that of each answer, not that of the first."""
        ready = Response.prepared(200, [], b"x")
        link = self.serve(lambda request: ready)
        now = [784111777.0]
        self.patch(dates, "time", lambda: now[0])
        peer = link.connect_raw()
        for _ in range(3):
            peer.send(GET)
            now[0] += 1
        found = [each.fields.get("date") or "" for each in answers(bytes(peer.received))]
        self.assertEqual([each[-6:] for each in found], ["37 GMT", "38 GMT", "39 GMT"])

    def test_prepared_and_pipelined(self) -> None:
        """A large one, to a client that asks on and reads late."""
        ready = Response.prepared(200, [], b"x" * 500_000)
        link = self.serve(lambda request: ready, faults=Faults(capacity=100_000))
        peer = link.connect_raw()
        peer.pause()
        peer.send(GET * 5)
        link.advance(1)
        self.assertEqual(link.stats.messages_out, 1)
        peer.resume()
        link.advance(20)
        self.assertEqual(self.statuses(peer), [200] * 5)
        self.assertEqual((link.stats.messages_in, link.stats.messages_out), (5, 5))
        self.assertEqual(link.stats.responses, {"2xx": 5})

    def test_counted(self) -> None:
        ready = Response.prepared(200, [], b"x")

        def handle(request: Request) -> Response:
            status = int(request.path[1:])
            return ready if status == 200 else Response(status)

        link = self.serve(handle)
        link.ask(*[get(f"/{status}") for status in (200, 200, 204, 304, 404, 503, 799)], b"x")
        self.assertEqual(link.stats.responses, {"2xx": 3, "3xx": 1, "4xx": 2, "5xx": 1, "7xx": 1})
        self.assertEqual((link.stats.messages_in, link.stats.messages_out), (7, 8))
        self.assertEqual(link.stats.as_dict()["responses"]["2xx"], 3)
        self.assertGreater(link.stats.bytes_out, 0)
        self.assertGreater(link.stats.handler_seconds, 0)
        self.assertEqual(link.stats.errors, {"bad_request": 1})


class KeepAlive(ServingCase):
    """RFC 9112, 9.3."""

    def test_persistence(self) -> None:
        for head, kept, said in (
            (get("/"), True, None),
            (get("/", *CLOSE), False, "close"),
            (get("/", version="1.0"), False, "close"),
            (get("/", "Connection: keep-alive", version="1.0"), True, "keep-alive"),
            (get("http://x/", "Connection: keep-alive", version="1.0"), False, "close"),
        ):
            link = self.serve()
            peer = link.connect_raw()
            peer.send(head)
            (answer,) = answers(bytes(peer.received))
            self.assertEqual(answer.fields.get("connection"), said)
            self.assertEqual(peer.ended, not kept)
            if kept:
                peer.send(get("/again", *CLOSE))
                self.assertEqual(answers(bytes(peer.received))[1].body, b"/again\n")
                self.assertTrue(peer.ended)
            self.assertEqual(link.stats.errors, {})

    def test_after_close(self) -> None:
        """Nothing is read behind a request that said it is the last (9.6)."""
        handler = Waiting()
        link = self.serve(handler)
        peer = link.connect_raw()
        peer.send(get("/1", *CLOSE) + get("/2"))
        peer.send(get("/3"))
        handler.waiting[0].callback(Response())
        link.advance()
        self.assertEqual(self.statuses(peer), [200])
        self.assertEqual(len(handler.requests), 1)

    def test_handler_closes(self) -> None:
        link = self.serve(lambda request: Response(200, [("Connection", "close")]))
        peer = link.connect_raw()
        peer.send(GET + GET)
        self.assertEqual(self.statuses(peer), [200])
        self.assertTrue(peer.ended)

    def test_empty_lines(self) -> None:
        """Some old clients send them behind a body (2.2)."""
        link = self.serve()
        for data in (b"\r\n" + GET, b"\r\n\r\n\r\n" + GET, GET + b"\r\n\r\n" + GET):
            self.assertEqual(
                [each.status for each in link.ask(data)], [200] * data.count(b"GET"), data
            )
        peer = link.connect_raw()
        for octet in b"\r\n\r\n" + GET:
            peer.send(bytes([octet]))
        self.assertEqual(self.statuses(peer), [200])

    def test_empty_lines_are_no_request(self) -> None:
        """They do not start the clock of a head."""
        link = self.serve(limits=HttpLimits(idle_timeout=75, frame_timeout=10))
        peer = link.connect_raw()
        peer.send(b"\r\n\r\n")
        link.advance(60)
        self.assertFalse(peer.gone)
        link.advance(30)
        self.assertTrue(peer.ended)
        self.assertEqual(peer.received, b"")


class Pipelining(ServingCase):
    """RFC 9112, 9.3.2."""

    def test_in_order(self) -> None:
        """The second handler is asked when the first response is written."""
        handler = Waiting()
        link = self.serve(handler)
        peer = link.connect_raw()
        peer.send(get("/1") + get("/2") + get("/3"))
        for number in range(3):
            self.assertEqual(len(handler.waiting), number + 1)
            handler.waiting[number].callback(Response(200, [], b"%d" % number))
            link.advance()
        self.assertEqual([each.body for each in answers(bytes(peer.received))], [b"0", b"1", b"2"])

    def test_many(self) -> None:
        """More than a turn's budget; other connections have their turn in between."""
        order: list[str] = []

        def handle(request: Request) -> Response:
            order.append(request.target)
            return Response(200, [], request.target.encode())

        link = self.serve(handle, faults=Faults(capacity=1 << 20))
        first, second = link.connect_raw(), link.connect_raw()
        data = b"".join(get(f"/{n}") for n in range(1000))
        first.socket.send(data)
        second.socket.send(get("/other"))
        link.advance(1)
        bodies = [each.body for each in answers(bytes(first.received))]
        self.assertEqual(bodies, [b"/%d" % n for n in range(1000)])
        self.assertLess(order.index("/other"), 500)

    def test_bounded(self) -> None:
        """While a handler is busy, what a client sends ahead stays where it is."""
        handler = Waiting()
        link = self.serve(handler)
        peer = link.connect_raw()
        peer.send(GET)
        with self.assertRaises(AssertionError):  # "the server takes no more"
            for _ in range(200):
                peer.send(GET * 100)
        (stream,) = link.server.streams.streams
        self.assertLess(len(stream.receiver._buffer), 128 * 1024)
        self.assertEqual(len(handler.requests), 1)

    def test_reader_that_does_not_read(self) -> None:
        """Answers are made for those that take them."""
        served = []

        def handle(request: Request) -> Response:
            served.append(request)
            return Response(200, [], b"x" * 50_000)

        limits = HttpLimits(write_timeout=20)
        link = self.serve(handle, limits=limits, faults=Faults(capacity=50_000))
        peer = link.connect_raw()
        peer.pause()
        peer.socket.send(GET * 500)
        link.advance(5)
        self.assertLess(len(served), 5)
        (stream,) = link.server.streams.streams
        self.assertLess(stream.buffered, 200_000)
        peer.resume()
        link.advance(5)
        self.assertEqual(len(answers(bytes(peer.received))), 500)
        peer.pause()
        peer.socket.send(GET * 500)
        link.advance(30)
        self.assertEqual(link.stats.errors, {"write_timeout": 1})

    def test_error_behind_answers(self) -> None:
        """What is wrong with the third request is said third."""
        handler = Waiting()
        link = self.serve(handler)
        peer = link.connect_raw()
        peer.send(get("/1") + get("/2") + b"nonsense\r\n\r\n" + get("/4"))
        handler.waiting[0].callback(Response(201))
        link.advance()
        handler.waiting[1].callback(Response(202))
        link.advance()
        self.assertEqual(self.statuses(peer), [201, 202, 400])
        self.assertTrue(peer.ended)


class Refused(ServingCase):
    """What cannot be served is told so, then the connection is closed."""

    def test_said(self) -> None:
        for data, status in (
            (b"GET /\r\n\r\n", 400),
            (request("GET", "/"), 400),
            (get("/", *[f"A{n}: b" for n in range(100)]), 431),
            (get("/", "A: " + "b" * 40_000), 431),
            (get("/" + "a" * 8192), 414),
            (get("/" + "a" * 100_000), 414),
            (get("/", "Host: x"), 400),
            (get("/", "A: b\x01"), 400),
            (get("/", "A: b\r\n c"), 400),
            (get("/", "Content-Length: 3", "Transfer-Encoding: chunked"), 400),
            (get("/", "Content-Length: 3", "Transfer-Encoding: identity"), 400),
            (get("/", "Transfer-Encoding: chunked", version="1.0"), 400),
            (get("/", "Content-Length: " + "9" * 5000), 413),
            (get("/", "Expect: x"), 417),
            (request("CONNECT", "x:1", "Host: x:1"), 501),
            (request("PRI", "*", version="2.0") + b"SM\r\n\r\n", 505),
            (request("PUT", "/", "Host: x", "Content-Length: 99999999"), 413),
            (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
        ):
            link = self.serve(faults=Faults(capacity=1 << 20))
            peer = link.connect_raw()
            peer.socket.send(data)
            link.advance(3)
            (answer,) = answers(bytes(peer.received))
            self.assertEqual(answer.status, status, data[:50])
            self.assertEqual(answer.fields.get("content-type"), "text/plain; charset=utf-8")
            self.assertEqual(answer.fields.get("connection"), "close")
            self.assertTrue(answer.body.startswith(b"%d " % status))
            self.assertLess(len(answer.body), 200)
            self.assertTrue(peer.ended)
            self.assertEqual(link.stats.errors, {"bad_request": 1})
            self.assertEqual(link.stats.messages_in, 0)

    def test_nothing_is_reflected(self) -> None:
        """Whatever the client sends, it does not come back."""
        for data in (
            b"GET /<script> HTTP/1.1\r\n\r\n",
            b"<script> / HTTP/1.1\r\nHost: x\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost: x\r\n<script>: b\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost: <script>\r\n\r\n",
            b"GET / <script>\r\nHost: x\r\n\r\n",
        ):
            self.assertNotIn(b"script", self.serve().one(data).body)

    def test_partly(self) -> None:
        """A head that can only be bad is refused before its end comes."""
        for data in (
            b"GET / HTTP/1.0\n",
            b"\0",
            b"GET /" + b"a" * 9000,
            b"GET / HTTP/1.1\r\nA: b\n",
            b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 6000,
        ):
            link = self.serve()
            peer = link.connect_raw()
            peer.send(data)
            self.assertEqual(len(self.statuses(peer)), 1, data[:50])

    def test_logged(self) -> None:
        with logged("connection from") as lines:
            self.serve().one(b"GET / HTTP/1.1\r\n\x1b[2J: x\r\n\r\n")
        self.assertEqual(len(lines), 1)
        self.assertIn("400: line 2 has a control character", lines[0])
