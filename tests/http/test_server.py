"""Servers on loopback: known clients, raw sockets, TLS, UNIX sockets, and hostile clients."""

from __future__ import annotations

import http.client
import shutil
import socket
import subprocess
import tempfile
import urllib.request
from pathlib import Path
from typing import Any

from twisted.application.service import IService
from twisted.trial.unittest import SkipTest, SynchronousTestCase

from netlab.errors import ConfigurationError, ListenFailed
from netlab.http import (
    Access,
    FileBody,
    HttpServer,
    Request,
    Response,
    combined,
    serve,
)
from netlab.http import server as server_module
from netlab.http.server import handler_of
from netlab.transport import Limits
from netlab.transport.service import ServerService
from tests.transport.support import (
    LOOPBACK,
    TWISTED_USES_X509,
    Foreign,
    TransportCase,
    dial,
    eventually,
    in_thread,
    reactor,
    read_all,
)
from tests.transport.tls import TLSCase

from .loopback import LARGE, HttpCase, everything, talk
from .support import GET, answers, get, hello

pytestmark = TWISTED_USES_X509


class Handlers(SynchronousTestCase):
    def test_kinds(self) -> None:
        class Hello:
            def handle(self, request: Request) -> Response:
                return hello(request)

        for each in (hello, Hello(), Hello().handle, lambda request: Response()):
            found: Any = handler_of(each)(Request("GET", "/"))
            self.assertEqual(found.status, 200)
        wrong: Any
        for wrong in (None, 5, "hello", Hello, object()):
            with self.assertRaisesRegex(ConfigurationError, "cannot be served"):
                handler_of(wrong)

    def test_wrong_limits(self) -> None:
        with self.assertRaisesRegex(ConfigurationError, "HttpLimits"):
            HttpServer(hello, reactor=reactor, limits=Limits())  # type: ignore[arg-type]


class Clients(HttpCase):
    """Programs that others wrote."""

    async def test_http_client(self) -> None:
        port = await self.start()

        def ask() -> None:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
            for method, target, body, headers, wanted in (
                ("GET", "/a", None, {}, b"/a"),
                ("POST", "/length", LARGE, {}, b"2097152"),
                ("POST", "/length", iter([b"a", b"bc", LARGE]), {}, b"2097155"),  # in chunks
                ("PUT", "/echo", LARGE, {}, LARGE),
                ("HEAD", "/large", None, {}, b""),
                ("GET", "/large", None, {}, LARGE),
                ("GET", "/stream", None, {}, LARGE),
                ("POST", "/wait", b"x" * 100_000, {}, b"/wait"),
                ("OPTIONS", "*", None, {}, b"*"),
                ("GET", "/z", None, {"Connection": "close"}, b"/z"),
            ):
                connection.request(method, target, body, headers)
                response = connection.getresponse()
                self.assertEqual((response.status, response.read()), (200, wanted), target)
                used.add(connection.sock and connection.sock.getsockname())
            connection.close()

        used: set[Any] = set()
        await in_thread(ask)
        self.assertEqual(len(used - {None}), 1)  # one connection did it all
        self.assertEqual(self.http.stats.responses, {"2xx": 10})
        self.assertEqual(self.http.stats.errors, {})

    async def test_urllib(self) -> None:
        """As a proxy: an absolute-form target, kept as it is (RFC 9112, 3.2.2)."""
        port = await self.start()

        def ask() -> bytes:
            proxy = urllib.request.ProxyHandler({"http": f"http://127.0.0.1:{port}"})
            opener = urllib.request.build_opener(proxy)
            with opener.open("http://www.ietf.example/rfc/rfc2324.txt", timeout=20) as response:
                body: bytes = response.read()
                return body

        self.assertEqual(await in_thread(ask), b"http://www.ietf.example/rfc/rfc2324.txt")

    async def test_by_hand(self) -> None:
        """A request as a student writes it, with ``Connection: close``."""
        port = await self.start()
        data = b"GET /a HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        for end in (False, True):
            (answer,) = answers(await in_thread(lambda end=end: talk(port, data, end=end)))
            self.assertEqual((answer.status, answer.body), (200, b"/a"))

    async def test_curl(self) -> None:
        if shutil.which("curl") is None:
            raise SkipTest("curl is not here")
        port = await self.start()
        url = f"http://127.0.0.1:{port}"
        upload = self.folder / "upload"
        upload.write_bytes(LARGE)

        def curl(*arguments: str, data: bytes | None = None) -> bytes:
            done = subprocess.run(
                ["curl", "-sS", "-m", "20", "--noproxy", "*", *arguments],
                input=data,
                capture_output=True,
            )
            self.assertEqual((done.returncode, done.stderr), (0, b""))
            return done.stdout

        def ask() -> None:
            self.assertEqual(curl(f"{url}/a?b"), b"/a?b")
            self.assertEqual(curl(f"{url}/a", f"{url}/b", f"{url}/c"), b"/a/b/c")
            self.assertEqual(curl("--http1.0", f"{url}/stream"), LARGE)
            self.assertEqual(curl(f"{url}/stream"), LARGE)
            # curl waits for 100 (Continue) before a megabyte.
            self.assertEqual(curl("-T", str(upload), f"{url}/length"), b"2097152")
            self.assertEqual(curl("--data-binary", f"@{upload}", f"{url}/echo"), LARGE)
            chunked = ("-H", "Transfer-Encoding: chunked", "--data-binary", "@-")
            self.assertEqual(curl(*chunked, f"{url}/length", data=LARGE), b"2097152")
            # It would like HTTP/2; it gets what it asked for, in HTTP/1.1.
            self.assertEqual(curl("--http2", "-d", "abc", f"{url}/length"), b"3")
            self.assertEqual(curl("-X", "BREW", f"{url}/pot"), b"/pot")
            head = curl("-I", f"{url}/large").decode()
            self.assertIn("Content-Length: 2097152\r\n", head)
            proxied = curl("--noproxy", "", "-x", url, "http://a.example/b")
            self.assertEqual(proxied, b"http://a.example/b")

        await in_thread(ask)
        self.assertEqual(self.http.stats.errors, {})

    async def test_foreign_port(self) -> None:
        """Endpoints that others wrote."""
        port = await self.start(endpoint=Foreign())
        received = await in_thread(talk, port, get("/large", "Connection: close"))
        self.assertEqual(answers(received)[0].body, LARGE)


class Encrypted(TLSCase, HttpCase):
    async def test_tls(self) -> None:
        seen: list[Request] = []

        def handle(asked: Request) -> Response:
            seen.append(asked)
            return Response(200, [], LARGE)

        port = await self.start(handle, self.endpoint)

        def ask() -> bytes:
            with self.dial(port) as sock:
                sock.sendall(GET + get("/", "Connection: close"))
                return read_all(sock)

        first, second = answers(await in_thread(ask))
        self.assertEqual((first.body, second.body), (LARGE, LARGE))
        self.assertEqual([each.scheme for each in seen], ["https", "https"])

    async def test_plain_to_tls(self) -> None:
        """TLS on a plain port is told so, as far as it can be."""
        port = await self.start()
        received = await in_thread(talk, port, bytes.fromhex("16030102000100"))
        (answer,) = answers(received)
        self.assertEqual(answer.status, 400)
        self.assertIn(b"TLS ClientHello", answer.body)


class Endpoints(HttpCase):
    async def test_unix(self) -> None:
        path = self.folder / "socket"
        entries: list[Access] = []
        await self.start(endpoint=f"unix:{path}", access_log=entries.append)

        def ask() -> bytes:
            with socket.socket(socket.AF_UNIX) as sock:
                sock.connect(str(path))
                sock.sendall(get("/a", "Connection: close"))
                return read_all(sock)

        (answer,) = answers(await in_thread(ask))
        self.assertEqual(answer.body, b"/a")
        self.assertTrue(combined(entries[0]).startswith("unix - - ["))

    async def test_file(self) -> None:
        path = self.folder / "file"
        path.write_bytes(LARGE)

        def handle(asked: Request) -> Response:
            return Response(200, [], FileBody(path, 5, 1_000_000))

        port = await self.start(handle)
        received = await in_thread(talk, port, GET + GET)
        self.assertEqual([each.body for each in answers(received)], [LARGE[5:1_000_005]] * 2)

    async def test_prepared(self) -> None:
        """The quick way, through the batches of the hub."""
        ready = {size: Response.prepared(200, [], b"x" * size) for size in (10, 50_000, 500_000)}

        def handle(asked: Request) -> Response:
            return ready[int(asked.path[1:])]

        port = await self.start(handle)

        def ask() -> None:
            connections = [http.client.HTTPConnection("127.0.0.1", port) for _ in range(8)]
            for size in (10, 50_000, 500_000, 10):
                for each in connections:
                    each.request("GET", f"/{size}")
                for each in connections:
                    self.assertEqual(len(each.getresponse().read()), size)
            for each in connections:
                each.close()

        await in_thread(ask)
        self.assertEqual(self.http.stats.messages_out, 32)
        self.assertEqual(self.http.stats.responses, {"2xx": 32})


class Stopping(HttpCase):
    async def test_service(self) -> None:
        """As ``ServerService`` runs it: it drains, and a busy port is an error."""
        made: list[HttpServer] = []

        def make() -> HttpServer:
            made.append(HttpServer(everything, reactor=reactor))
            return made[-1]

        service = ServerService("http", make, [LOOPBACK])
        self.assertTrue(IService.providedBy(service))
        service.privilegedStartService()
        service.startService()
        address: Any = made[0].addresses[0]
        port = address.port
        with self.assertRaises(ListenFailed):
            await HttpServer(everything, reactor=reactor).listen(f"tcp:{port}:interface=127.0.0.1")
        with dial(port) as sock:
            sock.sendall(get("/wait"))
            await eventually(lambda: made[0].stats.bytes_in > 0)
            stopped = service.stopService()
            (answer,) = answers(await in_thread(read_all, sock))
            self.assertEqual((answer.body, answer.fields.get("connection")), (b"/wait", "close"))
        await stopped

    async def test_at_once(self) -> None:
        port = await self.start()
        with dial(port) as sock:
            sock.sendall(get("/slow"))
            await eventually(lambda: self.http.stats.bytes_in > 0)
            self.servers.remove(self.http)
            await self.http.stop(0)
            with self.assertRaises(OSError):
                await in_thread(read_all, sock)


class Serve(TransportCase):
    async def test_context(self) -> None:
        async with serve(hello, LOOPBACK, reactor=reactor) as server:
            address: Any = server.addresses[0]
            port = address.port
            received = await in_thread(talk, port, get("/a"))
            self.assertEqual(answers(received)[0].body, b"/a\n")
        with self.assertRaises(OSError):
            dial(port)

    async def test_global_reactor(self) -> None:
        server = await serve(hello, LOOPBACK)
        self.assertEqual(len(server.addresses), 1)
        await server.stop()

    async def test_default_port(self) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            free = probe.getsockname()[1]
        self.patch(server_module, "DEFAULT_PORT", free)
        async with serve(hello, reactor=reactor) as server:
            addresses: list[Any] = server.addresses
            self.assertEqual({each.port for each in addresses}, {free})
            self.assertIn(addresses[0].host, ("127.0.0.1", "::1"))

    async def test_failing(self) -> None:
        """One endpoint that does not work: none is left listening."""
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            busy = f"tcp:{taken.getsockname()[1]}:interface=127.0.0.1"
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder) / "socket"
                with self.assertRaises(ListenFailed):
                    await serve(hello, f"unix:{path}", busy, reactor=reactor)
                self.assertFalse(path.exists())
        with self.assertRaises(ConfigurationError):
            await serve(hello, "nonsense:", reactor=reactor)
