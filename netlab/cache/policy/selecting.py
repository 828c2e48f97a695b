"""Which stored response answers a request: Vary (RFC 9111, 4 and 4.1)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache

from netlab.cache.policy.entry import Entry
from netlab.cache.policy.freshness import freshness
from netlab.cache.policy.messages import Options
from netlab.fields import Fields, is_token, parse_parameterized, parse_weight, quote, split_list

_REMEMBERED = 300  # characters of a value: longer ones are rare, and their memory has no bound
_NEGOTIATED = frozenset({"accept", "accept-charset", "accept-encoding", "accept-language"})
_CHOICE = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]++(?:/[!#$%&'*+.^_`|~0-9A-Za-z-]++)?+")
_FIRST = 1000  # the weight of a member without one (RFC 9110, 12.4.2)


def vary_names(fields: Fields) -> tuple[str, ...] | None:
    """The names of the selecting request fields, in lower case and in order.

    ``None`` when ``Vary`` has a ``*`` or what is no name: then nothing is
    known of what selected the response, and it never matches (4.1).
    """
    value = fields.get("vary")
    if value is None:
        return ()
    names = {name.lower() for name in split_list(value)}
    if "*" in names or not all(map(is_token, names)):
        return None
    return tuple(sorted(names))


def selecting(names: Iterable[str], fields: Fields) -> tuple[tuple[str, str | None], ...]:
    """The selecting fields of a request, normalized, for ``Entry.selecting``."""
    return tuple([(name, _value(name, fields)) for name in names])


def matches(entry: Entry, fields: Fields) -> bool:
    """Whether a stored response was selected by what the request's fields say too (4.1)."""
    wanted = entry.selecting
    return not wanted or wanted == selecting([name for name, _ in wanted], fields)


def matching(variants: Iterable[Entry], fields: Fields) -> list[Entry]:
    """Those of the stored responses that could answer a request with these fields."""
    return [entry for entry in variants if matches(entry, fields)]


def choose(matched: Sequence[Entry], options: Options) -> Entry | None:
    """The stored response to use of several that match: the most recent by its Date (4).

    One that varies goes before one that does not: some resources leave out
    ``Vary`` in their default response (4.1).
    """
    if len(matched) < 2:
        return matched[0] if matched else None
    return max(
        matched,
        key=lambda entry: (
            bool(entry.selecting),
            freshness(entry, options).date,
            entry.response_time,
        ),
    )


def _value(name: str, fields: Fields) -> str | None:
    value = fields.get(name)
    if value is None or name not in _NEGOTIATED:
        # Of other fields it is not known what may change without changing the meaning.
        return value
    if len(value) <= _REMEMBERED:
        return _normal_remembered(name, value)
    return _normal(name, value)


def _normal(name: str, value: str) -> str:
    """A field of content negotiation such that equal preferences are equal text (4.1).

    White space, the case of names and the way to write a weight are
    normalized, and members are put in the order of their weights. Members of
    equal weight stay in their order, which some servers of ``Accept`` and
    ``Accept-Language`` take for a preference; with ``Accept-Encoding`` it
    means nothing, so they are sorted. A value that is malformed stays as it is.
    """
    members = []
    for text in split_list(value):
        parsed = parse_parameterized(text)
        if parsed is None or not _CHOICE.fullmatch(parsed[0]):
            return value
        choice, parameters = parsed
        weight = parse_weight(parameters.pop("q", "1"))
        if weight is None:
            return value
        rest = [
            f";{key}={said if is_token(said) else quote(said)}" for key, said in parameters.items()
        ]
        members.append((_FIRST - weight, choice.lower() + "".join(rest)))
    members.sort(key=None if name == "accept-encoding" else lambda member: member[0])
    return ",".join([f"{choice};q={_FIRST - rank}" if rank else choice for rank, choice in members])


_normal_remembered = lru_cache(512)(_normal)
