"""Fetching from upstreams: the client side of a gateway, strict and bounded (RFC 9110, 9112)."""

from .errors import FetchError
from .fetched import Fetched
from .fetcher import Fetcher
from .limits import FetchLimits

__all__ = ["FetchError", "FetchLimits", "Fetched", "Fetcher"]
