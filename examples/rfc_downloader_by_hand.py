"""The same without urllib: the request and the response as bytes, on a plain socket.

    python rfc_downloader_by_hand.py localhost 8080 2324

A response is a status line, fields, an empty line, and the content. The request says
``Connection: close``, so the server closes the connection behind it. Whether that was
all, only its ``Content-Length`` tells, or the last of its chunks.
"""

from __future__ import annotations

import socket
import sys

REQUEST = "GET /rfc/rfc{}.txt HTTP/1.1\r\nHost: {}:{}\r\nConnection: close\r\n\r\n"


def fetch(host: str, port: int, request: bytes) -> bytes:
    """Sends a request; returns all that comes until the server closes the connection."""
    with socket.create_connection((host, port), timeout=60) as sock:
        sock.sendall(request)
        pieces = []
        while piece := sock.recv(65536):  # b"" is the end
            pieces.append(piece)
    return b"".join(pieces)


def split(response: bytes) -> tuple[int, dict[str, str], bytes]:
    """The status code, the fields and the content. Field names are in lower case here."""
    head, empty_line, content = response.partition(b"\r\n\r\n")
    if not empty_line:
        raise EOFError("the server closed the connection within the response's head")
    status_line, *lines = head.decode("latin-1").split("\r\n")
    _, status, _ = f"{status_line}  ".split(" ", 2)  # HTTP/1.1 200 OK
    fields = {}
    for line in lines:
        name, _, value = line.partition(":")
        fields[name.lower()] = value.strip()
    return int(status), fields, content


def joined(chunks: bytes) -> bytes:
    """The content that came in chunks: each has its length before it, in hexadecimal."""
    content = b""
    while True:
        line, _, chunks = chunks.partition(b"\r\n")
        length = int(line.partition(b";")[0], 16)
        if length == 0:
            return content
        if len(chunks) < length + 2:
            raise EOFError("the server closed the connection within the content")
        content += chunks[:length]
        chunks = chunks[length + 2 :]  # behind it is CR LF


def main(host: str, port: str, number: str) -> None:
    """Prints the RFC ``number`` from an HTTP server."""
    request = REQUEST.format(int(number), host, port).encode()
    status, fields, content = split(fetch(host, int(port), request))
    if fields.get("transfer-encoding", "").lower() == "chunked":
        content = joined(content)
    elif len(content) != int(fields.get("content-length", len(content))):
        raise EOFError(f"{len(content)} bytes came, of {fields['content-length']}")
    if status != 200:
        raise ValueError(content.decode().strip() or f"status {status}")
    print(content.decode())


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit("usage: python rfc_downloader_by_hand.py HOST PORT NUMBER")
    try:
        main(*sys.argv[1:])
    except (OSError, EOFError, ValueError) as error:
        sys.exit(f"rfc_downloader_by_hand: {error}")
