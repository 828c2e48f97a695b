"""Cache keys and origins: http URIs as text (RFC 9110, 4.2.3 and 4.3.1; RFC 3986)."""

from __future__ import annotations

import re
from functools import lru_cache

_PARTS = re.compile(  # RFC 3986, appendix B
    r"(?:([^:/?#]+):)?(?://([^/?#]*))?([^?#]*)(?:\?([^#]*))?(?:#.*)?", re.DOTALL
)
_PORT = re.compile(r"(.*?)(?::([0-9]*))?", re.DOTALL | re.ASCII)
_DEFAULT_PORTS = {"http": "80", "https": "443"}

Parts = tuple[str | None, str | None, str, str | None]
"""Scheme, authority, path and query; the fragment is no part of what a server sees."""


@lru_cache(1024)
def cache_key(uri: str) -> str:
    """The key under which responses for a URI are stored: the URI, normalized with care.

    Scheme and host are in lower case, a default port and user information are
    left out, an empty path is ``/``, the fragment is gone. Path and query stay
    byte for byte: an origin may tell ``%7E`` from ``~``, and what it tells apart
    must not be mixed.

    >>> cache_key("HTTP://Example.org:80?q#f")
    'http://example.org/?q'
    """
    return _joined(_normal(_split(uri)))


def origin(uri: str) -> tuple[str, str, str]:
    """The scheme, host and port of a URI (RFC 9110, 4.3.1); empty where it has none."""
    scheme, authority, _, _ = _normal(_split(uri))
    host, port = _host_and_port(authority or "")
    return scheme or "", host, port or _DEFAULT_PORTS.get(scheme or "", "")


def resolve(base: str, reference: str) -> str:
    """The absolute URI that a reference means, seen from ``base`` (RFC 3986, 5.2.2)."""
    scheme, authority, path, query = _split(reference)
    if scheme is not None:
        return _joined((scheme, authority, _without_dots(path), query))
    scheme, base_authority, base_path, base_query = _split(base)
    if authority is None:
        authority = base_authority
        if not path:
            path = base_path
            query = base_query if query is None else query
        elif not path.startswith("/"):
            folder = base_path.rpartition("/")[0]
            path = f"{folder}/{path}"
    return _joined((scheme, authority, _without_dots(path), query))


def _split(uri: str) -> Parts:
    match = _PARTS.fullmatch(uri)
    if match is None:  # the pattern takes any text
        return None, None, uri, None
    return match[1], match[2], match[3], match[4]


def _joined(parts: Parts) -> str:
    scheme, authority, path, query = parts
    return "".join(
        [
            "" if scheme is None else f"{scheme}:",
            "" if authority is None else f"//{authority}",
            path,
            "" if query is None else f"?{query}",
        ]
    )


def _normal(parts: Parts) -> Parts:
    scheme, authority, path, query = parts
    scheme = None if scheme is None else scheme.lower()
    if authority is not None:
        host, port = _host_and_port(authority)
        authority = host if port in ("", _DEFAULT_PORTS.get(scheme or "")) else f"{host}:{port}"
        path = path or "/"
    return scheme, authority, path, query


def _host_and_port(authority: str) -> tuple[str, str]:
    """The host in lower case and the port without leading zeros, from an authority."""
    host = authority.rpartition("@")[2].lower()
    match = _PORT.fullmatch(host)
    if match is None or match[2] is None:
        return host, ""
    return match[1], match[2] and (match[2].lstrip("0") or "0")


def _without_dots(path: str) -> str:
    """A path without its ``.`` and ``..`` segments (RFC 3986, 5.2.4)."""
    if "." not in path:
        return path
    kept: list[str] = []
    segments = path.split("/")
    last = len(segments) - 1
    for at, segment in enumerate(segments):
        if segment in (".", ".."):
            if segment == ".." and len(kept) > 1:
                kept.pop()
            if at == last:
                kept.append("")
        else:
            kept.append(segment)
    return "/".join(kept)
