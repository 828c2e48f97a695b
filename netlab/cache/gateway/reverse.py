"""One origin, and the cache in front of it."""

from __future__ import annotations

from netlab.errors import ConfigurationError, LocalProtocolError
from netlab.escaping import escape
from netlab.http import Request, RequestError, Response
from netlab.http.fetching.uris import parse_uri

from .gateway import Gateway
from .serving import Reply


def parse_origin(text: str) -> str:
    """``http://HOST[:PORT]`` or ``https://…``, without a path. Raises ``ConfigurationError``."""
    try:
        where = parse_uri(text)
    except LocalProtocolError:
        where = None
    if where is None or where.target not in ("", "/") or not where.port or "#" in text:
        raise ConfigurationError(
            f"'{escape(text, 80)}' is no origin: give http://HOST[:PORT] or https://HOST[:PORT], "
            "without a path"
        )
    return where.origin


class ReverseProxy:
    """Handles requests for one origin: its paths are this server's paths."""

    def __init__(self, gateway: Gateway, origin: str) -> None:
        self._gateway = gateway
        self._origin = parse_origin(origin)

    def uris(self, request: Request) -> list[str]:
        """Under which URI the target of ``request`` is stored. Raises ``RequestError``."""
        path = request.path
        # "x:.example.net/" has a path as well: behind the origin's name it were another host.
        if not path.startswith("/") or request.scheme not in ("http", "https"):
            raise RequestError(400, "the target is neither a path nor an http or https URI")
        query = f"?{request.query}" if "?" in request.target else ""
        return [f"{self._origin}{path}{query}"]

    def handle(self, request: Request) -> Reply:
        """See ``netlab.http.Handler``. Whatever host the target names, the origin is asked."""
        again = self._gateway.again
        found = again.find(request)
        if found is not None:
            return found
        if request.target == "*":  # it is about this server (RFC 9110, 9.3.7)
            return Response(204)
        reply = self._gateway.respond(request, *self.uris(request))
        if isinstance(reply, Response) and reply.status == 200:  # from the store, at once
            return again.keep(request, reply)
        return reply
