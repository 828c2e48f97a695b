"""A client with nothing but the standard library: the framing is done by hand.

    python client_socket.py localhost 8032 hello world

On the wire each message comes after its length, 4 bytes, big-endian. TCP knows
nothing of messages: one recv() may return half of one, or two and a half. So the
receiver counts bytes.
"""

from __future__ import annotations

import socket
import struct
import sys

LENGTH = struct.Struct("!I")
LONGEST = 1 << 20


def send_message(sock: socket.socket, message: bytes) -> None:
    """Sends one message. ``sendall``, as ``send`` may take only a part of it."""
    sock.sendall(LENGTH.pack(len(message)) + message)


def receive_message(sock: socket.socket) -> bytes:
    """Waits for one whole message."""
    (length,) = LENGTH.unpack(receive_exactly(sock, LENGTH.size))
    if length > LONGEST:  # before any memory is spent on it
        raise ValueError(f"the server announces {length} bytes: is its framing another?")
    return receive_exactly(sock, length)


def receive_exactly(sock: socket.socket, size: int) -> bytes:
    """Waits for ``size`` bytes, however many pieces they come in."""
    pieces = []
    while size > 0:
        piece = sock.recv(min(size, 65536))
        if not piece:  # not an error for recv(), but one for us
            raise EOFError(f"the server closed the connection; {size} bytes are missing")
        pieces.append(piece)
        size -= len(piece)
    return b"".join(pieces)


def main(host: str, port: str, *messages: str) -> None:
    """Sends each of ``messages`` and prints the answer to it."""
    # The timeout holds for connecting and for each call after it.
    with socket.create_connection((host, int(port)), timeout=5) as sock:
        for each in messages:
            send_message(sock, each.encode())
            print(receive_message(sock).decode())


if __name__ == "__main__":
    if len(sys.argv) < 4:
        sys.exit("usage: python client_socket.py HOST PORT MESSAGE...")
    try:
        main(*sys.argv[1:])
    except (OSError, EOFError, ValueError) as error:
        sys.exit(f"client_socket: {error}")
