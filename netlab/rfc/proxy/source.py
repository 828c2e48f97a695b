"""Where documents come from: the mirror, then the upstream."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from twisted.internet.task import deferLater

from netlab.cache.policy import Request, Response
from netlab.escaping import escape
from netlab.fields import Fields, ProxyError
from netlab.http.fetching import Fetched, FetchError
from netlab.rfc.coding import asking, validated
from netlab.rfc.freshness import FRESHNESS, amended, is_upstream
from netlab.rfc.names import Listing, Name
from netlab.transport import Log

from .decoded import Decoded, decoded
from .mirror import Found, Mirror

MIRROR = "http://mirror.invalid/"
"""Where the files of the mirror are, for the cache: nobody else's (RFC 6761, 6.4)."""
_MIRRORED = "max-age=60, stale-if-error=315360000"
"""A file may be replaced at any time, and to look again costs little."""
_REFUSED = 403  # of all errors, the one for which the others' documents are still asked for

Fetch = Callable[..., Awaitable[Fetched]]


class Source:
    """Fetches for the gateway: ``fetch`` is for it, ``amend`` is as well.

    base    the URL of the upstream's documents, from ``parse_base``
    fetch   asks the upstream; ``None``: it is never asked
    mirror  is looked into first
    reactor tells when it is later
    """

    log = Log()

    def __init__(
        self, base: str, fetch: Fetch | None, mirror: Mirror | None, *, reactor: Any
    ) -> None:
        self._reactor = reactor
        self.base = base
        self.offline = fetch is None
        self._fetch = fetch
        self._mirror = mirror
        self._told: set[str] = set()

    def uris(self, name: Name | Listing) -> tuple[str, ...]:
        """Where a file may be, the likeliest first; in the mirror, if it is there."""
        mirrored, *upstream = self.all_uris(name)
        if self._mirror is not None and self._mirror.holds(_path(name)):
            return (mirrored,)
        return tuple(upstream)

    def all_uris(self, name: Name | Listing) -> tuple[str, ...]:
        """Where a file may be, or may have been once."""
        upstream = (name.url(self.base),) if isinstance(name, Name) else name.urls(self.base)
        return (MIRROR + _path(name), *upstream)

    def is_near(self, uri: str) -> bool:
        """Whether it is in the mirror."""
        return uri.startswith(MIRROR)

    async def fetch(
        self, method: str, uri: str, fields: Fields, body: Any = None
    ) -> Fetched | Decoded | Found:
        """See ``netlab.http.fetching.Fetcher.fetch``. ``uri`` is one of ``uris``."""
        if self._mirror is not None and self.is_near(uri):
            await deferLater(self._reactor, 0)  # an answer comes later, as any other does
            found = self._mirror.open(uri.removeprefix(MIRROR), fields)
            if found is None:
                text = "the file is not in the mirror any more"
                raise FetchError(ProxyError.DESTINATION_UNAVAILABLE, text)
            return found
        if self._fetch is None:
            raise FetchError(ProxyError.DESTINATION_UNAVAILABLE, "this server is offline")
        fields, ours = asking(fields.setting("Accept-Encoding", "gzip"))
        fetched = await self._fetch(method, uri, fields, body, redirect_to=self.is_upstream)
        wrong = _wrong(uri, fetched)
        if wrong:
            fetched.abort()
            return self._refused(uri, wrong)
        if fetched.status == 304 and ours:
            fetched.fields = validated(fetched.fields)
            return fetched
        return decoded(fetched)

    def is_upstream(self, uri: str) -> bool:
        """Whether a redirection leads to the upstream's own hosts."""
        return is_upstream(self.base, uri)

    def amend(self, asked: Request, response: Response) -> Response:
        """Says how long ``response`` is kept, and forgets what is not about the document."""
        response = amended(asked, response)
        if not self.is_near(asked.uri) or FRESHNESS not in response.fields:
            return response
        fields = response.fields.setting(FRESHNESS, _MIRRORED)
        return Response(response.status, fields, response.reason)

    def _refused(self, uri: str, wrong: str) -> Found:
        """What is as good as no answer; what was stored takes its place."""
        if wrong not in self._told:
            self._told = {wrong, *list(self._told)[:9]}
            self.log.warn("{uri}: {wrong}", uri=escape(uri, 200), wrong=wrong)
        return Found(_REFUSED, Fields(), -1)


def _path(name: Name | Listing) -> str:
    return name.path if isinstance(name, Name) else name.value


def _wrong(uri: str, fetched: Fetched) -> str:
    """Why an answer is none, if it is not. ``uri`` was asked for."""
    if fetched.status in (200, 304) or fetched.status >= 400:
        kind = (fetched.fields.get("content-type") or "").lower()
        is_page = fetched.status == 200 and kind.startswith("text/html")
        if is_page and not uri.endswith(".html"):  # as of a network that wants a login first
            return "the upstream answers with a web page in place of the file"
        return ""
    where = fetched.fields.get("location")
    if fetched.status < 400 and where is not None:
        return f"the upstream redirects to {escape(where, 200)}, which is not its own: not followed"
    return f"the upstream answers with {fetched.status}, which means nothing here"
