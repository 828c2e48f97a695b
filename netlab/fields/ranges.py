"""Byte ranges: Range, Content-Range and If-Range (RFC 9110, 13.1.5 and 14)."""

from __future__ import annotations

import re
from typing import NamedTuple

from netlab.fields.dates import parse_date
from netlab.fields.syntax import parse_number, split_list
from netlab.fields.tags import EntityTag, parse_entity_tag

_RANGE = re.compile(r"([0-9]*+)-([0-9]*+)", re.ASCII)
_CONTENT_RANGE = re.compile(r"bytes (?:([0-9]++)-([0-9]++)|\*)/([0-9]++|\*)", re.IGNORECASE)


class ByteRange(NamedTuple):
    """One range as it was asked for: from ``first`` to ``last``, both of them included.

    Without ``first``, the ``last`` bytes of the whole; without ``last``, all from ``first`` on.
    """

    first: int | None
    last: int | None

    def within(self, length: int) -> tuple[int, int] | None:
        """Where this range begins, and where it ends (exclusive), in content of ``length`` bytes.

        ``None`` if it cannot be satisfied (RFC 9110, 14.1.2).
        """
        if self.first is None:
            wanted = self.last or 0
            return (max(0, length - wanted), length) if wanted and length else None
        if self.first >= length:
            return None
        return self.first, length if self.last is None else min(self.last + 1, length)


def parse_range(value: str) -> tuple[ByteRange, ...] | None:
    """The ranges of bytes that ``Range`` asks for, at least one.

    ``None`` for other units and for what is malformed: both are to be ignored (14.2).
    """
    unit, equals, rest = value.partition("=")
    if not equals or unit.lower() != "bytes":
        return None
    found = []
    for each in split_list(rest):
        match = _RANGE.fullmatch(each)
        if match is None:
            return None
        first, last = parse_number(match[1]), parse_number(match[2])
        if first is None:
            if last is None:
                return None
        elif last is not None and last < first:
            return None
        found.append(ByteRange(first, last))
    return tuple(found) or None


class ContentRange(NamedTuple):
    """Which part of the whole a response holds; as a ``str`` the value of ``Content-Range``.

    ``first`` and ``last`` are included; both are ``None`` when no range could be
    satisfied (416). ``length`` is that of the whole, ``None`` if unknown.
    """

    first: int | None
    last: int | None
    length: int | None

    def __str__(self) -> str:
        part = "*" if self.first is None else f"{self.first}-{self.last}"
        return f"bytes {part}/{'*' if self.length is None else self.length}"


def parse_content_range(value: str) -> ContentRange | None:
    """The value of ``Content-Range``; ``None`` for other units and what is invalid (14.4)."""
    match = _CONTENT_RANGE.fullmatch(value)
    if match is None:
        return None
    length = parse_number(match[3])
    if match[1] is None:
        return None if length is None else ContentRange(None, None, length)
    first, last = parse_number(match[1]), parse_number(match[2])
    if first is None or last is None or last < first or (length is not None and length <= last):
        return None
    return ContentRange(first, last, length)


def parse_if_range(value: str, now: float) -> EntityTag | int | None:
    """The validator of ``If-Range``: an entity tag, or a date in seconds since the epoch.

    ``now`` is the present, see ``parse_date``.
    """
    if '"' in value[:3]:
        return parse_entity_tag(value)
    return parse_date(value, now)
