"""What ``twistd netlab`` can serve: a module each, with its options and what is made of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from netlab.options import CommonOptions
from netlab.services.cache import CacheOptions, cache_service
from netlab.services.echo import EchoOptions, echo_service
from netlab.services.message import MessageOptions, message_service
from netlab.services.rfc import RfcOptions, rfc_service
from netlab.transport.service import ServerService

SERVICES: dict[str, tuple[type[CommonOptions], Callable[[Any], ServerService]]] = {
    "message": (MessageOptions, message_service),
    "echo": (EchoOptions, echo_service),
    "rfc": (RfcOptions, rfc_service),
    "cache": (CacheOptions, cache_service),
}
"""The options of each service, and the function that makes it of them."""

ALL = ("message", "echo", "rfc")
"""What is served when no service is named: what needs nothing to be said about it."""
