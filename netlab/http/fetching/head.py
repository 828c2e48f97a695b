"""The head of a response, read strictly: its status line, its fields, where its body ends.

What two programs could read in two ways is no answer: a gateway that passed it
on could be made to serve, or to store, something that its upstream never sent
(RFC 9112, 11.1). Where RFC 9112 tells an intermediary to repair a response
rather than to refuse it (5.1, 5.2), it is repaired.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from netlab.errors import RemoteProtocolError
from netlab.fields import Fields, ProxyError, connection_options, parse_content_length

from .errors import FetchError, wrong

END = b"\r\n\r\n"
_STATUS = re.compile(rb"HTTP/1\.([0-9]) ([1-9][0-9]{2})(?: ([\t -~\x80-\xff]*))?\r\n")
_BEGIN = b"HTTP/1."
_FOLD = re.compile(rb"(?<![ \t])[ \t]*+(?:\r\n[ \t]++)++")
_STRAY = re.compile(rb"\r(?!\n|\Z)|(?<!\r)\n")
"""CR or LF alone; the LF after the last CR may still come."""
_BODILESS = (204, 304)
_LONGEST_LENGTH = 18  # digits: beyond any file, and short of 2 ** 63


@dataclass(frozen=True, slots=True)
class Head:
    """The head of a response.

    version     of HTTP: ``1.1`` or ``1.0``
    fields      all of them, as they were received
    length      of the content, as announced; ``None`` if it is not
    chunked     whether the body comes in chunks
    bodiless    whether no body follows, whatever the fields say (RFC 9112, 6.3)
    keep_alive  whether another response may follow (RFC 9112, 9.3)
    """

    version: str
    status: int
    reason: str
    fields: Fields
    length: int | None
    chunked: bool
    bodiless: bool
    keep_alive: bool

    @property
    def interim(self) -> bool:
        """Whether the final response is still to come (RFC 9110, 15.2)."""
        return self.status < 200


def check_part(part: bytes | bytearray, since: int) -> None:
    """Raises ``FetchError`` if no more bytes can make a good head of ``part``.

    Its first ``since`` bytes were checked before. Whoever waits for the rest of
    such a head would wait for the deadline.
    """
    if not since and part[: len(_BEGIN)] != _BEGIN[: len(part)]:
        hint = ": it speaks TLS" if part[:1] in (b"\x15", b"\x16") else ""
        raise wrong(f"it does not begin with HTTP/1.1{hint}")
    if _STRAY.search(part, since):
        raise wrong("a line of its head does not end in CR LF")


def read_head(raw: bytes, method: str, max_fields: int) -> Head:
    """The head ``raw``, which ends in ``END``, of an answer to ``method``.

    Raises ``FetchError``.
    """
    match = _STATUS.match(raw)
    if match is None:
        raise wrong("line 1 is not HTTP/1.1 STATUS REASON")
    fields = _fields(raw[match.end() : -2], max_fields)
    status = int(match[2])
    version = "1.0" if match[1] == b"0" else "1.1"
    if status == 101:
        raise wrong("it changes to another protocol, which nobody asked for")
    length, chunked = _framing(fields, version)
    bodiless = method == "HEAD" or status < 200 or status in _BODILESS or length == 0
    options = connection_options(fields)
    keep_alive = "close" not in options and (version == "1.1" or "keep-alive" in options)
    return Head(
        version,
        status,
        (match[3] or b"").decode("latin-1").strip(" \t"),
        fields,
        length,
        chunked,
        bodiless,
        keep_alive and (bodiless or chunked or length is not None),
    )


def _fields(section: bytes, max_fields: int) -> Fields:
    """The field lines of ``section``, each with its CR LF."""
    if _STRAY.search(section):
        raise wrong("a line of its head does not end in CR LF")
    if section[:1] in (b" ", b"\t"):
        raise wrong("line 2 begins with white space")
    if b"\r\n " in section or b"\r\n\t" in section:
        section = _FOLD.sub(b" ", section)  # 5.2
    lines = section.split(b"\r\n")[:-1]
    if len(lines) > max_fields:
        raise too_many_fields(max_fields)
    pairs = []
    for line in lines:
        name, colon, value = line.partition(b":")
        if not colon:
            raise wrong("a line of its head has no colon")
        pairs.append((name.rstrip(b" \t"), value))  # 5.1
    try:
        return Fields.received(pairs)
    except RemoteProtocolError as error:
        raise wrong(str(error)) from None


def _framing(fields: Fields, version: str) -> tuple[int | None, bool]:
    """The length that is announced, and whether the body is in chunks (RFC 9112, 6)."""
    coding = fields.get("transfer-encoding")
    announced = fields.get("content-length")
    if coding is not None:
        if announced is not None:
            raise wrong("it has a Content-Length and a Transfer-Encoding")  # 6.3
        if version == "1.0":
            raise wrong("HTTP/1.0 has no Transfer-Encoding")  # 6.1
        if coding.lower() != "chunked":
            raise unknown_coding()
        return None, True
    if announced is None:
        return None, False
    length = parse_content_length(announced)
    if length is None:
        raise wrong("its Content-Length is not one number")
    if any(len(each.strip(" \t")) > _LONGEST_LENGTH for each in announced.split(",")):
        raise wrong(f"its Content-Length has more than {_LONGEST_LENGTH} digits")
    return length, False


def too_many_fields(limit: int) -> FetchError:
    """For a head with more than ``limit`` lines."""
    return FetchError(
        ProxyError.HTTP_RESPONSE_HEADER_SECTION_SIZE,
        f"the head of the upstream's answer has more than {limit} fields",
    )


def too_long_head(limit: int) -> FetchError:
    """For a head of more than ``limit`` bytes."""
    return FetchError(
        ProxyError.HTTP_RESPONSE_HEADER_SECTION_SIZE,
        f"the head of the upstream's answer has more than {limit} bytes",
    )


def unknown_coding() -> FetchError:
    """For a transfer coding that nobody asked for (RFC 9112, 7.4)."""
    return FetchError(
        ProxyError.HTTP_RESPONSE_TRANSFER_CODING,
        "the upstream's answer has a transfer coding other than chunked",
    )
