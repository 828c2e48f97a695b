"""An upstream on loopback that says what it is told to, as the RFC Editor says it."""

from __future__ import annotations

import gzip
import http.server
import json
import ssl
import sys
import threading
from collections.abc import Callable
from hashlib import md5
from typing import Any, NamedTuple

from tests.rfc.support import index_data, text

DOCUMENT = b"""
Network Working Group                                          A. Nobody
Request for Comments: %d                                 1 April 2026


                         On the Making of Tea

1.  Introduction

   Tea is made of leaves.  See Section 2 and RFC 2324.

2.  Water

   It boils.

2.1.  Kettles

   They whistle.
"""


class Answer(NamedTuple):
    """What is answered: with a length and a tag of the content, unless told otherwise."""

    content: bytes = b""
    status: int = 200
    fields: tuple[tuple[str, str], ...] = ()
    raw: bytes | None = None
    """Sent as it is, in the place of it all; the connection ends then."""


Page = Answer | bytes | Callable[["Asked"], Answer]


class Asked(NamedTuple):
    """A request that came."""

    path: str
    fields: dict[str, str]


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client may go whenever it likes."""
        if not isinstance(sys.exception(), (ConnectionError, ssl.SSLError)):
            super().handle_error(request, client_address)


class Upstream:
    """Serves ``pages``, by their paths, until it is stopped; ``asked`` are the requests.

    All that has content comes with an entity tag, and in gzip, as from the RFC Editor.
    """

    def __init__(
        self,
        pages: dict[str, Page] | None = None,
        *,
        server: str = "nobody",
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.pages = {} if pages is None else pages
        self.asked: list[Asked] = []
        self.connections = 0
        self._held: list[threading.Event] = []
        self.server_name = server
        self._server = _Server(("127.0.0.1", 0), self._handler())
        self.port = self._server.server_port
        self.host = f"127.0.0.1:{self.port}"
        self.base = f"http{'s' if tls else ''}://{self.host}/rfc/"
        if tls is not None:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.01,), daemon=True
        )
        self._thread.start()

    def hold(self, path: str, content: bytes = b"tea") -> threading.Event:
        """The answer to ``path``, ``content``, waits until the event is set, or all stops."""
        go = threading.Event()
        self._held.append(go)

        def wait(_asked: Asked) -> Answer:
            go.wait(10)
            return Answer(content)

        self.pages[path] = wait
        return go

    def stop(self) -> None:
        """Nobody listens there any more."""
        for go in self._held:
            go.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def paths(self) -> list[str]:
        """The paths that were asked for, in order."""
        return [asked.path for asked in self.asked]

    def _handler(self) -> type[http.server.BaseHTTPRequestHandler]:
        upstream = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def setup(self) -> None:
                super().setup()
                upstream.connections += 1

            def do_GET(self) -> None:
                fields = {name.lower(): value for name, value in self.headers.items()}
                asked = Asked(self.path, fields)
                upstream.asked.append(asked)
                found = upstream.pages.get(self.path, Answer(b"no\n", 404))
                if callable(found):
                    found = found(asked)
                self._answer(found if isinstance(found, Answer) else Answer(found))

            def _answer(self, answer: Answer) -> None:
                if answer.raw is not None:
                    self.wfile.write(answer.raw)
                    self.close_connection = True
                    return
                tag = f'"{md5(answer.content).hexdigest()[:8]}"'
                status = answer.status
                if status == 200 and self.headers.get("If-None-Match") == tag:
                    status = 304
                content = b"" if status == 304 else gzip.compress(answer.content, 1)
                self.send_response(status)
                for name, value in answer.fields:
                    self.send_header(name, value)
                if answer.status == 200:
                    self.send_header("ETag", tag)
                if content:
                    self.send_header("Content-Encoding", "gzip")
                if status != 304:
                    self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def version_string(self) -> str:
                return upstream.server_name

            def log_message(self, format: str, *args: Any) -> None:
                pass

        return Handler


def editor() -> dict[str, Page]:
    """The pages of a small RFC Editor; the index lies above the documents, as it does there."""
    pages: dict[str, Page] = {f"/rfc/rfc{n}.txt": text(n) for n in (237, 768, 2324, 9515)}
    for number in (20, 793, 2119, 2616, 3411, 7168, 7231, 8174, 9110, 9293):
        pages[f"/rfc/rfc{number}.txt"] = DOCUMENT % number
    record = {"doc_id": "RFC2324", "title": " Coffee ", "updated_by": ["RFC7168"]}
    url = "https://www.rfc-editor.org/errata/rfc2324"
    pages["/rfc/rfc2324.json"] = json.dumps({**record, "errata_url": url}).encode()
    pages["/rfc/rfc9110.pdf"] = b"%PDF-1.5\n\xff\xfe\n"
    pages["/rfc-index.xml"] = index_data()
    erratum = {"doc-id": "RFC2324", "errata_id": "682", "errata_status_code": "Verified"}
    pages["/errata.json"] = json.dumps([{**erratum, "section": "2.1"}]).encode()
    return pages
