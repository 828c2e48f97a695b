"""Sockets, TLS, timers, limits, back-pressure and draining. Knows no service."""

from .endpoints import has_ipv6, loopback, parse_client_endpoint, parse_server_endpoint
from .hub import Hub, hub_for
from .limits import Limits, default_max_connections
from .log import LEVELS, Log, set_level
from .server import DEFAULT_GRACE, StreamServer
from .stats import Stats
from .stream import NEVER, Receiver, Stream
from .text import address_text

__all__ = [
    "DEFAULT_GRACE",
    "LEVELS",
    "NEVER",
    "Hub",
    "Limits",
    "Log",
    "Receiver",
    "Stats",
    "Stream",
    "StreamServer",
    "address_text",
    "default_max_connections",
    "has_ipv6",
    "hub_for",
    "loopback",
    "parse_client_endpoint",
    "parse_server_endpoint",
    "set_level",
]
