"""The body of a response on its way in: where it ends (RFC 9112, 6.3)."""

from __future__ import annotations

from typing import Protocol

from ..errors import RequestError
from ..head import Section
from ..incoming import Incoming
from .errors import wrong
from .head import Head
from .limits import FetchLimits

_CHUNKED = b"Transfer-Encoding: chunked\r\n\r\n"


class Receiving(Protocol):
    """A body as it comes.

    may_end  whether the end of the connection is its end
    clean    whether another response can follow
    """

    may_end: bool
    clean: bool

    @property
    def size(self) -> int:
        """Bytes of content so far."""

    @property
    def complete(self) -> bool:
        """Whether all of it has come."""

    def feed(self, data: bytes) -> bytes:
        """The content in ``data``. Raises ``FetchError`` for what cannot be part of the body."""


def receiving(head: Head, limits: FetchLimits) -> Receiving:
    """What reads the body behind ``head``."""
    if head.bodiless:
        return _Nothing()
    if head.chunked:
        return _Chunks(limits)
    if head.length is not None:
        return _Counted(head.length)
    return _UntilClose()


class _Nothing:
    """No body. What comes all the same is no part of the answer."""

    may_end = False
    size = 0
    complete = True

    def __init__(self) -> None:
        self.clean = True

    def feed(self, data: bytes) -> bytes:
        self.clean = not data
        return b""


class _Counted:
    """A body whose length was announced."""

    may_end = False
    clean = True

    def __init__(self, length: int) -> None:
        self._length = length
        self.size = 0
        self.complete = False

    def feed(self, data: bytes) -> bytes:
        self.size += len(data)
        self.complete = self.size >= self._length
        if self.size > self._length:
            raise wrong(f"its body has more than the {self._length} bytes that it announces")
        return data


class _Chunks:
    """A body in chunks, read as those of requests are."""

    may_end = False
    clean = True

    def __init__(self, limits: FetchLimits) -> None:
        section = Section(_CHUNKED, (1, 1))
        section.length = None
        self._incoming = Incoming(
            section,
            max_body=None,
            max_overhead=limits.max_head,
            max_fields=limits.max_fields,
        )

    @property
    def size(self) -> int:
        return self._incoming.size

    @property
    def complete(self) -> bool:
        return self._incoming.complete

    def feed(self, data: bytes) -> bytes:
        try:
            end = self._incoming.feed(data, 0)
        except RequestError as error:
            raise wrong(error.text) from None
        if end < len(data):
            raise wrong("more follows its body")
        return b"".join(self._incoming.take())


class _UntilClose:
    """A body that ends with its connection."""

    may_end = True
    complete = False
    clean = False

    def __init__(self) -> None:
        self.size = 0

    def feed(self, data: bytes) -> bytes:
        self.size += len(data)
        return data
