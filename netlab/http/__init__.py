"""HTTP/1.1: a server for handlers of requests, on netlab's own transport (RFC 9110, 9112)."""

from netlab.fields import Fields

from .access import Access, AccessLog, combined, json_line
from .again import Again
from .body import Body
from .errors import BodyIncomplete, BodyTimeout, BodyTooLong, RequestError
from .limits import HttpLimits
from .message import Content, FileBody, Request, Response, error_response
from .server import DEFAULT_PORT, Answer, Handler, HttpServer, serve
from .stats import HttpStats

__all__ = [
    "DEFAULT_PORT",
    "Access",
    "AccessLog",
    "Again",
    "Answer",
    "Body",
    "BodyIncomplete",
    "BodyTimeout",
    "BodyTooLong",
    "Content",
    "Fields",
    "FileBody",
    "Handler",
    "HttpLimits",
    "HttpServer",
    "HttpStats",
    "Request",
    "RequestError",
    "Response",
    "combined",
    "error_response",
    "json_line",
    "serve",
]
