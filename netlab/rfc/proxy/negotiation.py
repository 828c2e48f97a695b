"""What a client takes: HTML or text, compressed or not (RFC 9110, 12.5)."""

from __future__ import annotations

import zlib
from collections import OrderedDict
from hashlib import blake2b

from netlab.fields import Fields, parse_parameterized, parse_weight, split_list
from netlab.http import Response

WORTH_IT = 1024
"""Bytes from which on compressing pays."""
_COMPRESSIBLE = ("text/", "application/json", "application/xml", "image/svg+xml")
_LEVEL = 6
_OURS = '-gzip"'


def takes_html(fields: Fields) -> bool:
    """Whether the client asks for HTML by name, as browsers do; curl and urllib do not."""
    weights = _weights(fields.get("accept"))
    return weights.get("text/html", weights.get("application/xhtml+xml", 0)) > 0


def takes_gzip(fields: Fields) -> bool:
    """Whether the client takes content that is compressed with gzip."""
    weights = _weights(fields.get("accept-encoding"))
    return weights.get("gzip", weights.get("x-gzip", weights.get("*", 0))) > 0


def _weights(value: str | None) -> dict[str, int]:
    """How much each member of a list is wanted; what is malformed is left out."""
    found = {}
    for member in split_list(value or ""):
        parsed = parse_parameterized(member)
        if parsed is not None:
            weight = parse_weight(parsed[1].get("q", "1"))
            found[parsed[0].strip().lower()] = 0 if weight is None else weight
    return found


def compressible(fields: Fields) -> bool:
    """Whether content of this type becomes smaller."""
    kind = (fields.get("content-type") or "").lower()
    return kind.startswith(_COMPRESSIBLE) and "content-encoding" not in fields


def asking_for_whole(fields: Fields) -> Fields:
    """A request's fields, with the tags of what is stored in place of those compressed here."""
    value = fields.get("if-none-match")
    if value is None or _OURS not in value:
        return fields
    return fields.setting("If-None-Match", value.replace(_OURS, '"'))


def knows_compressed(fields: Fields) -> bool:
    """Whether the client asks about something that was compressed here."""
    return _OURS in (fields.get("if-none-match") or "")


def renamed(fields: Fields) -> Fields:
    """A response's fields, with the tag of its compressed variant."""
    tag = fields.get("etag")
    if tag is None or not tag.endswith('"'):
        return fields
    return fields.setting("ETag", tag[:-1] + _OURS)


class Compressed:
    """The compressed variants of contents, for those that were asked for last.

    ``most`` bytes of them are kept.
    """

    def __init__(self, most: int = 16 << 20) -> None:
        self._most = most
        self._size = 0
        self._kept: OrderedDict[bytes, bytes] = OrderedDict()

    def find(self, content: bytes) -> bytes | None:
        """The variant of ``content``, if it is there."""
        name = _name(content)
        found = self._kept.get(name)
        if found is not None:
            self._kept.move_to_end(name)
        return found

    def keep(self, content: bytes, variant: bytes) -> None:
        """``variant`` is what ``compress`` made of ``content``."""
        name = _name(content)
        if name in self._kept or len(variant) > self._most:
            return
        self._kept[name] = variant
        self._size += len(variant)
        while self._size > self._most:
            self._size -= len(self._kept.popitem(last=False)[1])


def compress(content: bytes) -> bytes:
    """``content`` compressed with gzip: the same bytes each time."""
    packer = zlib.compressobj(_LEVEL, zlib.DEFLATED, 16 + zlib.MAX_WBITS)
    return packer.compress(content) + packer.flush()


def packed(response: Response, variant: bytes) -> Response:
    """``response`` with its compressed variant as its body."""
    fields = renamed(response.fields).without("content-length", "accept-ranges")
    fields = fields.adding(("Content-Encoding", "gzip"))
    return Response(response.status, fields, variant)


def _name(content: bytes) -> bytes:
    return blake2b(content, digest_size=16).digest()
