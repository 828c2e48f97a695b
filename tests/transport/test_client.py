"""``connect_stream``: there is a connection, or it is said why there is none."""

from __future__ import annotations

import os
import socket
import ssl
from pathlib import Path
from typing import Any

import trustme
from twisted.internet.address import IPv4Address
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint
from twisted.internet.interfaces import IHostnameResolver, IStreamClientEndpoint
from zope.interface import implementer

from netlab.errors import ConfigurationError, ConnectFailed
from netlab.transport import Limits, Stats, Stream
from netlab.transport.client import connect_stream
from tests.transport.support import (
    DEADLINE,
    TWISTED_USES_X509,
    Recorder,
    TransportCase,
    eventually,
    in_thread,
    reactor,
)

pytestmark = TWISTED_USES_X509


@implementer(IHostnameResolver)
class Book:
    """A resolver that knows the names it is given, and no other."""

    def __init__(self, **names: str) -> None:
        self.names = names

    def resolveHostName(
        self, resolutionReceiver: Any, hostName: str, portNumber: int = 0, *_: Any, **__: Any
    ) -> Any:
        self.name = hostName
        resolutionReceiver.resolutionBegan(self)
        if hostName in self.names:
            address = IPv4Address("TCP", self.names[hostName], portNumber)
            resolutionReceiver.addressResolved(address)
        resolutionReceiver.resolutionComplete()
        return self

    def cancel(self) -> None:
        pass


@implementer(IStreamClientEndpoint)
class Silent:
    """An endpoint that never connects."""

    def __init__(self) -> None:
        self.cancelled = 0

    def __repr__(self) -> str:
        return "<Silent>"

    def connect(self, factory: Any) -> Deferred[Any]:
        return Deferred(self._cancel)

    def _cancel(self, deferred: Deferred[Any]) -> None:
        self.cancelled += 1


class ClientCase(TransportCase):
    def connect(
        self, endpoint: Any, *, timeout: float = DEADLINE, **options: Any
    ) -> Deferred[Stream]:
        """Connects a recorder, ``self.ours``."""
        self.ours = Recorder()
        return connect_stream(reactor, endpoint, self.ours, timeout=timeout, **options)

    async def refused(self, endpoint: Any, **options: Any) -> str:
        """Why there is no connection."""
        error = await self.assertFailure(self.connect(endpoint, **options), ConnectFailed)
        self.assertEqual(self.ours.calls, [])
        name = endpoint if isinstance(endpoint, str) else repr(endpoint)
        head = f"cannot connect to {name}: "
        self.assertTrue(str(error).startswith(head), error)
        self.assertNotIn("\n", str(error))
        return str(error)[len(head) :]

    async def talk(self, stream: Stream) -> None:
        """Something is said and comes back; then both ends are gone."""
        stream.write(b"hello")
        await self.ours.until(lambda: self.ours.received == b"hello")
        stream.close()
        await self.ours.until(lambda: self.ours.is_lost)
        self.assertIsNone(self.ours.reason)

    def resolve(self, **names: str) -> None:
        """These names and no others are known during the test."""
        self.addCleanup(reactor.installNameResolver, reactor.installNameResolver(Book(**names)))


class Plain(ClientCase):
    async def test_connected(self) -> None:
        """The stream knows both addresses, is counted, and ends in order."""
        server, port = await self.serve()
        stats = Stats()
        stream = await self.connect(f"tcp:127.0.0.1:{port}", stats=stats, limits=Limits())
        self.assertEqual(self.ours.calls, ["connected"])
        self.assertEqual(stream.peer, IPv4Address("TCP", "127.0.0.1", port))
        self.assertEqual(stream.host, self.receivers[0].stream.peer)
        await self.talk(stream)
        self.assertEqual((stats.bytes_in, stats.bytes_out, stats.errors), (5, 5, {}))
        await eventually(lambda: server.stats.active == 0)
        self.assertEqual(server.stats.errors, {})

    async def test_endpoint_object(self) -> None:
        """Any endpoint of Twisted's will do."""
        _, port = await self.serve()
        await self.talk(await self.connect(TCP4ClientEndpoint(reactor, "127.0.0.1", port)))

    async def test_unix(self) -> None:
        """A UNIX socket."""
        await self.serve(f"unix:{self.folder}/s")
        await self.talk(await self.connect(f"unix:{self.folder}/s"))
        self.assertIn("no such file", await self.refused(f"unix:{self.folder}/other"))

    async def test_refused(self) -> None:
        """Nobody listens."""
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            text = f"tcp:127.0.0.1:{probe.getsockname()[1]}"
            self.assertEqual(await self.refused(text), "connection refused")

    async def test_unknown_name(self) -> None:
        """A name that nobody knows."""
        self.resolve()
        said = await self.refused("tcp:nobody.example:1")
        self.assertEqual(said, "the host name is not known")

    async def test_timeout(self) -> None:
        """No answer in time; the try is given up."""
        silent = Silent()
        said = await self.refused(silent, timeout=0.2)
        self.assertEqual(said, "no answer within 0.2 s")
        self.assertEqual(silent.cancelled, 1)

    async def test_cancel(self) -> None:
        """Cancelling gives up; nothing is left."""
        silent = Silent()
        trying = self.connect(silent)
        trying.cancel()
        await self.assertFailure(trying, CancelledError)
        self.assertEqual((silent.cancelled, self.ours.calls), (1, []))

    async def test_cancel_early(self) -> None:
        """Also while the real thing is under way."""
        _, port = await self.serve()
        trying = self.connect(f"tcp:127.0.0.1:{port}")
        trying.cancel()
        await self.assertFailure(trying, CancelledError)
        await eventually(lambda: all(each.is_lost for each in self.receivers))
        self.assertEqual(self.ours.calls, [])

    async def test_bad_strings(self) -> None:
        """What means nothing is raised at once."""
        for text in ("8032", "tcp:localhost", "nonsense:1"):
            self.assertRaises(ConfigurationError, self.connect, text)

    async def test_lost(self) -> None:
        """A reset is told and counted."""
        _, port = await self.serve()
        stats = Stats()
        await self.connect(f"tcp:127.0.0.1:{port}", stats=stats)
        await eventually(lambda: bool(self.receivers))
        self.receivers[0].stream.abort()
        await self.ours.until(lambda: self.ours.is_lost)
        await eventually(lambda: stats.errors["connection_reset"] == 1)


class Encrypted(ClientCase):
    def setUp(self) -> None:
        super().setUp()
        self.authority = trustme.CA(key_type=trustme.KeyType.ECDSA)
        self.ca_file = str(self.folder / "ca.pem")
        self.authority.cert_pem.write_to_path(self.ca_file)
        self.resolve(**dict.fromkeys(("localhost", "other", "127.0.0.1"), "127.0.0.1"))

    async def encrypted(self, *names: str) -> int:
        """The port of a server with a certificate for ``names``."""
        made = self.authority.issue_cert(*names)
        made.private_key_and_cert_chain_pem.write_to_path(self.folder / "server.pem")
        pem = f"{self.folder}/server.pem"
        _, port = await self.serve(f"ssl:0:privateKey={pem}:certKey={pem}:interface=127.0.0.1")
        return port

    async def test_own_authority(self) -> None:
        """With ``ca_file`` its certificates are trusted, for a name and for an address."""
        port = await self.encrypted("localhost", "127.0.0.1")
        for host in ("localhost", "127.0.0.1"):
            await self.talk(await self.connect(f"tls:{host}:{port}", ca_file=self.ca_file))

    async def test_several_authorities(self) -> None:
        """A file may hold more than one."""
        port = await self.encrypted("localhost")
        other = trustme.CA(key_type=trustme.KeyType.ECDSA)
        Path(self.ca_file).write_bytes(other.cert_pem.bytes() + self.authority.cert_pem.bytes())
        await self.talk(await self.connect(f"tls:localhost:{port}", ca_file=self.ca_file))

    async def test_wrong_host(self) -> None:
        """A good certificate for somebody else."""
        port = await self.encrypted("localhost")
        said = await self.refused(f"tls:other:{port}", ca_file=self.ca_file)
        self.assertEqual(said, "its certificate is not for that host name")

    async def test_untrusted(self) -> None:
        """A certificate of an authority that nobody knows."""
        port = await self.encrypted("localhost")
        said = await self.refused(f"tls:localhost:{port}")
        self.assertIn("TLS failed", said)
        self.assertIn("certificate verify failed", said)

    async def test_not_tls(self) -> None:
        """The server speaks in the clear."""
        _, port = await self.serve()
        said = await self.refused(f"tls:localhost:{port}", ca_file=self.ca_file)
        self.assertIn("TLS failed", said)

    async def test_stalled_handshake(self) -> None:
        """A server that accepts and says nothing is given up in time, and let go.

        Stock Twisted's endpoints time out the TCP connection only.
        """
        with socket.create_server(("127.0.0.1", 0)) as silent:
            silent.settimeout(DEADLINE)
            text = f"tls:localhost:{silent.getsockname()[1]}"
            said = await self.refused(text, timeout=0.3, ca_file=self.ca_file)
            self.assertEqual(said, "no answer within 0.3 s")
            sock, _ = silent.accept()
            with sock:
                sock.settimeout(DEADLINE)
                await in_thread(drop_all, sock)

    async def test_cancelled_handshake(self) -> None:
        """Cancelling in the handshake closes the connection."""
        with socket.create_server(("127.0.0.1", 0)) as silent:
            silent.settimeout(DEADLINE)
            trying = self.connect(f"tls:localhost:{silent.getsockname()[1]}", ca_file=self.ca_file)
            sock, _ = await in_thread(silent.accept)
            with sock:
                sock.settimeout(DEADLINE)
                await in_thread(sock.recv, 1)
                trying.cancel()
                await self.assertFailure(trying, CancelledError)
                await in_thread(drop_all, sock)

    async def test_hung_up(self) -> None:
        """A server that hangs up in the handshake."""
        with socket.create_server(("127.0.0.1", 0)) as rude:
            rude.settimeout(DEADLINE)
            text = f"tls:localhost:{rude.getsockname()[1]}"
            trying = self.refused(text, ca_file=self.ca_file)
            refused = Deferred.fromCoroutine(trying)
            sock, _ = await in_thread(rude.accept)
            sock.close()
            self.assertNotEqual(await refused, "")

    async def test_no_goodbye(self) -> None:
        """What a server said before it ended without close_notify is heard, held or not."""

        def say(listener: socket.socket) -> None:
            sock, _ = listener.accept()
            sock.settimeout(DEADLINE)
            with context.wrap_socket(sock, server_side=True) as tls:
                tls.recv(1)
                tls.sendall(b"a" * 5000)
                os.close(tls.detach())

        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.authority.issue_cert("localhost").configure_cert(context)
        for held in (False, True):
            with socket.create_server(("127.0.0.1", 0)) as listener:
                listener.settimeout(DEADLINE)
                saying = Deferred.fromCoroutine(in_thread(say, listener))
                text = f"tls:localhost:{listener.getsockname()[1]}"
                stream = await self.connect(text, ca_file=self.ca_file)
                bridge: Any = stream.get_handle()
                if held:
                    stream.pause()
                stream.write(b"x")
                await saying
                await eventually(lambda: bridge.transport is None or self.ours.is_lost)  # noqa: B023
                stream.resume()
                await self.ours.until(lambda: self.ours.is_lost)
                self.assertEqual(len(self.ours.received), 5000, held)

    async def test_bad_files(self) -> None:
        """A CA file that is not there, or is none; an endpoint that it does not go with."""
        for content in (b"", b"hello", os.urandom(100), b"-----BEGIN CERTIFICATE-----\nx\n"):
            (self.folder / "bad.pem").write_bytes(content)
            error = self.assertRaises(
                ConfigurationError,
                self.connect,
                "tls:localhost:1",
                ca_file=str(self.folder / "bad.pem"),
            )
            self.assertIn("bad.pem", str(error))
        error = self.assertRaises(
            ConfigurationError, self.connect, "tls:localhost:1", ca_file="/no/such/file"
        )
        self.assertIn("no such file", str(error))
        for text in ("tcp:localhost:1", "unix:/x", "nonsense"):
            self.assertRaises(ConfigurationError, self.connect, text, ca_file=self.ca_file)

    async def test_bad_host_names(self) -> None:
        """A name that no certificate can be for is refused as any bad endpoint is."""
        for host in ("a..b", "x" * 70, "-"):
            self.assertRaises(
                ConfigurationError, self.connect, f"tls:{host}:1", ca_file=self.ca_file
            )


def drop_all(sock: socket.socket) -> None:
    """Reads up to the end, however it is."""
    try:
        while sock.recv(65536):
            pass
    except ConnectionResetError:
        pass
