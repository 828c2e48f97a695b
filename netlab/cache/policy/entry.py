"""A stored response, as a value that can be written down."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from netlab.errors import LocalProtocolError
from netlab.fields import Fields, parse_content_length


class Entry(Struct, frozen=True, kw_only=True, dict=True):
    """A response that is stored: its head, and where its content is.

    Only complete responses to GET are stored (RFC 9111, 3.3 and 3.4 are not
    made use of): never a part, never two responses joined into one. While its
    content is still coming, ``body_size`` is ``None``; such an entry may serve
    those who wait for the same content, and must not be written down.
    """

    key: str
    """See ``cache_key``."""
    selecting: tuple[tuple[str, str | None], ...] = ()
    """The request fields that ``Vary`` names, in lower case and in order, with their
    normalized values; ``None`` for one that was not there (4.1)."""
    status: int
    reason: str = ""
    fields: Fields
    """What is stored of the response's fields (3.1)."""
    request_time: float
    """When the request was sent, in seconds since the epoch (4.2.3)."""
    response_time: float
    """When the response's head was received."""
    body_digest: str = ""
    """The name of the content in the store."""
    body_size: int | None = None
    """The length of the content in bytes."""
    invalid: bool = False
    """Whether it must be validated before any use, fresh or not (4.4)."""


def completed(entry: Entry, body_digest: str, body_size: int) -> Entry:
    """The entry, now that all of its content has come.

    Raises ``LocalProtocolError`` if ``Content-Length`` says otherwise: then the
    content is not complete and must not be kept (3.3).
    """
    said = entry.fields.get("content-length")
    if said is not None and parse_content_length(said) != body_size:
        raise LocalProtocolError(
            f"{body_size} bytes came, Content-Length says {said}: keep complete responses only"
        )
    return replace(entry, body_digest=body_digest, body_size=body_size)


def to_json(entry: Entry) -> bytes:
    """The entry as a JSON object, for ``from_json``."""
    return _encoder.encode(entry)


def from_json(data: bytes) -> Entry:
    """The entry that ``to_json`` wrote; ``ValueError`` says what is wrong with anything else."""
    try:
        return _decoder.decode(data)
    except (msgspec.DecodeError, LocalProtocolError, UnicodeDecodeError) as error:
        raise ValueError(f"not an entry of a cache: {error}") from None


def _encode(value: object) -> Any:
    if isinstance(value, Fields):
        return list(value)
    raise NotImplementedError(type(value))


def _decode(kind: type, value: Any) -> Any:
    if kind is Fields:
        return Fields(msgspec.convert(value, list[tuple[str, str]]))
    raise NotImplementedError(kind)


_encoder = msgspec.json.Encoder(enc_hook=_encode)
_decoder = msgspec.json.Decoder(Entry, dec_hook=_decode)
