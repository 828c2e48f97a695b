"""A shared cache as a gateway: policy, store, fetching and server joined (RFC 9111)."""

from .gateway import Gateway
from .purging import Purging
from .reverse import ReverseProxy, parse_origin
from .serving import Reply
from .telling import Telling
from .upstream import Fetch

__all__ = ["Fetch", "Gateway", "Purging", "Reply", "ReverseProxy", "Telling", "parse_origin"]
