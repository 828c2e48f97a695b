"""Pages and errors as responses: in HTML for browsers, in a line of text for others."""

from __future__ import annotations

from hashlib import blake2b

from netlab.http import Request, Response
from netlab.rfc.pages import CONTENT_SECURITY_POLICY, error_page

from .negotiation import WORTH_IT, compress, packed, takes_gzip, takes_html

NOSNIFF = ("X-Content-Type-Options", "nosniff")
_HEAD = (
    ("Content-Type", "text/html; charset=utf-8"),
    ("Content-Security-Policy", CONTENT_SECURITY_POLICY),
    NOSNIFF,
    ("Referrer-Policy", "no-referrer"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Vary", "Accept, Accept-Encoding"),
)
_PLAIN = (
    ("Content-Type", "text/plain; charset=utf-8"),
    NOSNIFF,
    ("Vary", "Accept, Accept-Encoding"),
)
_NOT_KEPT = ("Cache-Control", "no-store")
_CHECKED = ("Cache-Control", "no-cache")


def page(request: Request, content: str, *more: tuple[str, str], status: int = 200) -> Response:
    """A page made for this request alone."""
    body = encoded(content)
    response = Response(status, [*_HEAD, _NOT_KEPT, *more], body)
    if takes_gzip(request.fields) and len(body) >= WORTH_IT:
        return packed(response, compress(body))
    return response


def encoded(content: str) -> bytes:
    """A page as it is sent; a lone surrogate, from a broken document, has no form in UTF-8."""
    return content.encode("utf-8", "replace")


def lasting_page(request: Request, body: bytes, compressed: bytes, tag: str) -> Response:
    """A page that is the same for all; what is there by this ``tag`` is not sent again."""
    fields = [*_HEAD, _CHECKED]
    if takes_gzip(request.fields):
        tag = f'{tag[:-1]}-gzip"'
        fields.append(("Content-Encoding", "gzip"))
        body = compressed
    fields.append(("ETag", tag))
    known = request.fields.get("if-none-match") or ""
    if tag in known.replace("W/", "").replace(" ", "").split(","):
        return Response(304, fields)
    return Response(200, fields, body)


def tag_of(body: bytes) -> str:
    """The entity tag of a page."""
    return f'"{blake2b(body, digest_size=12).hexdigest()}"'


def error(request: Request, status: int, title: str, why: str, *more: tuple[str, str]) -> Response:
    """What is wrong: ``why`` is a sentence without its full stop."""
    why = why[:1].upper() + why[1:]
    if takes_html(request.fields):
        return page(request, error_page(status, title, f"{why}."), *more, status=status)
    text = f"{status} {title}: {why}.\n".encode("utf-8", "replace")
    return Response(status, [*_PLAIN, _NOT_KEPT, *more], text)
