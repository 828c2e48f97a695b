"""A stand-in for the RFC Editor's server: a few RFCs and the index of them, on loopback.

Like that one, it compresses what it sends to who takes it.
"""

from __future__ import annotations

import gzip
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from ..rfc.support import DATA, index_data

_MADE = """\



Network Working Group                                         A. Nonymous
Request for Comments: {number}                               {date:>12}


{title:^72}

Status of this Memo

   This text stands in for RFC {number}.

1. Introduction

   There is nothing more to be said about it here.
"""


def documents() -> dict[str, bytes]:
    """What lies where: each RFC of the index has a text, a real one or a made one."""
    index = index_data()
    found = {"/rfc-index.xml": index, "/errata.json": b"[]"}
    for entry in re.findall(rb"<rfc-entry>.*?</rfc-entry>", index, re.DOTALL):
        words = re.search(rb"<doc-id>RFC0*(\d+)</doc-id>.*?<title>(.*?)</title>", entry, re.DOTALL)
        assert words is not None
        number, title = int(words[1]), words[2].decode()
        real = DATA / f"rfc{number}.txt"
        made = _MADE.format(number=number, title=title[:72], date="April 1990").encode()
        found[f"/rfc/rfc{number}.txt"] = real.read_bytes() if real.exists() else made
    return found


class Editor:
    """Serves ``documents`` until it is closed; ``url`` is the folder of the texts."""

    def __init__(self) -> None:
        files = documents()

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                content = files.get(self.path)
                self.send_response(404 if content is None else 200)
                content = b"" if content is None else content
                self.send_header("Content-Type", "text/plain; charset=utf-8")
                self.send_header("ETag", f'"{len(content):x}"')
                if "gzip" in self.headers.get("Accept-Encoding", ""):
                    content = gzip.compress(content)
                    self.send_header("Content-Encoding", "gzip")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, format: str, *args: Any) -> None:
                """Tells nobody."""

        class Server(ThreadingHTTPServer):
            daemon_threads = True  # connections that are kept open do not keep us

            def handle_error(self, request: Any, client_address: Any) -> None:
                """A client that has gone is no error."""

        self._server = Server(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}/rfc/"

    def close(self) -> None:
        """Ends it."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
