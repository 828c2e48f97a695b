"""The origin that caches and proxies are put in front of: files, to be kept for an hour.

Run: ``python -m benchmarks.peers.origin PORT DIRECTORY``.
"""

import http.server
import sys
from functools import partial
from pathlib import Path
from typing import Any


class Handler(http.server.SimpleHTTPRequestHandler):
    """Serves the files of a directory."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def end_headers(self) -> None:
        self.send_header("Cache-Control", "max-age=3600")
        super().end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Says nothing."""


class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 256


def main(port: str, directory: str) -> None:
    """Serve until a signal comes."""
    handler = partial(Handler, directory=str(Path(directory)))
    Server(("127.0.0.1", int(port)), handler).serve_forever()


if __name__ == "__main__":
    main(*sys.argv[1:])
