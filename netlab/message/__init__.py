"""Messages on TCP: servers, clients, and the protocols that authors write."""

from .application import load_application
from .client import Backoff, MessageClient, connect
from .connection import MessageConnection
from .protocol import Echo, MessageFactory, MessageProtocol, Reply
from .server import DEFAULT_PORT, Application, MessageServer, factory_for, serve

__all__ = [
    "DEFAULT_PORT",
    "Application",
    "Backoff",
    "Echo",
    "MessageClient",
    "MessageConnection",
    "MessageFactory",
    "MessageProtocol",
    "MessageServer",
    "Reply",
    "connect",
    "factory_for",
    "load_application",
    "serve",
]
