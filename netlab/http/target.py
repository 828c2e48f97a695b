"""What a request is for: request targets (RFC 9112, 3.2) and authorities (RFC 3986, 3.2)."""

from __future__ import annotations

import re

from .errors import RequestError

_NAME = r"(?:[A-Za-z0-9._~!$&'()*+,;=-]|%[0-9A-Fa-f]{2}){1,255}"
_PORT = (
    r"(?::(?:[0-9]{1,4}|[0-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])?)?"
)
AUTHORITY = re.compile(rf"(?:{_NAME}|\[[0-9A-Fa-f:.]{{2,45}}\]){_PORT}")
"""A host, which may be an IPv6 address in brackets, and perhaps a port (RFC 9110, 7.2)."""

_PRINTABLE = re.compile(rb"[!\"$-~]+")
"""Octets of a target. RFC 3986 has fewer, but browsers send these; '#' ends a URI."""

_ABSOLUTE = re.compile(rb"([A-Za-z][A-Za-z0-9+.-]*):(//([^/?]*))?")
_WEB = (b"http", b"https")


def check_target(method: str, target: bytes) -> None:
    """Raises ``RequestError`` for a target that is in none of the forms of RFC 9112, 3.2.

    CONNECT, the only method with the authority form, is not spoken of here.
    """
    if not target:
        raise RequestError(400, "there is more than one space on either side of the target")
    if not _PRINTABLE.fullmatch(target):
        raise RequestError(
            400, "the target has characters that it cannot have: percent-encode them"
        )
    if target.startswith(b"/"):
        return
    if target == b"*":
        if method != "OPTIONS":
            raise RequestError(400, "only OPTIONS has the target *")
        return
    match = _ABSOLUTE.match(target)
    if match is None:
        raise RequestError(400, "the target is neither a path from / on nor a whole URI")
    scheme, _, authority = match.groups()
    if scheme.lower() in _WEB and not AUTHORITY.fullmatch((authority or b"").decode("ascii")):
        raise RequestError(400, "the target's authority is not HOST or HOST:PORT")


def split_target(target: str) -> tuple[str, str, str, str]:
    """Scheme, authority, path and query of a target that was checked; '' for what it lacks.

    >>> split_target("/a?b=c")
    ('', '', '/a', 'b=c')
    >>> split_target("http://example.org")
    ('http', 'example.org', '/', '')
    """
    scheme = authority = ""
    rest = target
    if not target.startswith("/") and target != "*":
        scheme, _, rest = target.partition(":")
        if rest.startswith("//"):
            end = min(
                (at for at in (rest.find("/", 2), rest.find("?", 2)) if at >= 0), default=None
            )
            authority = rest[2:end]
            rest = rest[end:] if end is not None else ""
            if not rest.startswith("/"):  # RFC 9110, 4.2.3
                rest = "/" + rest
    path, _, query = rest.partition("?")
    return scheme.lower(), authority, path, query
