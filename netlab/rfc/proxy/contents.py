"""The whole content of responses, for those who need it in one piece."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import AsyncIterable, AsyncIterator, Awaitable

from netlab.cache.policy import Entry
from netlab.cache.store import Store
from netlab.errors import NetlabError
from netlab.http import FileBody, RequestError, Response
from netlab.http.sending import close_body


class NotThere(NetlabError):
    """A document could not be had: ``response`` says why."""

    kind = "not_there"

    def __init__(self, response: Response) -> None:
        super().__init__(f"status {response.status}")
        self.response = response


async def awaited(reply: Response | Awaitable[Response]) -> Response:
    """A reply that may be there already."""
    return reply if isinstance(reply, Response) else await reply


async def let_go(response: Response) -> None:
    """Nobody wants the body of this response."""
    body = response.body
    if isinstance(body, FileBody):
        body.close()
    elif body is not None and not isinstance(body, bytes):
        await close_body(body)
    response.body = None


async def content_of(response: Response, limit: int) -> bytes:
    """The whole body. Raises ``NotThere`` if it breaks off, or has more than ``limit`` bytes."""
    body = response.body
    if body is None or isinstance(body, bytes):
        return body or b""
    try:
        if isinstance(body, FileBody):
            if body.length > limit:
                raise NotThere(Response(502))
            return body.read(0, body.length)
        pieces = []
        size = 0
        async for piece in body:
            size += len(piece)
            if size > limit:
                raise NotThere(Response(502))
            pieces.append(piece)
        return b"".join(pieces)
    except RequestError as error:
        raise NotThere(Response(error.status)) from None
    finally:
        await let_go(response)


async def gather(response: Response, most: int) -> None:
    """Makes the body of ``response`` one piece, unless it has more than ``most`` bytes.

    So that its length can be told. A longer one goes on as it comes. Raises
    ``RequestError`` if it breaks off before.
    """
    body = response.body
    if body is None or isinstance(body, bytes | FileBody):
        return
    pieces = []
    size = 0
    try:
        async for piece in body:
            pieces.append(piece)
            size += len(piece)
            if size > most:
                response.body = _Begun(pieces, body)
                return
    except BaseException:
        await close_body(body)
        raise
    await close_body(body)
    response.body = b"".join(pieces)


class _Begun:
    """A body of which some pieces were read already."""

    def __init__(self, pieces: list[bytes], rest: AsyncIterable[bytes]) -> None:
        self._pieces = deque(pieces)
        self._rest = rest
        self._iterator = aiter(rest)

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        if self._pieces:
            return self._pieces.popleft()
        return await anext(self._iterator)

    async def aclose(self) -> None:
        """Lets go of it."""
        self._pieces.clear()
        await close_body(self._rest)


def stored_content(store: Store, entry: Entry) -> bytes | None:
    """The whole content of a stored response, however large; ``None`` if it is gone."""
    content = store.content(entry)
    if content is not None:
        return content
    descriptor = store.open(entry)
    if descriptor is None:
        return None
    with os.fdopen(descriptor, "rb") as file:
        return file.read()
