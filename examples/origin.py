"""A small origin to put a cache in front of; it counts the requests that reach it.

    python origin.py 3000
    twistd -n netlab cache --origin http://localhost:3000

Nothing but the standard library. Each path has its own rules for caches, in ``RULES``,
and each answer says how many answers were made before it, so that an old one is known.
``docs/caching.md`` goes through them.
"""

from __future__ import annotations

import itertools
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

RULES: dict[str, dict[str, str]] = {
    "/fresh": {"Cache-Control": "max-age=60"},
    "/brief": {"Cache-Control": "max-age=2"},
    "/checked": {"Cache-Control": "max-age=0", "ETag": '"v1"'},
    "/relaxed": {"Cache-Control": "max-age=0, stale-while-revalidate=60"},
    "/reserve": {"Cache-Control": "max-age=0, stale-if-error=60"},
    "/greeting": {"Cache-Control": "max-age=60", "Vary": "Accept-Language"},
    "/secret": {"Cache-Control": "no-store"},
    "/mine": {"Cache-Control": "private"},
    "/nothing": {},
    "/slow": {"Cache-Control": "max-age=60"},
    "/shared": {"Cache-Control": "max-age=0, s-maxage=60"},
}
"""The fields of the answers on each path."""


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    counts = itertools.count(1)  # next() of it is safe among threads

    def do_GET(self) -> None:
        """Answers GET; a client that has the right entity tag is told so (304)."""
        fields = RULES.get(self.path)
        if fields is None:
            self.answer(404, {}, "nothing is here")
        elif fields.get("ETag", "") in self.headers.get_all("If-None-Match", []):
            self.answer(304, fields, "")
        else:
            if self.path == "/slow":
                time.sleep(0.5)
            self.answer(200, fields, self.content())

    def content(self) -> str:
        """What is at this path now."""
        if self.path != "/greeting":
            return f"answer {next(self.counts)}"
        language = self.headers.get("Accept-Language", "en")
        hello = {"de": "guten Tag", "fr": "bonjour"}.get(language, "hello")
        return f"{hello}, this is answer {next(self.counts)}"

    def do_POST(self) -> None:
        """Takes something, and forgets it."""
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.answer(200, {}, "thank you")

    def answer(self, status: int, fields: dict[str, str], content: str) -> None:
        """Sends an answer."""
        body = f"{content}\n".encode() if status != 304 else b""
        self.send_response(status)
        for name, value in fields.items():
            self.send_header(name, value)
        if status != 304:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Prints each request, and the status of its answer."""
        print(self.command, self.path, int(code), flush=True)


def main(port: str) -> None:
    """Serves until Ctrl-C."""
    with ThreadingHTTPServer(("127.0.0.1", int(port)), Handler) as server:
        print(f"the origin is at http://localhost:{server.server_port}", flush=True)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            pass


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python origin.py PORT")
    try:
        main(sys.argv[1])
    except (OSError, OverflowError, ValueError) as error:
        sys.exit(f"origin: {error}")
