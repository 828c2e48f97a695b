"""Framings by name, for command lines and configuration files."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from types import MappingProxyType
from typing import cast

from netlab.errors import ConfigurationError
from netlab.framing.base import Framing
from netlab.framing.contentlength import ContentLength
from netlab.framing.lengthprefix import LengthPrefix
from netlab.framing.line import Line
from netlab.framing.netstring import Netstring
from netlab.framing.varint import Varint

FRAMINGS: Mapping[str, type[Framing]] = MappingProxyType(
    {
        "length-prefix": LengthPrefix,
        "varint": Varint,
        "netstring": Netstring,
        "content-length": ContentLength,
        "line": Line,
    }
)
"""Every framing of netlab by the name that ``parse_framing`` takes."""

_ESCAPES = {"r": b"\r", "n": b"\n", "t": b"\t", "0": b"\0", "\\": b"\\"}


def parse_framing(text: str, max_message: int | None = None) -> Framing:
    r"""Return the framing that ``text`` names, with its options.

    They are written as in Twisted's endpoint strings, for example
    ``length-prefix:size=2:byteorder=little:adjustment=-2``, ``netstring`` or
    ``line:delimiter=\r\n`` (``\r``, ``\n``, ``\t``, ``\0``, ``\\`` and ``\x3a``
    are understood there). Every framing takes ``max_message`` in bytes, in the
    text or as the argument.

    Raises ``ConfigurationError``, saying what is known, for anything else.
    """
    name, *parts = text.strip().split(":")
    if name not in FRAMINGS:
        raise ConfigurationError(_unknown("framing", name, FRAMINGS))
    known = _OPTIONS[name]
    options: dict[str, object] = {}
    for part in parts:
        key, equals, value = part.partition("=")
        key = key.strip().replace("-", "_")
        if not equals:
            raise ConfigurationError(
                f"{part!r} in {text!r} is not an option: write name=value;"
                f" {name} takes {', '.join(known)}"
            )
        if key not in known:
            raise ConfigurationError(_unknown(f"option of {name}", key, known))
        if key in options:
            raise ConfigurationError(f"{key} is in {text!r} twice: give it once")
        options[key] = known[key](key, value)
    if max_message is not None:
        if "max_message" in options:
            raise ConfigurationError(f"max_message is in {text!r} and given besides: give it once")
        options["max_message"] = max_message
    return cast("Callable[..., Framing]", FRAMINGS[name])(**options)


def _number(key: str, value: str) -> int:
    if not re.fullmatch(r"[+-]?[0-9]{1,20}", value, re.ASCII):
        raise ConfigurationError(f"{key} must be a whole number, not {value!r}")
    return int(value)


def _word(_key: str, value: str) -> str:
    return value


def _bytes(key: str, value: str) -> bytes:
    def unescape(match: re.Match[str]) -> str:
        escape = match[1]
        if escape.startswith("x") and len(escape) == 3:
            return chr(int(escape[1:], 16))
        if escape in _ESCAPES:
            return _ESCAPES[escape].decode("ascii")
        raise ConfigurationError(
            rf"{key}={value} has an unknown escape '\{escape}':"
            r" the known ones are \r, \n, \t, \0, \\ and \xHH"
        )

    try:
        return re.sub(r"\\(x[0-9A-Fa-f]{2}|.?)", unescape, value).encode("latin-1")
    except UnicodeEncodeError:
        raise ConfigurationError(rf"{key} must be bytes: write others than ASCII as \xHH") from None


def _unknown(what: str, name: str, known: Mapping[str, object]) -> str:
    close = get_close_matches(name.lower().replace("_", "-"), known, n=1) or get_close_matches(
        name.lower(), known, n=1
    )
    suggestion = f" (did you mean {close[0]!r}?)" if close else ""
    return f"unknown {what} {name!r}{suggestion}: the known ones are {', '.join(known)}"


_Convert = Callable[[str, str], object]
_MAX_MESSAGE: dict[str, _Convert] = {"max_message": _number}
_OPTIONS: dict[str, dict[str, _Convert]] = {
    "length-prefix": {
        "size": _number,
        "byteorder": _word,
        "adjustment": _number,
        **_MAX_MESSAGE,
    },
    "varint": _MAX_MESSAGE,
    "netstring": _MAX_MESSAGE,
    "content-length": _MAX_MESSAGE,
    "line": {"delimiter": _bytes, **_MAX_MESSAGE},
}
