"""What field values are made of: lists, tokens, quoted strings, parameters (RFC 9110, 5.6).

Each reader takes any ``str``, in time that grows with its length, and never
raises: what is malformed gives ``None`` or is read as its docstring says.
"""

from __future__ import annotations

import re

from netlab.errors import LocalProtocolError
from netlab.escaping import escape

INFINITE = 1 << 31
"""The longest time in seconds, 68 years: greater ones are read as this (RFC 9111, 1.2.2)."""
HUGE = 10**18
"""The greatest number of bytes: no content is that long, so greater ones are read as this."""

_OWS = " \t"
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]++")
_QUOTED = re.compile(r'"((?:[\t \x21\x23-\x5b\x5d-\x7e\x80-\xff]++|\\[\t\x20-\x7e\x80-\xff])*+)"')
_PAIR = re.compile(r"\\(.)", re.DOTALL)
_PARAMETER = re.compile(
    r"[ \t]*+;[ \t]*+(?:([!#$%&'*+.^_`|~0-9A-Za-z-]++)=("
    r'"(?:[\t \x21\x23-\x5b\x5d-\x7e\x80-\xff]++|\\[\t\x20-\x7e\x80-\xff])*+"'
    r"|[!#$%&'*+.^_`|~0-9A-Za-z-]++))?+"
)
_QVALUE = re.compile(r"(?:0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?)")


_PIECE = re.compile(r'[^",]*+(?:"(?:[^"\\]|\\.)*+"[^",]*+)*+', re.DOTALL)
"""Text up to a comma that is not within a quoted string, or to a quote that is never closed."""


def is_token(text: str) -> bool:
    """Whether ``text`` is a token (RFC 9110, 5.6.2)."""
    return _TOKEN.fullmatch(text) is not None


def split_list(value: str) -> list[str]:
    """The elements of a list (RFC 9110, 5.6.1.2), without the white space around them.

    Empty elements are left out. A comma within a quoted string does not
    separate; a quote that is never closed is an ordinary character.
    """
    if '"' not in value:
        found = value.split(",")
    else:
        found, at = [], 0
        while at <= len(value):
            match = _PIECE.match(value, at)
            end = match.end() if match else at
            if value.startswith('"', end):
                first, *rest = value[end:].split(",")
                found += [value[at:end] + first, *rest]
                break
            found.append(value[at:end])
            at = end + 1
    return [element for each in found if (element := each.strip(_OWS))]


def unquote(text: str) -> str | None:
    """What a quoted string says (RFC 9110, 5.6.4); ``None`` if ``text`` is none."""
    match = _QUOTED.fullmatch(text)
    if match is None:
        return None
    inner = match[1]
    return _PAIR.sub(r"\1", inner) if "\\" in inner else inner


def quote(text: str) -> str:
    """``text`` as a quoted string.

    Raises ``LocalProtocolError`` for characters that none can hold.
    """
    quoted = '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
    if _QUOTED.fullmatch(quoted) is None:
        raise LocalProtocolError(f"'{escape(text, 60)}' cannot be put in a quoted string")
    return quoted


def parse_parameterized(text: str) -> tuple[str, dict[str, str]] | None:
    """A value and the parameters behind it (RFC 9110, 5.6.6), as in ``text/html; charset=utf-8``.

    The parameters' names are in lower case; of a name that repeats the first
    counts. ``None`` when the parameters are malformed.
    """
    head, semicolon, _ = text.partition(";")
    found: dict[str, str] = {}
    at = len(head)
    while semicolon and at < len(text):
        match = _PARAMETER.match(text, at)
        if match is None:
            if text[at:].strip(_OWS):
                return None
            break
        at = match.end()
        if match[1] is not None:
            said = unquote(match[2]) if match[2].startswith('"') else match[2]
            found.setdefault(match[1].lower(), said or "")
    return head.strip(_OWS), found


def parse_weight(text: str) -> int | None:
    """A quality value in thousandths, 0 to 1000 (RFC 9110, 12.4.2)."""
    return round(float(text) * 1000) if _QVALUE.fullmatch(text) else None


def parse_seconds(text: str) -> int | None:
    """A number of seconds (delta-seconds, RFC 9111, 1.2.2), at most ``INFINITE``."""
    number = parse_number(text)
    return None if number is None else min(number, INFINITE)


def parse_number(text: str) -> int | None:
    """A non-negative number in ASCII digits, at most ``HUGE``; ``None`` if it is anything else."""
    if not (text.isascii() and text.isdigit()):
        return None
    digits = text.lstrip("0")
    return HUGE if len(digits) > len(str(HUGE)) else min(int(digits or "0"), HUGE)


def parse_content_length(value: str) -> int | None:
    """The value of ``Content-Length``; the same number several times is that number (9110, 8.6)."""
    numbers = {parse_number(each.strip(_OWS)) for each in value.split(",")}
    return numbers.pop() if len(numbers) == 1 else None
