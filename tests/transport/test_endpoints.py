"""Endpoint strings: what is wrong with one, and what would be right."""

from __future__ import annotations

import errno
import gc
import socket
from typing import Any

import twisted.internet.endpoints
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred, fail
from twisted.internet.endpoints import TCP4ServerEndpoint
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IStreamClientEndpoint, IStreamServerEndpoint
from twisted.internet.protocol import Factory
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from netlab.errors import ConfigurationError, ListenFailed
from netlab.transport import endpoints
from netlab.transport.endpoints import (
    has_ipv6,
    loopback,
    parse_client_endpoint,
    parse_server_endpoint,
    reason_text,
    server_endpoint,
)
from tests.transport.support import LOOPBACK, TransportCase, reactor


class Parsing(SynchronousTestCase):
    reactor: Any

    def setUp(self) -> None:
        self.reactor = MemoryReactorClock()

    def test_good(self) -> None:
        """Twisted's own strings mean what they mean to Twisted."""
        for text in ("tcp:8032", LOOPBACK, r"tcp6:0:interface=\:\:1", "unix:/run/x:mode=660"):
            server = parse_server_endpoint(self.reactor, text)
            self.assertTrue(IStreamServerEndpoint.providedBy(server))
        for text in ("tcp:localhost:8032", "tls:example.org:443", "unix:/run/x"):
            client = parse_client_endpoint(self.reactor, text)
            self.assertTrue(IStreamClientEndpoint.providedBy(client))

    def test_bad_servers(self) -> None:
        """One line: the string, what is wrong with it, and what would be right."""
        for text, said in (
            ("8032", "say what kind of endpoint it is: tcp:8032"),
            ("tpc:8032", "there is no endpoint type 'tpc'"),
            ("", "there is no endpoint type ''"),
            ("tcp:http", "the port must be a number, 'http' is none"),
            ("tcp", "an argument is missing, unknown or given twice"),
            ("tcp:0:interfaec=127.0.0.1", "an argument is missing, unknown or given twice"),
            ("ssl:0:privateKey=/no/such/key.pem:certKey=c.pem", "/no/such/key.pem"),
            ("unix", "an argument is missing"),
            ("tls:/no/such/folder:tcp:0", ""),
            ("systemd:domain=INET:index=9", ""),
            ("haproxy:nonsense:1", "there is no endpoint type 'nonsense'"),
        ):
            error = self.assertRaises(ConfigurationError, parse_server_endpoint, self.reactor, text)
            self.assertTrue(str(error).startswith(f"endpoint {text!r}: "), error)
            self.assertIn(said, str(error))
            self.assertNotIn("\n", str(error))

    def test_bad_clients(self) -> None:
        """The same for clients, with examples for clients."""
        for text, said in (
            ("tcp:localhost", ""),
            ("tcp:localhost:http", "the port must be a number, 'http' is none"),
            ("ftp:localhost:21", "there is no endpoint type 'ftp'"),
            ("localhost:8032", "there is no endpoint type 'localhost'"),
            ("8032", "tcp:"),
        ):
            error = self.assertRaises(ConfigurationError, parse_client_endpoint, self.reactor, text)
            self.assertIn(said, str(error))
            self.assertIn("tcp:localhost:8032", str(error))
            self.assertNotIn("tcp6:8032", str(error))

    def test_clients_are_told_of_clients(self) -> None:
        """Who gives a client a bare port is told to name the host as well."""
        error = self.assertRaises(ConfigurationError, parse_client_endpoint, self.reactor, "8032")
        self.assertIn("tcp:localhost:8032", str(error).partition("; write for example")[0])

    def test_escaped(self) -> None:
        """A string from a file or an argument moves no cursor."""
        for parse in (parse_server_endpoint, parse_client_endpoint):
            error = self.assertRaises(ConfigurationError, parse, self.reactor, "t\x1b[2J\n:1")
            self.assertTrue(str(error).isprintable())

    @given(
        st.sampled_from(["", "tcp:", "tcp6:", "ssl:", "tls:", "unix:", "haproxy:", "systemd:"]),
        st.text(max_size=20) | st.text(alphabet="tcp:[]0129=\\/.", max_size=20),
    )
    def test_anything(self, kind: str, rest: str) -> None:
        """Any text is an endpoint, or refused in one line."""
        # "tls:/" reads all the certificates below the folder: here, the whole disk.
        self.patch(twisted.internet.endpoints, "autoReloadingDirectoryOfPEMs", lambda path: None)
        for parse in (parse_server_endpoint, parse_client_endpoint):
            try:
                parse(MemoryReactorClock(), kind + rest)
            except ConfigurationError as error:
                self.assertNotIn("\n", str(error))


class Loopback(SynchronousTestCase):
    def test_addresses(self) -> None:
        """Both loopback addresses where there are two, and no other."""
        for both in (False, True):
            self.patch(endpoints, "has_ipv6", lambda both=both: both)
            texts = loopback(8032)
            self.assertEqual(texts[0], "tcp:8032:interface=127.0.0.1")
            self.assertEqual(texts[1:], [r"tcp6:8032:interface=\:\:1"] if both else [])
            for text in texts:
                parse_server_endpoint(MemoryReactorClock(), text)

    def test_without_ipv6(self) -> None:
        """Python without it, and a system that has it switched off."""
        self.patch(socket, "has_ipv6", False)
        self.assertFalse(has_ipv6())
        self.patch(socket, "has_ipv6", True)

        def refuse(*_: object) -> socket.socket:
            raise OSError(errno.EAFNOSUPPORT, "Address family not supported by protocol")

        self.patch(socket, "socket", refuse)
        self.assertFalse(has_ipv6())


class Reasons(SynchronousTestCase):
    def test_texts(self) -> None:
        """As part of a sentence."""
        for error, text in (
            (OSError(errno.ENOENT, "No such file"), "no such file"),
            (OSError(errno.ENOENT, "No such file", "/tmp/\x1bx"), r"no such file (/tmp/\x1bx)"),
            (ValueError("that is\nno number"), r"that is\nno number"),
            (ValueError(), "ValueError"),
            (None, "unknown"),
            (Exception([("a", "b", "bad key"), ("c", "d", "bad end")]), "bad key; bad end"),
            (Exception([]), "Exception"),
        ):
            self.assertEqual(reason_text(error), text)


@implementer(IStreamServerEndpoint)
class Failing:
    """An endpoint that cannot listen."""

    def __init__(self, error: Exception, *, raises: bool = False) -> None:
        self.error = error
        self.raises = raises

    def __repr__(self) -> str:
        return "<Failing>"

    def listen(self, factory: object) -> Deferred[Any]:
        if self.raises:
            raise self.error
        return fail(self.error)


class Listening(TransportCase):
    def setUp(self) -> None:
        super().setUp()
        self.addCleanup(self.collect)

    def collect(self) -> None:
        """Twisted leaves a socket that cannot be bound to the garbage collector."""
        gc.collect()
        self.flushWarnings()

    async def refused(self, endpoint: Any) -> str:
        """What is said when ``endpoint`` cannot be listened on."""
        error = await self.assertFailure(
            server_endpoint(reactor, endpoint, Factory()), ListenFailed, ConfigurationError
        )
        self.assertNotIn("\n", str(error))
        return str(error)

    async def test_busy(self) -> None:
        """A port that is taken."""
        with socket.create_server(("127.0.0.1", 0)) as taken:
            text = f"tcp:{taken.getsockname()[1]}:interface=127.0.0.1"
            said = await self.refused(text)
            self.assertEqual(said, f"cannot listen on {text}: address already in use")
            port = taken.getsockname()[1]
            said = await self.refused(TCP4ServerEndpoint(reactor, port, interface="127.0.0.1"))
            self.assertIn("TCP4ServerEndpoint", said)

    async def test_not_ours(self) -> None:
        """An address of another machine, a port that cannot be, a folder that is not there."""
        for text, said in (
            ("tcp:0:interface=192.0.2.1", "cannot assign requested address"),
            ("tcp:70000", "70000"),
            ("unix:/no/such/folder/socket", "no such file"),
            (f"unix:{self.folder}/" + "x" * 200, "too long"),
        ):
            self.assertIn(said, await self.refused(text))

    async def test_taken_socket(self) -> None:
        """A UNIX socket that somebody listens on already."""
        text = f"unix:{self.folder}/s"
        port: Any = await server_endpoint(reactor, text, Factory())
        try:
            said = await self.refused(text)
            self.assertIn(f"cannot listen on {text}: ", said)
        finally:
            await port.stopListening()

    async def test_nonsense(self) -> None:
        """A string that means nothing fails the Deferred; it is not raised."""
        self.assertIn("write for example", await self.refused("8032"))

    async def test_any_error(self) -> None:
        """Whatever an endpoint of a plug-in raises."""
        for raises in (False, True):
            for error in (
                CannotListenError("127.0.0.1", 1, OSError(errno.EACCES, "Permission denied")),
                OSError(errno.EACCES, "Permission denied"),
            ):
                said = await self.refused(Failing(error, raises=raises))
                self.assertEqual(said, "cannot listen on <Failing>: permission denied")
        self.assertIn("by accident", await self.refused(Failing(RuntimeError("by accident"))))

    async def test_listens(self) -> None:
        """And what can be listened on is."""
        port: Any = await server_endpoint(reactor, LOOPBACK, Factory())
        await port.stopListening()
