"""Responses of an upstream that are compressed, as what they were before."""

from __future__ import annotations

from collections.abc import AsyncIterator

from netlab.fields import ProxyError
from netlab.http.fetching import Fetched, FetchError
from netlab.rfc.coding import TooLong, Unpacking, WrongCoding, is_packed, unpacked


class Decoded:
    """A compressed response as it comes, without its compression; else like ``Fetched``."""

    def __init__(self, fetched: Fetched) -> None:
        self._fetched = fetched
        self.status = fetched.status
        self.reason = fetched.reason
        self.version = fetched.version
        self.fields = unpacked(fetched.fields)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        unpacking = Unpacking()
        try:
            async for data in self._fetched:
                for piece in unpacking.feed(data):
                    yield piece
            for piece in unpacking.end():
                yield piece
        except WrongCoding as error:
            raise _failed(error) from None

    def abort(self, reason: Exception | None = None) -> None:
        """Lets go of the rest."""
        self._fetched.abort(reason)


def decoded(fetched: Fetched) -> Fetched | Decoded:
    """``fetched``, or what was compressed in it. Raises ``FetchError`` for another coding."""
    try:
        return Decoded(fetched) if is_packed(fetched.fields) else fetched
    except WrongCoding as error:
        fetched.abort()
        raise _failed(error) from None


def _failed(error: WrongCoding) -> FetchError:
    coding, size = ProxyError.HTTP_RESPONSE_CONTENT_CODING, ProxyError.HTTP_RESPONSE_BODY_SIZE
    return FetchError(size if isinstance(error, TooLong) else coding, str(error))
