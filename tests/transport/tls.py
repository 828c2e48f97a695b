"""What the tests of TLS share: a server with a certificate, and clients that verify it."""

from __future__ import annotations

import socket
import ssl
import struct
from typing import Any

import trustme
from OpenSSL import SSL

from netlab import LengthPrefix
from netlab.message import MessageServer
from netlab.message.protocol import Echo
from netlab.transport import Limits
from tests.transport.support import DEADLINE, TransportCase, dial, reactor, read_exactly

AUTHORITY = trustme.CA(key_type=trustme.KeyType.ECDSA)
MIB = 1 << 20


def frame(message: bytes) -> bytes:
    """``message`` behind its length in four bytes."""
    return struct.pack("!I", len(message)) + message


def read_frame(sock: Any) -> bytes:
    """The next message."""
    (length,) = struct.unpack("!I", read_exactly(sock, 4))
    return read_exactly(sock, length)


class TLSCase(TransportCase):
    def setUp(self) -> None:
        super().setUp()
        made = AUTHORITY.issue_cert("localhost")
        made.private_key_and_cert_chain_pem.write_to_path(self.folder / "localhost.pem")
        pem = f"{self.folder}/localhost.pem"
        self.endpoint = f"ssl:0:privateKey={pem}:certKey={pem}:interface=127.0.0.1"

    async def messages(
        self, app: Any = Echo, limits: Limits | None = None
    ) -> tuple[MessageServer, int]:
        """A message server on TLS, and its port."""
        framing = LengthPrefix(max_message=16 * MIB)
        server = MessageServer(app, reactor=reactor, framing=framing, limits=limits)
        self.servers.append(server)
        port = await server.listen(self.endpoint)
        return server, port.getHost().port

    async def secure(self, limits: Limits | None = None) -> tuple[Any, int]:
        """A server of recorders on TLS, and its port."""
        return await self.serve(self.endpoint, limits)

    def dial(
        self,
        port: int,
        version: ssl.TLSVersion | None = None,
        receive_buffer: int | None = None,
        name: str = "localhost",
    ) -> ssl.SSLSocket:
        """A verified TLS connection, for use in a thread."""
        context = ssl.create_default_context()
        AUTHORITY.configure_trust(context)
        if version is not None:
            context.minimum_version = context.maximum_version = version
        sock = dial(port, receive_buffer)
        try:
            return context.wrap_socket(sock, server_hostname=name, suppress_ragged_eofs=False)
        except BaseException:
            sock.close()
            raise

    def dial_openssl(self, port: int) -> tuple[SSL.Connection, socket.socket]:
        """A TLS connection whose halves can be ended apart, for use in a thread."""
        sock = dial(port)
        # pyOpenSSL does not wait for a socket with a time-out of Python's; the kernel's will do.
        sock.settimeout(None)
        seconds = struct.pack("ll", int(DEADLINE), 0)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, seconds)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, seconds)
        tls = SSL.Connection(SSL.Context(SSL.TLS_CLIENT_METHOD), sock)
        tls.set_connect_state()
        tls.do_handshake()
        return tls, sock
