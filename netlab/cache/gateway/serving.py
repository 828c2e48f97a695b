"""Responses made of stored ones."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from twisted.internet.threads import deferToThreadPool

from netlab.cache.policy import Answer, CacheStatus, Entry, Request, Serve, answer
from netlab.cache.store import Store, StoreFailed
from netlab.fields import Fields, ProxyError, ProxyStatus
from netlab.http import FileBody, Response

from .bodies import PIECE, Content, Part
from .replies import Replies

Reply = Response | Awaitable[Response]


class Gone(Exception):
    """The content of an entry is not there any more, or was damaged; so is the entry."""


class Serving:
    """Makes replies of what is in ``store``.

    reactor  its threads read what takes long
    clock    the time in seconds since the epoch
    """

    def __init__(
        self, store: Store, replies: Replies, *, reactor: Any, clock: Callable[[], float]
    ) -> None:
        self._store = store
        self._replies = replies
        self._reactor = reactor
        self._clock = clock

    def reply(
        self,
        asked: Request,
        found: Serve,
        status: CacheStatus,
        *,
        validated: Fields | None = None,
        said: ProxyStatus | None = None,
    ) -> Reply:
        """The response to ``asked`` from ``found``.

        validated  with what fields the origin has said just now that it is right
        said       what went wrong with the origin, if that is why

        Raises ``Gone``: now, or when it is awaited.
        """
        entry = found.entry
        if validated is None:
            made = answer(asked, entry, self._clock(), age=found.age)
        else:
            made = answer(asked, entry, self._clock(), age=None, validated=validated)
        if made.start == made.stop:
            return self._made(made, None, status, said)
        content = self._store.content(entry)
        if content is not None:
            return self._made(made, _cut(made, content), status, said)
        if self._store.verified(entry):
            return self._made(made, self._file(entry, made), status, said)
        return self._read(entry, made, status, said)

    async def _read(
        self, entry: Entry, made: Answer, status: CacheStatus, said: ProxyStatus | None
    ) -> Response:
        """The same in a thread: all of the file is read, to compare it with its checksum."""
        pool = self._reactor.getThreadPool()
        file = await deferToThreadPool(self._reactor, pool, self._file, entry, made)
        return self._made(made, file, status, said)

    def _file(self, entry: Entry, made: Answer) -> FileBody | None:
        try:
            descriptor = self._store.open(entry)
        except StoreFailed:  # it is told by the store, and the entry stays
            return None
        if descriptor is None:
            raise Gone
        stop = entry.body_size if made.stop is None else made.stop
        return FileBody(descriptor, made.start, (stop or 0) - made.start)

    def _made(
        self,
        made: Answer,
        body: bytes | FileBody | Content | None,
        status: CacheStatus,
        said: ProxyStatus | None,
    ) -> Response:
        if body is None and made.start != made.stop:
            return self._replies.failed(
                ProxyError.PROXY_INTERNAL_ERROR,
                "what is stored cannot be read now; try again",
                status=503,
            )
        reply = self._replies.passed(made.status, made.fields, "1.1", body, status)
        return reply if said is None else reply.adding(("Proxy-Status", str(said)))


def _cut(made: Answer, content: bytes) -> bytes | Content:
    """What ``made`` wants of ``content``."""
    start, stop = made.start, len(content) if made.stop is None else made.stop
    if PIECE < stop - start < len(content):
        return Part(content, start, stop)
    return content[start:stop]


async def finished(reply: Reply) -> Response:
    """A reply that may be there already."""
    return reply if isinstance(reply, Response) else await reply
