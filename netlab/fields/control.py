"""Cache-Control and its targeted siblings (RFC 9111, 5.2; RFC 9213).

What holds a cache back is understood even where it is malformed (``no-store=1``
means ``no-store``); what sets it free has to be right: a ``max-age`` that is no
number makes a response stale, as 4.2.1 encourages.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import lru_cache

from msgspec import Struct

from netlab.fields.structured import InnerList, Item, Token, parse_dictionary
from netlab.fields.syntax import INFINITE, is_token, parse_seconds, split_list, unquote

INVALID = -1
"""The seconds of a directive whose argument is no number, or is missing."""


class CacheControl(Struct, frozen=True, kw_only=True):
    """The directives of a request or a response; unknown ones are left out (5.2.3).

    Numbers are seconds, at most ``INFINITE``; ``None`` is "not there" and
    ``INVALID`` "there, but no number". Of a directive that repeats the first
    counts (4.2.1).
    """

    max_age: int | None = None
    s_maxage: int | None = None
    max_stale: int | None = None
    """``INFINITE`` when the request names no number: any age will do (5.2.1.2)."""
    min_fresh: int | None = None
    stale_while_revalidate: int | None = None  # RFC 5861, 3
    stale_if_error: int | None = None  # RFC 5861, 4
    no_cache: bool = False
    """Without field names; with them see ``no_cache_fields`` (5.2.2.4)."""
    no_cache_fields: frozenset[str] = frozenset()
    private: bool = False
    """Without field names; with them see ``private_fields`` (5.2.2.7)."""
    private_fields: frozenset[str] = frozenset()
    no_store: bool = False
    no_transform: bool = False
    only_if_cached: bool = False
    must_revalidate: bool = False
    must_understand: bool = False
    proxy_revalidate: bool = False
    public: bool = False
    immutable: bool = False  # RFC 8246, 2


NONE = CacheControl()
"""No directives."""

_SECONDS = {
    name.replace("_", "-"): name
    for name in (
        *("max_age", "s_maxage", "max_stale", "min_fresh"),
        *("stale_while_revalidate", "stale_if_error"),
    )
}
_FLAGS = {
    name.replace("_", "-"): name
    for name in (
        *("no_store", "no_transform", "only_if_cached", "must_revalidate", "must_understand"),
        *("proxy_revalidate", "public", "immutable"),
    )
}
_NAMED = {"no-cache": "no_cache", "private": "private"}
_REMEMBERED = 200  # characters of a value: longer ones are rare, and their memory has no bound

_MISSING = ""
_WRONG = "\n"  # in no argument


def parse_cache_control(value: str) -> CacheControl:
    """The directives of a ``Cache-Control`` value, its lines joined; never fails."""
    return _remembered(value) if len(value) <= _REMEMBERED else _parse(value)


def _parse(value: str) -> CacheControl:
    return _collect(map(_directive, split_list(value)))


_remembered: Callable[[str], CacheControl] = lru_cache(512)(_parse)


def parse_targeted(value: str) -> CacheControl | None:
    """The directives of a targeted field such as ``CDN-Cache-Control`` (RFC 9213, 2.1).

    It is a Dictionary, parsed strictly. ``None`` when it is empty or malformed:
    then the field is to be ignored.
    """
    members = parse_dictionary(value)
    if not members:
        return None
    return _collect(
        (name, _argument(name, member))
        for name, member in members.items()
        if not (isinstance(member, Item) and member.value is False)
    )


def _directive(text: str) -> tuple[str, str]:
    """The name of a directive in lower case, and its argument: as a token or a quoted string."""
    name, equals, argument = text.partition("=")
    if not equals:
        return name.lower(), _MISSING
    plain = name.rstrip(" \t")
    if plain != name:  # "max-age =1": there, but not well-formed
        return plain.lower(), _WRONG
    if argument.startswith('"'):
        said = unquote(argument)
        return name.lower(), _WRONG if said is None else said or _WRONG
    return name.lower(), argument if is_token(argument) else _WRONG


def _argument(name: str, member: Item | InnerList) -> str:
    """The argument of a directive in a targeted field, of the type that it must have."""
    value = member.value if isinstance(member, Item) else None
    if value is True:
        return _MISSING
    if name in _SECONDS:
        return str(value) if type(value) is int else _WRONG
    return value or _WRONG if isinstance(value, str) and not isinstance(value, Token) else _WRONG


def _collect(directives: Iterable[tuple[str, str]]) -> CacheControl:
    seconds: dict[str, int] = {}
    flags: dict[str, bool] = {}
    names: dict[str, frozenset[str]] = {}
    for name, argument in directives:
        if name in _SECONDS:
            attribute = _SECONDS[name]
            if attribute not in seconds:
                number = parse_seconds(argument)
                if number is None:
                    number = INFINITE if (name, argument) == ("max-stale", _MISSING) else INVALID
                seconds[attribute] = number
        elif name in _FLAGS:
            flags[_FLAGS[name]] = True
        elif name in _NAMED:
            listed = _field_names(argument)
            attribute = _NAMED[name]
            if listed is None:
                flags[attribute] = True
            else:
                attribute = f"{attribute}_fields"
                names[attribute] = names.get(attribute, frozenset()) | listed
    if not (seconds or flags or names):
        return NONE
    return CacheControl(**seconds, **flags, **names)  # type: ignore[arg-type]


def _field_names(argument: str) -> frozenset[str] | None:
    """The field names that ``no-cache`` or ``private`` lists; ``None`` if it means them all."""
    if argument in (_MISSING, _WRONG):
        return None
    listed = split_list(argument)
    if not listed or not all(map(is_token, listed)):
        return None
    return frozenset(map(str.lower, listed))
