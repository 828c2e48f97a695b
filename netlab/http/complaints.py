"""What to say about a head that cannot be read: which line, and what is wrong with it.

This only ever explains: that the head is bad was found by others.
"""

from __future__ import annotations

import re

from netlab.framing.diagnose import guess_protocol

from .errors import RequestError

_NAME = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_CONTROL = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
_LINES = re.compile(rb"([^\n]*)\n")


def complaint(head: bytes, reason: str = "it cannot be read") -> RequestError:
    """What is wrong with ``head``; ``reason`` is said when nothing better is known.

    ``head`` may end in the middle of a line, which is not looked at.
    """
    for number, match in enumerate(_LINES.finditer(head), 1):
        line = match[1]
        if not line.endswith(b"\r"):
            return _bad(number, "ends in LF alone; each line of HTTP ends in CR LF")
        text = _line(line[:-1], first=number == 1)
        if text:
            return _bad(number, text)
    return RequestError(400, f"the request is not HTTP: {reason}")


def _bad(number: int, text: str) -> RequestError:
    return RequestError(400, f"line {number} {text}")


def _line(line: bytes, *, first: bool) -> str:
    """What is wrong with one line, or ''."""
    if _CONTROL.search(line):
        return "has a control character in it"
    if first or not line:
        return ""
    name, colon, _ = line.partition(b":")
    if line[:1] in b" \t":
        return "begins with white space; a value must not go on in a second line (RFC 9112, 5.2)"
    if not colon:
        return "has no colon; a field is NAME: VALUE"
    if name != name.rstrip(b" \t"):
        return "has white space before the colon (RFC 9112, 5.1)"
    if not _NAME.fullmatch(name):
        return "begins with a name that has characters which no name can have"
    return ""


def guess(data: bytes) -> str:
    """What ``data``, the beginning of a connection that is not HTTP, may be; '' or '; ...'."""
    hint = guess_protocol(data)
    return f"; {hint}" if hint and "HTTP request" not in hint else ""
