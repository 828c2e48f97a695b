"""Asking origins, and leaving those alone that fail."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import AsyncIterable, Awaitable, Callable
from math import inf

from netlab.cache.policy.uris import origin
from netlab.escaping import escape
from netlab.fields import Fields, ProxyError, parse_date
from netlab.http.fetching import FetchError
from netlab.transport import Log

from .bodies import Fetched
from .breaker import KNOWN, Breakers

Fetch = Callable[[str, str, Fields, AsyncIterable[bytes] | None], Awaitable[Fetched]]
"""``Fetcher.fetch``, or what does the same: method, URI, fields and body."""

OUT_OF_REACH = frozenset(
    {
        *(ProxyError.DNS_TIMEOUT, ProxyError.DNS_ERROR, ProxyError.DESTINATION_UNAVAILABLE),
        *(ProxyError.DESTINATION_IP_UNROUTABLE, ProxyError.CONNECTION_REFUSED),
        *(ProxyError.CONNECTION_TIMEOUT, ProxyError.CONNECTION_LIMIT_REACHED),
        *(ProxyError.TLS_PROTOCOL_ERROR, ProxyError.TLS_CERTIFICATE_ERROR),
        ProxyError.HTTP_RESPONSE_TIMEOUT,
    }
)
"""Errors that another request would run into as well: it need not be tried."""


class Upstream:
    """``fetch``, with a breaker for each origin.

    seconds   a steady clock
    clock     the time in seconds since the epoch
    troubled  status codes by which an origin says that it cannot cope, whatever is asked for
    """

    log = Log()

    def __init__(
        self,
        fetch: Fetch,
        *,
        seconds: Callable[[], float],
        clock: Callable[[], float],
        troubled: frozenset[int],
    ) -> None:
        self._fetch = fetch
        self._seconds = seconds
        self._clock = clock
        self._troubled = troubled
        self._origins = Breakers()
        self._answered: OrderedDict[str, float] = OrderedDict()  # when each did so last

    def allows(self, uri: str) -> bool:
        """Whether to ask the origin of ``uri`` now; if so, it has to be done at once."""
        return self._origins.allows(_name(uri), self._seconds())

    def rest(self, uri: str) -> float:
        """In how many seconds its origin may be asked again."""
        found = self._origins.get(_name(uri))
        return 0.0 if found is None else max(0.0, found.until - self._seconds())

    async def fetch(
        self, method: str, uri: str, fields: Fields, body: AsyncIterable[bytes] | None = None
    ) -> Fetched:
        """Fetches, and lets the breaker know. Raises what the fetch does."""
        name = _name(uri)
        began = self._seconds()
        try:
            fetched = await self._fetch(method, uri, fields, body)
        except FetchError as error:
            if _tells(error, body, answers=self._answered.get(name, -inf) > began):
                self._failed(name, str(error))
            else:
                self._origins.given_up(name)
            raise
        except BaseException:
            self._origins.given_up(name)
            raise
        self._note_answer(name)
        if fetched.status in self._troubled:
            asked_for = retry_after(fetched.fields, self._clock())
            self._failed(name, f"it answers with {fetched.status}", asked_for)
        else:
            found = self._origins.get(name)
            if found is not None and found.open:
                self.log.info("{origin} answers again", origin=escape(name))
            self._origins.succeeded(name)
        return fetched

    def _note_answer(self, name: str) -> None:
        self._answered[name] = self._seconds()
        self._answered.move_to_end(name)
        if len(self._answered) > KNOWN:
            self._answered.popitem(last=False)

    def _failed(self, name: str, why: str, asked_for: float = 0.0) -> None:
        before = self._origins.get(name)
        was_open = before is not None and before.open
        self._origins.failed(name, self._seconds(), asked_for)
        found = self._origins.get(name)
        if found is not None and found.open and not was_open:
            self.log.warn(
                "{origin} is left alone for {rest:.0f} s, and then asked once at a time: {why}",
                origin=escape(name),
                rest=found.until - self._seconds(),
                why=escape(why, 200),
            )


def retry_after(fields: Fields, now: float) -> float:
    """For how many seconds ``Retry-After`` asks to wait (RFC 9110, 10.2.3); 0 if it does not."""
    value = fields.get("retry-after")
    if value is None:
        return 0.0
    if value.isdecimal() and value.isascii():
        return float(value[:9])
    date = parse_date(value, now)
    return 0.0 if date is None else max(0.0, date - now)


def _tells(error: FetchError, body: object, *, answers: bool) -> bool:
    """Whether an error says something of the origin, and not of one request.

    Three requests that an origin hates, or takes long for, or a client that sends slowly,
    must not close the origin to all the others. ``answers`` is whether it has answered
    others since this request began.
    """
    kind = error.proxy_status
    if kind is ProxyError.CONNECTION_LIMIT_REACHED:  # our own queue
        return False
    if kind is ProxyError.HTTP_RESPONSE_TIMEOUT and (answers or body is not None):
        return False
    return kind in OUT_OF_REACH


def _name(uri: str) -> str:
    scheme, host, port = origin(uri)
    return f"{scheme}://{host}:{port}"
