from __future__ import annotations

import gzip
import socket
import ssl
from collections.abc import Sequence
from unittest import mock

import trustme
from twisted.trial.unittest import SynchronousTestCase

import netlab.rfc.asking as module
from netlab.fields import Fields
from netlab.rfc import answers
from netlab.rfc.answers import Reply
from netlab.rfc.asking import Asker, OutOfReach, user_agent, wait
from tests.rfc.upstream import Answer, Upstream

HEAD = b"HTTP/1.1 200 OK\r\n"


class AskingCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.upstream = Upstream()
        self.addCleanup(self.upstream.stop)
        self.asker = Asker(self.upstream.base, connect=5.0, silence=5.0)
        self.addCleanup(self.asker.close)

    def ask(self, path: str = "/rfc/x", **fields: str) -> Reply:
        pairs = [(name.replace("_", "-"), value) for name, value in fields.items()]
        return self.asker.ask(f"http://{self.upstream.host}{path}", Fields(pairs))

    def refused(self, path: str = "/rfc/x") -> str:
        return str(self.assertRaises(OutOfReach, self.ask, path))


class Answers(AskingCase):
    def test_an_answer(self) -> None:
        self.upstream.pages["/rfc/x"] = b"tea\n" * 100_000
        reply = self.ask()
        self.assertEqual((reply.status, reply.content), (200, b"tea\n" * 100_000))
        self.assertNotIn("content-encoding", reply.fields)
        tag = reply.fields.get("etag") or ""
        self.assertIn("-identity", tag)
        again = self.ask(If_None_Match=tag)
        self.assertEqual((again.status, again.content, again.fields.get("etag")), (304, b"", tag))
        self.assertEqual(self.ask("/none").status, 404)

    def test_it_says_who_asks(self) -> None:
        self.ask()
        fields = self.upstream.asked[0].fields
        self.assertRegex(fields["user-agent"], r"^netlab/[0-9]")
        self.assertEqual(fields["user-agent"], user_agent())
        self.assertEqual(fields["accept-encoding"], "gzip")

    def test_one_connection(self) -> None:
        for _ in range(3):
            self.ask()
        self.assertEqual(self.upstream.connections, 1)

    def test_a_connection_that_was_closed_meanwhile(self) -> None:
        plain = HEAD + b"Content-Length: 3\r\n\r\ntea"  # and no word that it closes
        self.upstream.pages["/rfc/x"] = Answer(raw=plain)
        self.assertEqual([self.ask().content for _ in range(3)], [b"tea"] * 3)
        self.assertEqual(self.upstream.connections, 3)

    def test_to_the_end(self) -> None:
        self.upstream.pages["/rfc/x"] = Answer(raw=HEAD + b"\r\ntea")
        self.assertEqual(self.ask().content, b"tea")
        chunked = b"Transfer-Encoding: chunked\r\n\r\n3\r\ntea\r\n0\r\n\r\n"
        self.upstream.pages["/rfc/x"] = Answer(raw=HEAD + chunked)
        self.assertEqual(self.ask().content, b"tea")


class Redirections(AskingCase):
    def moved(self, to: str) -> Answer:
        return Answer(status=302, fields=(("Location", to),))

    def test_at_home(self) -> None:
        self.upstream.pages["/rfc/x"] = self.moved("/other/y")
        self.upstream.pages["/other/y"] = b"tea"
        self.assertEqual(self.ask().content, b"tea")

    def test_elsewhere(self) -> None:
        other = Upstream({"/y": b"secret"})
        self.addCleanup(other.stop)
        for to in (f"http://{other.host}/y", "https://example.org/", "file:///etc/passwd"):
            self.upstream.pages["/rfc/x"] = self.moved(to)
            self.assertIn("which is not its own", self.refused())
        self.assertEqual(other.asked, [])

    def test_without_end(self) -> None:
        self.upstream.pages["/rfc/x"] = self.moved("/rfc/x")
        self.assertIn("without end", self.refused())
        self.assertLess(len(self.upstream.asked), 10)


class Failures(AskingCase):
    def answers(self, raw: bytes) -> str:
        self.upstream.pages["/rfc/x"] = Answer(raw=raw)
        said = self.refused()
        self.assertTrue(said.startswith(f"{self.upstream.host}: "), said)
        self.assertTrue(said.isprintable(), said)
        return said

    def test_truncated(self) -> None:
        for rest in (
            b"Content-Length: 10\r\n\r\ntea",
            b"Transfer-Encoding: chunked\r\n\r\n5\r\ntea",
            b"Transfer-Encoding: chunked\r\n\r\n3\r\ntea\r\n",
        ):
            self.assertIn("breaks off", self.answers(HEAD + rest))
        packed = gzip.compress(b"tea" * 100)[:-3]
        coded = b"Content-Encoding: gzip\r\n\r\n"
        self.assertIn("ends in the middle", self.answers(HEAD + coded + packed))

    def test_no_http(self) -> None:
        self.assertIn("closes the connection", self.answers(b""))
        for raw in (b"SSH-2.0-x\r\n", b"HTTP/1.1 abc\r\n\r\n", HEAD + b"X: " + b"y" * 70_000):
            self.assertIn("is not HTTP", self.answers(raw))
        many = b"".join(b"X-%d: y\r\n" % n for n in range(201))
        self.assertIn("is not HTTP", self.answers(HEAD + many + b"\r\n"))
        self.answers(HEAD + b"X: \x1b[2J\r\nContent-Length: 0\r\n\r\n")

    def test_too_long(self) -> None:
        self.patch(answers, "LONGEST", 1000)
        self.assertIn("more than 1000 bytes", self.answers(HEAD + b"\r\n" + bytes(2000)))

    def test_another_coding(self) -> None:
        self.assertIn("nobody asked for", self.answers(HEAD + b"Content-Encoding: br\r\n\r\nx"))

    def test_it_goes_on_after_a_failure(self) -> None:
        self.answers(HEAD + b"Content-Length: 10\r\n\r\ntea")
        self.upstream.pages["/rfc/x"] = b"tea"
        self.assertEqual(self.ask().content, b"tea")

    def test_refused(self) -> None:
        with socket.socket() as sock:
            sock.bind(("127.0.0.1", 0))
            uri = f"http://127.0.0.1:{sock.getsockname()[1]}/"
            error = self.assertRaises(OutOfReach, Asker(uri).ask, uri)
        self.assertIn("connection refused", str(error))

    def test_silent(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as server:
            uri = f"http://127.0.0.1:{server.getsockname()[1]}/"
            asker = Asker(uri, silence=0.05)
            self.assertIn("in time", str(self.assertRaises(OutOfReach, asker.ask, uri)))

    def test_no_network(self) -> None:
        error = socket.gaierror(-2, "Name or service not known")
        with mock.patch.object(socket, "getaddrinfo", side_effect=error):
            refused = self.assertRaises(OutOfReach, Asker("http://x/").ask, "http://x/")
        self.assertEqual(str(refused), "x: name or service not known; is there a network?")

    def test_no_tls(self) -> None:
        uri = f"https://{self.upstream.host}/"
        asker = Asker(uri, connect=5.0)
        self.upstream.pages["/"] = b""
        self.assertIn("TLS failed", str(self.assertRaises(OutOfReach, asker.ask, uri)))


class SeveralAtATime(AskingCase):
    def asking(self, paths: Sequence[str], **options: float) -> list[Asker]:
        askers = [Asker(self.upstream.base, connect=5.0, **options) for _ in paths]
        for asker, path in zip(askers, paths, strict=True):
            self.addCleanup(asker.close)
            asker.begin(f"http://{self.upstream.host}{path}")
        return askers

    def test_each_has_its_answer(self) -> None:
        """In the order in which they come; one that is redirected goes on meanwhile."""
        first = self.upstream.hold("/rfc/a", b"last")
        self.upstream.pages |= {
            "/rfc/b": b"tea" * 100_000,
            "/rfc/c": Answer(status=302, fields=(("Location", "/rfc/d"),)),
            "/rfc/d": b"elsewhere",
        }
        askers = self.asking(["/rfc/a", "/rfc/b", "/rfc/c"])
        found: list[bytes] = []
        ahead = set(askers)
        while ahead:
            for asker in wait(ahead, 5.0):
                reply = asker.proceed()
                if reply is not None:
                    found.append(reply.content)
                    ahead.remove(asker)
            if len(found) == 2:
                first.set()
        self.assertEqual(sorted(found[:2]), [b"elsewhere", b"tea" * 100_000])
        self.assertEqual(found[2], b"last")

    def test_one_is_late(self) -> None:
        self.upstream.hold("/rfc/a")
        [asker] = self.asking(["/rfc/a"], silence=0.05)
        self.assertEqual(wait([asker], 5.0), [asker])
        self.assertIn("in time", str(self.assertRaises(OutOfReach, asker.proceed)))

    def test_what_nobody_asked_for(self) -> None:
        """Between two answers: it is not taken for the next one."""
        with socket.create_server(("127.0.0.1", 0)) as server:
            uri = f"http://127.0.0.1:{server.getsockname()[1]}/"
            asker = Asker(uri, connect=5.0, silence=5.0)
            self.addCleanup(asker.close)
            answer = HEAD + b"Content-Length: 3\r\n\r\n"
            for content, more in ((b"tea", answer + b"bad"), (b"pot", b"")):
                asker.begin(uri)
                peer, _ = server.accept()
                self.addCleanup(peer.close)
                self.assertIn(b"GET / HTTP/1.1\r\n", peer.recv(1000))
                peer.sendall(answer + content)
                self.assertEqual(wait([asker], 5.0), [asker])
                reply = asker.proceed()
                self.assertEqual(reply and reply.content, content)
                if more:
                    peer.sendall(more)
                    wait([asker], 5.0)  # it is there

    def test_no_address(self) -> None:
        for uri in ("http://x:99999/", "http://x/a b", "http://x/a\x01", "http://\xe9/"):
            asker = Asker("http://x/")
            self.assertIn("no address", str(self.assertRaises(OutOfReach, asker.ask, uri)))


class Secure(SynchronousTestCase):
    def asker(self, host: str) -> tuple[Upstream, Asker]:
        """An upstream whose certificate is for ``host``, and who asks it."""
        authority = trustme.CA()
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert(host).configure_cert(tls)
        upstream = Upstream(tls=tls)
        self.addCleanup(upstream.stop)
        asker = Asker(upstream.base, connect=5.0, silence=5.0)
        self.addCleanup(asker.close)
        trusting = ssl.create_default_context()
        authority.configure_trust(trusting)
        self.patch(module, "_tls", lambda: trusting)
        return upstream, asker

    def test_answers(self) -> None:
        upstream, asker = self.asker("127.0.0.1")
        long = b"".join(b"%d cups of tea\n" % cups for cups in range(100_000))
        upstream.pages |= {"/rfc/x": long, "/rfc/y": b"tea"}
        for _ in range(2):
            self.assertEqual(asker.ask(f"{upstream.base}x").content, long)
            self.assertEqual(asker.ask(f"{upstream.base}y").content, b"tea")
        self.assertEqual(upstream.connections, 1)

    def test_an_end_that_nobody_said(self) -> None:
        """Content that ends with the connection may have been cut off by anybody."""
        upstream, asker = self.asker("127.0.0.1")
        upstream.pages["/rfc/x"] = Answer(raw=HEAD + b"\r\ntea")
        error = self.assertRaises(OutOfReach, asker.ask, f"{upstream.base}x")
        self.assertIn("breaks off", str(error))

    def test_for_another_host(self) -> None:
        upstream, asker = self.asker("example.org")
        error = self.assertRaises(OutOfReach, asker.ask, f"{upstream.base}x")
        self.assertIn("TLS failed: IP address mismatch", str(error))
        self.assertEqual(upstream.asked, [])

    def test_of_nobody_known(self) -> None:
        upstream, asker = self.asker("127.0.0.1")
        self.patch(module, "_tls", ssl.create_default_context)
        error = self.assertRaises(OutOfReach, asker.ask, f"{upstream.base}x")
        self.assertIn("TLS failed: ", str(error))
        self.assertEqual(upstream.asked, [])
