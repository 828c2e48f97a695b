"""Requests as a gateway passes them on."""

from __future__ import annotations

from netlab.cache.policy import Request
from netlab.fields import Fields
from netlab.http import Request as HttpRequest

from .telling import FORWARDED_FOR

UNTRUSTED = frozenset(
    {
        *("forwarded", "x-forwarded-host", "x-forwarded-server", "x-forwarded-port"),
        *("x-forwarded-proto", "x-forwarded-protocol", "x-forwarded-scheme", "x-forwarded-ssl"),
        *("x-forwarded-prefix", "x-forwarded-path", "x-url-scheme", "x-scheme", "front-end-https"),
        *("x-host", "x-original-host", "x-http-host-override", "x-forwarded-uri"),
        *("x-original-url", "x-original-uri", "x-rewrite-url"),
        *(FORWARDED_FOR, "x-real-ip", "x-client-ip", "x-cluster-client-ip", "true-client-ip"),
        "proxy",  # which CGI makes HTTP_PROXY of
    }
)
"""Fields with which a proxy tells an origin what was asked for, and by whom, in lower case.

A client's word for it must not count: an origin that believes it answers something
else, or writes links to another host, and that would be stored for all who ask; or it
takes the client for another one. See ``Telling`` for what it is told.
"""
OVERRIDES = frozenset({"x-http-method-override", "x-http-method", "x-method-override"})
"""Fields that make another method of a request; a GET of which would be a GET no more."""

_HOPS = ("TRACE", "OPTIONS")


def asked_for(request: HttpRequest, uri: str) -> Request:
    """What ``request`` asks of ``uri``, without what a client has no say in."""
    fields = request.fields.excluding(UNTRUSTED)
    if request.method in ("GET", "HEAD"):
        fields = fields.excluding(OVERRIDES)
    return Request(request.method, uri, fields, request.body.length != 0)


def max_forwards(request: Request) -> int | None:
    """For how many more hops a TRACE or OPTIONS is meant (RFC 9110, 7.6.2)."""
    if request.method not in _HOPS:
        return None
    value = request.fields.get("max-forwards")
    if value is None or not (value.isdecimal() and value.isascii()):
        return None
    return int(value[:9])


def has_condition(fields: Fields) -> bool:
    """Whether the answer is about more than the resource: for a part of it, or on a condition."""
    return not _CONDITIONS.isdisjoint(fields.names())


_CONDITIONS = frozenset(
    {
        *("if-none-match", "if-modified-since", "if-match", "if-unmodified-since"),
        *("if-range", "range"),
    }
)
