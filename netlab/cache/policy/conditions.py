"""Conditional requests: ours for validation, and the clients' (RFC 9111, 4.3; RFC 9110, 13)."""

from __future__ import annotations

from netlab.cache.policy.entry import Entry
from netlab.cache.policy.freshness import date_of, last_modified
from netlab.fields import (
    EntityTag,
    Fields,
    parse_date,
    parse_entity_tag,
    parse_entity_tags,
    parse_if_range,
    strongly_equal,
    weakly_equal,
)

_FOR_A_CACHE = ("if-none-match", "if-modified-since", "if-range", "range")
_STRONG_AFTER = 1  # second between Last-Modified and Date (RFC 9110, 8.8.2.2)


def for_the_origin(fields: Fields) -> bool:
    """Whether a request has a precondition that only the origin can evaluate (4.3.2)."""
    return "if-match" in fields or "if-unmodified-since" in fields


def entity_tag(fields: Fields) -> EntityTag | None:
    """The entity tag of a response; ``None`` if there is none, or it is malformed."""
    value = fields.get("etag")
    return None if value is None else parse_entity_tag(value)


def can_be_validated(entry: Entry) -> bool:
    """Whether a conditional request can ask if the entry is still right (4.3.1).

    Preconditions are ignored where the answer would not be successful (RFC
    9110, 13.2.1), so other status codes are asked for anew.
    """
    return 200 <= entry.status <= 299 and (
        entity_tag(entry.fields) is not None
        or last_modified(entry.fields, entry.response_time) is not None
    )


def filling_fields(fields: Fields) -> Fields:
    """A request's fields, for the whole of a current representation.

    Without the range and the preconditions that this cache evaluates itself
    when it has the answer (4.3.2): so that the answer can be stored, and serve
    others as well.
    """
    return fields.without(*_FOR_A_CACHE)


def validating_fields(fields: Fields, entry: Entry) -> Fields | None:
    """A request's fields, to ask whether ``entry`` is still right (4.3.1).

    Its entity tag is sent, and its Last-Modified, in place of the client's own
    preconditions. ``None`` if it cannot be validated.
    """
    if not can_be_validated(entry):
        return None
    asking = filling_fields(fields)
    if entity_tag(entry.fields) is not None:
        asking = asking.adding(("If-None-Match", entry.fields.get("etag") or ""))
    if last_modified(entry.fields, entry.response_time) is not None:
        asking = asking.adding(("If-Modified-Since", entry.fields.get("last-modified") or ""))
    return asking


def client_has_it(fields: Fields, entry: Entry, now: float) -> bool:
    """Whether the client's preconditions say that it has this response: 304 (RFC 9110, 13.2.2).

    ``If-None-Match`` goes before ``If-Modified-Since``. Without Last-Modified
    the Date counts (RFC 9111, 4.3.2). Both are ignored where the stored
    response is not successful (RFC 9110, 13.2.1).
    """
    if not 200 <= entry.status <= 299:
        return False
    wanted = fields.get("if-none-match")
    if wanted is not None:
        if wanted == "*":
            return True
        tag = entity_tag(entry.fields)
        return any(weakly_equal(tag, each) for each in parse_entity_tags(wanted))
    value = fields.get("if-modified-since")
    since = None if value is None else parse_date(value, now)
    if since is None:
        return False
    modified = last_modified(entry.fields, entry.response_time)
    return (date_of(entry.fields, entry.response_time) if modified is None else modified) <= since


def range_applies(fields: Fields, entry: Entry, now: float) -> bool:
    """Whether ``If-Range`` lets ``Range`` count (RFC 9110, 13.1.5), or there is none."""
    value = fields.get("if-range")
    if value is None:
        return True
    validator = parse_if_range(value, now)
    if isinstance(validator, EntityTag):
        return strongly_equal(validator, entity_tag(entry.fields))
    return (
        validator is not None
        and validator == last_modified(entry.fields, entry.response_time)
        and modified_strongly(entry)
    )


def modified_strongly(entry: Entry) -> bool:
    """Whether an entry's Last-Modified is a strong validator (RFC 9110, 8.8.2.2)."""
    modified = last_modified(entry.fields, entry.response_time)
    return (
        modified is not None
        and date_of(entry.fields, entry.response_time) >= modified + _STRONG_AFTER
    )
