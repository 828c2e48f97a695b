"""Bodies on their way through a gateway, and how they break off."""

from __future__ import annotations

from typing import Any, Protocol

from netlab.errors import NetlabError
from netlab.escaping import escape
from netlab.fields import Fields
from netlab.http import RequestError
from netlab.http.fetching import FetchError
from netlab.transport import Log

_log = Log()

PIECE = 64 * 1024
"""Bytes of a body at a time."""


class Fetched(Protocol):
    """A response, as ``netlab.http.fetching.Fetched`` is one."""

    status: int
    reason: str
    version: str
    fields: Fields

    def __aiter__(self) -> Any:
        """The body, piece by piece."""

    def abort(self, reason: Exception | None = None) -> None:
        """Lets go of the rest of it."""


class Content(Protocol):
    """A body of a response: to be iterated over, or to be closed."""

    def __aiter__(self) -> Any:
        """The body, piece by piece."""

    def close(self) -> None:
        """Lets go of it, read to the end or not."""

    async def aclose(self) -> None:
        """The same, where something awaitable is wanted."""


class Part:
    """The bytes of ``content`` from ``start`` to ``stop``, copied no faster than they are sent.

    So many who want a part of something long do not each have a copy of it in memory.
    """

    def __init__(self, content: bytes, start: int, stop: int) -> None:
        self._content = content
        self._at = start
        self._stop = stop

    def __aiter__(self) -> Part:
        return self

    async def __anext__(self) -> bytes:
        at = self._at
        if at >= self._stop:
            raise StopAsyncIteration
        self._at = min(at + PIECE, self._stop)
        return self._content[at : self._at]

    def close(self) -> None:
        """See ``Content``."""
        self._stop = 0
        self._content = b""

    async def aclose(self) -> None:
        """See ``Content``."""
        self.close()


class Passing:
    """The body of ``fetched``, for the one who asked for ``uri``.

    Iterating raises ``RequestError`` where the origin breaks off: the server ends the
    client's connection then, so that nobody takes a part for the whole.
    """

    def __init__(self, fetched: Fetched, uri: str) -> None:
        self._fetched = fetched
        self._pieces = fetched.__aiter__()
        self._uri = uri

    def __aiter__(self) -> Passing:
        return self

    async def __anext__(self) -> bytes:
        try:
            piece: bytes = await self._pieces.__anext__()
        except RequestError:  # of the request's own body, which was still on its way
            raise
        except NetlabError as error:
            tell_broken_off(self._uri, error)
            raise broken_off(error) from None
        return piece

    def close(self) -> None:
        """See ``Content``."""
        self._fetched.abort()

    async def aclose(self) -> None:
        """See ``Content``."""
        self.close()


def broken_off(error: Exception) -> RequestError:
    """What the reader of a body gets when ``error`` ends it: the answer, if none was begun."""
    if isinstance(error, FetchError):
        return RequestError(error.status, str(error))
    return RequestError(502, "the origin's answer broke off")


def tell_broken_off(uri: str, error: Exception) -> None:
    """Writes into the log that an origin's answer broke off: once for each answer."""
    _log.warn("{uri}: {reason}", uri=escape(uri, 200), reason=escape(str(error), 200))
