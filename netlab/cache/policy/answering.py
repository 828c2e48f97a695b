"""The response that a client gets from a stored one (RFC 9111, 4; RFC 9110, 13.2.2 and 14)."""

from __future__ import annotations

from msgspec import Struct

from netlab.cache.policy.conditions import client_has_it, range_applies
from netlab.cache.policy.entry import Entry
from netlab.cache.policy.messages import Request
from netlab.fields import INFINITE, ContentRange, Fields, end_to_end, parse_range

_OF_THE_CONTENT = (
    *("content-type", "content-encoding", "content-language", "content-length", "content-range"),
)
_NONE = Fields()
_KNOWN_TO_THE_CLIENT = (*_OF_THE_CONTENT, "last-modified")


class Answer(Struct, frozen=True):
    """A response for a client: its head, and which part of the stored content follows."""

    status: int
    reason: str
    fields: Fields
    start: int = 0
    """The first byte of the stored content to send."""
    stop: int | None = 0
    """The byte before which to stop; ``None`` is "to the end", which is still to come."""


def answer(
    request: Request, entry: Entry, now: float, *, age: float | None, validated: Fields = _NONE
) -> Answer:
    """The answer to a GET or HEAD from a stored response.

    200 (or what the stored status is) with all of the content; 304 if the
    client has it; 206 with one range of it, or 416 if there is nothing in that
    range. A request for several ranges gets it all, which a server may do (RFC
    9110, 14.2). The answer to HEAD has no content.

    ``age`` is ``Serve.age``, and is sent (RFC 9111, 5.1); ``None`` when the
    origin has validated the response for this request; ``validated`` are the fields with
    which it did. What is not stored of them, as of ``private="set-cookie"``, is for this
    client. ``now`` is the present in seconds since the epoch.
    """
    aged = _age(entry, age)
    if validated:
        aged += _own(entry, validated)
    if client_has_it(request.fields, entry, now):
        return Answer(304, "Not Modified", _fields(entry, modified=False).adding(*aged))
    fields = _fields(entry, modified=True).adding(*aged)
    size = entry.body_size
    if request.method == "HEAD":
        return Answer(entry.status, entry.reason, fields)
    if entry.status == 200 and size:
        part = _part(request.fields, entry, size, now)
        if part is not None:
            return _partial(request.fields, fields, part, size)
    return Answer(entry.status, entry.reason, fields, 0, size)


def _age(entry: Entry, age: float | None) -> list[tuple[str, str]]:
    if age is not None:
        return [("Age", str(min(int(age), INFINITE)))]
    stored = entry.fields.get("age")  # of a cache on the way, which the origin has not seen
    return [] if stored is None else [("Age", stored)]


def _own(entry: Entry, fields: Fields) -> list[tuple[str, str]]:
    """What the origin has said to one client, of no content and of no connection."""
    stored = entry.fields.names()
    names = {name for name in fields.names() - stored if not name.startswith("content-")}
    return list(end_to_end(fields).only(*names)) if names else []


def _fields(entry: Entry, *, modified: bool) -> Fields:
    """What is sent of the stored fields, but for Age; made once for each entry."""
    memo = entry.__dict__
    name = "sent" if modified else "not modified"
    found: Fields | None = memo.get(name)
    if found is None:
        found = entry.fields.without("age")
        if not modified:
            # Content-Location, Date, ETag, Vary, Cache-Control and Expires stay (RFC 9110, 15.4.5).
            found = found.without(*_OF_THE_CONTENT)
        elif entry.status == 204:  # it must not say how long nothing is (RFC 9110, 8.6)
            found = found.without("content-length")
        elif entry.body_size is not None:
            found = found.setting("Content-Length", str(entry.body_size))
        memo[name] = found
    return found


def _part(
    fields: Fields, entry: Entry, size: int, now: float
) -> tuple[int, int] | tuple[()] | None:
    """The range to send, ``()`` if it lies outside of the content, ``None`` for all of it."""
    value = fields.get("range")
    ranges = None if value is None else parse_range(value)
    if ranges is None or len(ranges) > 1 or not range_applies(fields, entry, now):
        return None
    return ranges[0].within(size) or ()


def _partial(asked: Fields, fields: Fields, part: tuple[int, int] | tuple[()], size: int) -> Answer:
    if not part:
        unsatisfied = ContentRange(None, None, size)
        return Answer(
            416,
            "Range Not Satisfiable",
            Fields([("Content-Range", str(unsatisfied)), ("Content-Length", "0")]),
        )
    start, stop = part
    if "if-range" in asked:
        # The client has the other fields from before (RFC 9110, 15.3.7).
        fields = fields.without(*_KNOWN_TO_THE_CLIENT)
    fields = fields.setting("Content-Range", str(ContentRange(start, stop - 1, size)))
    fields = fields.setting("Content-Length", str(stop - start))
    return Answer(206, "Partial Content", fields, start, stop)
