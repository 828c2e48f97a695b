"""Sockets, TLS, timers, limits, back-pressure and draining. Knows no service."""

from .addresses import address_text
from .endpoints import has_ipv6, loopback, parse_client_endpoint, parse_server_endpoint
from .hub import Hub, hub_for
from .impaired import Detours
from .limits import Limits, default_max_connections
from .log import LEVELS, Log, set_level
from .opening import Opening, listen_on
from .receiver import Receiver
from .server import DEFAULT_GRACE, StreamServer
from .stats import Stats
from .stream import NEVER, Stream

__all__ = [
    "DEFAULT_GRACE",
    "LEVELS",
    "NEVER",
    "Detours",
    "Hub",
    "Limits",
    "Log",
    "Opening",
    "Receiver",
    "Stats",
    "Stream",
    "StreamServer",
    "address_text",
    "default_max_connections",
    "has_ipv6",
    "hub_for",
    "listen_on",
    "loopback",
    "parse_client_endpoint",
    "parse_server_endpoint",
    "set_level",
]
