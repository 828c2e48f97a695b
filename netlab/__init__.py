"""netlab: write what your protocol means; framing, limits, TLS and deployment are done.

``MessageProtocol`` is where to begin, ``docs/`` where to go on.

The names below are loaded when they are first used: a script that imports only
``netlab.blocking`` does not wait for Twisted.
"""

from typing import TYPE_CHECKING

__all__ = [
    "Backoff",
    "ConfigurationError",
    "ConnectFailed",
    "ConnectionAborted",
    "ConnectionClosed",
    "ConnectionReset",
    "ContentLength",
    "CorruptedFrame",
    "DatagramApp",
    "DatagramClient",
    "DatagramLimits",
    "DatagramServer",
    "DatagramStats",
    "DeadlineExceeded",
    "FrameTooLong",
    "Framing",
    "LengthPrefix",
    "Limits",
    "Line",
    "ListenFailed",
    "LocalProtocolError",
    "MessageClient",
    "MessageFactory",
    "MessageProtocol",
    "MessageServer",
    "NetlabError",
    "Netstring",
    "NoReply",
    "ProtocolError",
    "RemoteProtocolError",
    "Stats",
    "TruncatedFrame",
    "Unreachable",
    "Varint",
    "connect",
    "serve",
]

if TYPE_CHECKING:
    from netlab.datagram import (
        DatagramApp,
        DatagramClient,
        DatagramLimits,
        DatagramServer,
        DatagramStats,
    )
    from netlab.errors import (
        ConfigurationError,
        ConnectFailed,
        ConnectionAborted,
        ConnectionClosed,
        ConnectionReset,
        CorruptedFrame,
        DeadlineExceeded,
        FrameTooLong,
        ListenFailed,
        LocalProtocolError,
        NetlabError,
        NoReply,
        ProtocolError,
        RemoteProtocolError,
        TruncatedFrame,
        Unreachable,
    )
    from netlab.framing import ContentLength, Framing, LengthPrefix, Line, Netstring, Varint
    from netlab.message import (
        Backoff,
        MessageClient,
        MessageFactory,
        MessageProtocol,
        MessageServer,
        connect,
        serve,
    )
    from netlab.transport import Limits, Stats
else:  # a type checker that saw this would take any name for one of netlab's
    # From the ground floor up: each imports only those before it.
    _FLOORS = (
        *("netlab.errors", "netlab.framing", "netlab.transport"),
        *("netlab.message", "netlab.datagram"),
    )

    def __getattr__(name):
        """The public name ``name``, from the module that has it (PEP 562)."""
        import importlib
        import sys

        if name in __all__:
            for floor in _FLOORS:
                module = importlib.import_module(floor)
                if hasattr(module, name):
                    return globals().setdefault(name, getattr(module, name))
        raise AttributeError(
            f"module {__name__!r} has no attribute {name!r}",
            name=name,
            obj=sys.modules[__name__],
        )

    def __dir__():
        """The public names, loaded or not, and what else is here."""
        return sorted({*globals(), *__all__})
