"""The web site: what is where, for browsers, for programs, and for proxies' clients."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Collection, Iterable
from ipaddress import IPv4Address, IPv6Address, ip_address

from netlab.cache.gateway import Purging
from netlab.cache.gateway.purging import METHOD
from netlab.escaping import escape
from netlab.http import Answer, Request, RequestError, Response
from netlab.rfc.names import FORMATS, HOSTS, Form, Listing, Name, NotAName, is_known_host, parse
from netlab.rfc.style import STYLE, STYLE_PATH

from .api import Api
from .files import Files
from .library import Library
from .negotiation import takes_html
from .saying import NOSNIFF, error
from .views import Views

_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^:\[\]]*)(?::([0-9]*))?")
_READ = ("Allow", "GET, HEAD, OPTIONS")
_HOUR = ("Cache-Control", "max-age=3600")
_ROBOTS = b"User-agent: *\nDisallow: /search\nDisallow: /api/\n"
_WEB = ("http", "https")


def _no_ports() -> Collection[int]:
    return ()


class Site:
    """Answers requests.

    library  what there is to show
    hosts    names under which this server is reached, besides ``localhost`` and its
             addresses: a page of another site must not read this one by having its own
             name lead here
    ports    tells where it listens; what a proxy's client asks of another port of this
             machine is meant for another server
    """

    def __init__(
        self,
        library: Library,
        hosts: Iterable[str] = (),
        ports: Callable[[], Collection[int]] = _no_ports,
    ) -> None:
        self._hosts = frozenset(each.lower() for each in hosts)
        self._ports = ports
        self._library = library
        self._again = library.gateway.again
        self._purging = Purging(self, library.gateway, self._uris)
        self._files = Files(library, self._again)
        self._views = Views(library, self._files)
        self._api = Api(library)
        self._pages: dict[str, Callable[[Request], Response | Awaitable[Response]]] = {
            "/": self._views.front,
            "/search": self._views.search,
            "/library": self._views.at_hand,
            "/favicon.ico": lambda _: Response(204, [_HOUR]),
            "/robots.txt": lambda _: _fixed("text/plain; charset=utf-8", _ROBOTS),
            STYLE_PATH: lambda _: _fixed("text/css; charset=utf-8", STYLE.encode()),
        }

    def handle(self, request: Request) -> Answer:
        """See ``netlab.http.Handler``."""
        found = self._again.find(request)
        return found if found is not None else self._refused(request) or self._found(request)

    # -- who may ask for what

    def _refused(self, request: Request) -> Response | None:
        """What is said to a request that is not for this server."""
        if request.method not in ("GET", "HEAD", METHOD):
            if request.method == "OPTIONS":
                return Response(204, [_READ])
            why = "documents here can be read, and nothing else"
            return error(request, 405, "Not possible", why, _READ)
        if request.target.startswith("/"):
            if not self._is_here(request.authority):
                why = (
                    f"this server is not {escape(request.authority, 80)}; "
                    "whoever runs it can name more hosts with --host"
                )
                return error(request, 421, "Another host", why)
        elif not (request.scheme in _WEB and self._is_served(request.authority)):
            why = (
                "this proxy serves the hosts of the RFC Editor and the IETF, such as "
                "www.rfc-editor.org, and no others"
            )
            return error(request, 403, "Not served", why)
        origin = request.fields.get("origin")
        if origin is not None and not self._is_here(origin.partition("://")[2] or "null"):
            return error(request, 403, "Another site", "pages of other sites may not read this one")
        return None

    def _is_here(self, authority: str) -> bool:
        """Whether ``authority`` is a name of this server, or one whose documents it serves."""
        if authority == "":  # HTTP/1.0, as programs and not browsers speak it
            return True
        host = _host(authority)[0]
        return self._is_named(authority, host) or host == "localhost" or _address(host) is not None

    def _is_served(self, authority: str) -> bool:
        """The same for a proxy's client, who means one server of all there are."""
        host, port = _host(authority)
        if self._is_named(authority, host):
            return True
        address = _address(host)
        local = host == "localhost" or (address is not None and address.is_loopback)
        return local and int(port or 80) in self._ports()

    def _is_named(self, authority: str, host: str) -> bool:
        return is_known_host(authority) if host in HOSTS else host in self._hosts

    # -- what is where

    def _uris(self, request: Request) -> Iterable[str]:
        """Under which URIs a document is stored. Raises ``RequestError``."""
        try:
            return self._library.source.all_uris(parse(request.path))
        except NotAName as wrong:
            raise RequestError(404, str(wrong)) from None

    def _found(self, request: Request) -> Answer:
        if request.method == METHOD:
            answer: Answer = self._purging.handle(request)
            return answer
        path = request.path
        page = self._pages.get(path)
        if page is not None:
            return page(request)
        if path.startswith("/api/"):
            return self._api.handle(request)
        try:
            name = parse(path)
        except NotAName as wrong:
            return error(request, 404, "Nothing is there", str(wrong))
        return self._named(request, name)

    def _named(self, request: Request, name: Name | Listing) -> Answer:
        if isinstance(name, Listing) or name.form in FORMATS:
            return self._files.answer(request, name)
        if name.form in (Form.INFO, Form.ERRATA):
            return self._views.info(request, name)
        if takes_html(request.fields):
            return self._views.read(request, name)
        return self._files.answer(request, name, vary="Accept")


def _host(authority: str) -> tuple[str, str]:
    """A host in lower case, and its port; '' for what is none."""
    matched = _HOST.fullmatch(authority)
    if matched is None:
        return "", ""
    return matched[1].lower().removesuffix("."), matched[2] or ""


def _address(host: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(host.strip("[]"))
    except ValueError:
        return None


def _fixed(kind: str, content: bytes) -> Response:
    return Response(200, [("Content-Type", kind), _HOUR, NOSNIFF], content)
