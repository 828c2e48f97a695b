"""Clients for tests, on blocking sockets and nothing else: well-behaved ones and others."""

from __future__ import annotations

import socket
import struct

from tests.system.processes import DEADLINE


def frame(message: bytes) -> bytes:
    """``message`` behind its length in four bytes."""
    return struct.pack("!I", len(message)) + message


def connect(address: tuple[str, int], receive_buffer: int | None = None) -> socket.socket:
    """A connection that waits for ``DEADLINE`` at most in each call."""
    family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        if receive_buffer is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        sock.settimeout(DEADLINE)
        sock.connect(address)
    except BaseException:
        sock.close()
        raise
    return sock


def connect_unix(path: str) -> socket.socket:
    """A connection to a UNIX socket."""
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        sock.settimeout(DEADLINE)
        sock.connect(path)
    except BaseException:
        sock.close()
        raise
    return sock


def receive_exactly(sock: socket.socket, size: int) -> bytes:
    """``size`` bytes; raises ``EOFError`` if the stream ends before."""
    data = bytearray()
    while len(data) < size:
        more = sock.recv(size - len(data))
        if not more:
            raise EOFError(bytes(data))
        data += more
    return bytes(data)


def receive_frame(sock: socket.socket) -> bytes:
    """The next message; raises ``EOFError`` with what there is of it at the end."""
    (length,) = struct.unpack("!I", receive_exactly(sock, 4))
    return receive_exactly(sock, length)


def request(sock: socket.socket, message: bytes) -> bytes:
    """Sends ``message`` and returns the answer."""
    sock.sendall(frame(message))
    return receive_frame(sock)


def receive_all(sock: socket.socket) -> bytes:
    """All up to the end of the stream; raises ``ConnectionResetError`` if it is broken off."""
    parts = []
    while data := sock.recv(65536):
        parts.append(data)
    return b"".join(parts)


def ends(sock: socket.socket) -> str:
    """Reads up to the end; how it was: ``closed`` or ``reset``."""
    try:
        receive_all(sock)
    except (ConnectionResetError, BrokenPipeError):
        return "reset"
    return "closed"


def send_and_end(address: tuple[str, int], data: bytes) -> bytes:
    """Sends ``data``, half-closes as ``nc -N`` does, and returns all that comes back."""
    with connect(address) as sock:
        sock.sendall(data)
        sock.shutdown(socket.SHUT_WR)
        return receive_all(sock)


def fill(sock: socket.socket, message: bytes = frame(bytes(65536)), most: int = 1 << 28) -> None:
    """Sends ``message`` and again, and reads no answer, until the server takes no more.

    Raises ``AssertionError`` when it has taken ``most`` bytes and wants more.
    """
    sock.settimeout(0.5)
    for _ in range(most // len(message)):
        try:
            sock.sendall(message)
        except TimeoutError:
            break
    else:
        raise AssertionError(f"the server took {most} bytes from a peer that reads nothing")
    sock.settimeout(DEADLINE)


def can_connect(address: tuple[str, int]) -> bool:
    """Whether somebody listens there."""
    try:
        connect(address).close()
    except OSError:
        return False
    return True


def free_port() -> int:
    """A port of 127.0.0.1 that nobody had a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port
