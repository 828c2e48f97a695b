"""Datagrams on UDP: an application, the server that keeps it safe, clients, and ``ping``.

The names below are loaded when they are first used: ``netlab ping`` and
``netlab.blocking`` need no Twisted.
"""

from typing import TYPE_CHECKING

__all__ = [
    "DEFAULT_PORT",
    "DatagramApp",
    "DatagramClient",
    "DatagramLimits",
    "DatagramServer",
    "DatagramStats",
    "Echo",
    "Peer",
    "load_application",
    "loopback",
    "serve",
]

if TYPE_CHECKING:
    from netlab.datagram.app import DatagramApp, Echo, Peer
    from netlab.datagram.application import load_application
    from netlab.datagram.client import DatagramClient
    from netlab.datagram.limits import DatagramLimits
    from netlab.datagram.listening import DEFAULT_PORT, loopback
    from netlab.datagram.server import DatagramServer, serve
    from netlab.datagram.stats import DatagramStats
else:  # a type checker that saw this would take any name for one of these
    _HOMES = {
        "DEFAULT_PORT": "listening",
        "DatagramApp": "app",
        "DatagramClient": "client",
        "DatagramLimits": "limits",
        "DatagramServer": "server",
        "DatagramStats": "stats",
        "Echo": "app",
        "Peer": "app",
        "load_application": "application",
        "loopback": "listening",
        "serve": "server",
    }

    def __getattr__(name):
        """The public name ``name``, from the module that has it (PEP 562)."""
        import importlib

        if name in _HOMES:
            module = importlib.import_module(f"{__name__}.{_HOMES[name]}")
            return globals().setdefault(name, getattr(module, name))
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
