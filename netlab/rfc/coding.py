"""Responses of the RFC Editor, which are always compressed, as what they were before.

The entity tag of a compressed response is that of other bytes. What is stored of it has
the tag with a word more, and an upstream that is asked about that one is asked about its
own (RFC 9110, 8.8.3).
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator

from netlab.errors import RemoteProtocolError
from netlab.fields import Fields, split_list

LONGEST = 64 << 20
"""Bytes that a compressed response may become; the largest RFC has 2 million, the index 14."""

_PIECE = 256 * 1024
_OURS = '-identity"'
_NO_LONGER = ("content-encoding", "content-length", "content-md5", "digest", "accept-ranges")


class WrongCoding(RemoteProtocolError):
    """A response whose content coding nobody asked for, or cannot be undone."""

    kind = "wrong_coding"


class TooLong(WrongCoding):
    """A response that becomes longer than any document is."""

    kind = "too_long"


def is_packed(fields: Fields) -> bool:
    """Whether a response with ``fields`` is compressed; raises ``WrongCoding`` if not by gzip."""
    value = fields.get("content-encoding")
    codings = split_list(value.lower()) if value else []
    if not codings or codings == ["identity"]:
        return False
    if codings not in (["gzip"], ["x-gzip"]):
        raise WrongCoding("the upstream's answer has a content coding that nobody asked for")
    return True


def unpacked(fields: Fields) -> Fields:
    """The fields of a compressed response, for what it becomes."""
    return validated(fields.without(*_NO_LONGER))


def asking(fields: Fields) -> tuple[Fields, bool]:
    """The fields to send, for those of a request about what is stored; and whether a tag was ours.

    If it was, the tags in a 304 are the upstream's too: see ``validated``.
    """
    value = fields.get("if-none-match")
    if value is None or _OURS not in value:
        return fields, False
    return fields.setting("If-None-Match", value.replace(_OURS, '"')), True


def validated(fields: Fields) -> Fields:
    """The fields of a 304, with the tag of what is stored."""
    tag = fields.get("etag")
    if tag is None or not tag.endswith('"'):
        return fields
    return fields.setting("ETag", tag[:-1] + _OURS)


class Unpacking:
    """Undoes gzip, a piece at a time and never more than ``LONGEST`` bytes in all."""

    def __init__(self) -> None:
        self._zlib = zlib.decompressobj(16 + zlib.MAX_WBITS)
        self._size = 0

    def feed(self, data: bytes) -> Iterator[bytes]:
        """What ``data`` becomes, in pieces. Raises ``WrongCoding`` and ``TooLong``."""
        while data:
            try:
                piece = self._zlib.decompress(data, _PIECE)
            except zlib.error:
                raise WrongCoding("the upstream's answer cannot be uncompressed") from None
            if self._zlib.unused_data:
                raise WrongCoding("the upstream's answer goes on behind what is compressed")
            data = self._zlib.unconsumed_tail
            yield from self._counted(piece)

    def end(self) -> Iterator[bytes]:
        """The rest. Raises ``WrongCoding`` if it is not the end."""
        rest = self._zlib.flush()
        if not self._zlib.eof:
            raise WrongCoding("the upstream's answer ends in the middle of what is compressed")
        yield from self._counted(rest)

    def _counted(self, piece: bytes) -> Iterator[bytes]:
        self._size += len(piece)
        if self._size > LONGEST:
            raise TooLong(f"the upstream's answer becomes more than {LONGEST} bytes")
        if piece:
            yield piece
