"""Entity tags (RFC 9110, 8.8.3)."""

from __future__ import annotations

import re
from typing import NamedTuple

_TAG = re.compile(r'(W/)?("[\x21\x23-\x7e\x80-\xff]*+")')
_MEMBER = re.compile(r'[ \t]*+(?:((?:W/)?"[\x21\x23-\x7e\x80-\xff]*+")[ \t]*+)?+(?:,|\Z)')


class EntityTag(NamedTuple):
    """An entity tag; as a ``str`` it is as on the wire."""

    opaque: str
    """The tag with its quotes."""
    weak: bool = False

    def __str__(self) -> str:
        return f"W/{self.opaque}" if self.weak else self.opaque


def parse_entity_tag(text: str) -> EntityTag | None:
    """The value of ``ETag``; ``None`` if it is none, as one without quotes."""
    match = _TAG.fullmatch(text)
    return None if match is None else EntityTag(match[2], match[1] is not None)


def parse_entity_tags(text: str) -> tuple[EntityTag, ...]:
    """The tags of ``If-Match`` and ``If-None-Match``; none of them if one is malformed.

    ``*`` is not among them: compare the value with it first.
    """
    found = []
    at = 0
    while at < len(text):
        match = _MEMBER.match(text, at)
        if match is None:
            return ()
        at = match.end()
        tag = parse_entity_tag(match[1]) if match[1] else None
        if tag is not None:
            found.append(tag)
    return tuple(found)


def strongly_equal(one: EntityTag | None, other: EntityTag | None) -> bool:
    """The strong comparison (RFC 9110, 8.8.3.2): both strong, and the same. No tag equals none."""
    return one is not None and one == other and not one.weak


def weakly_equal(one: EntityTag | None, other: EntityTag | None) -> bool:
    """The weak comparison (RFC 9110, 8.8.3.2): the same but for weakness. No tag equals none."""
    return one is not None and other is not None and one.opaque == other.opaque
