"""netlab: write what your protocol means; framing, limits, TLS and deployment are done.

``MessageProtocol`` is where to begin, ``docs/`` where to go on.
"""

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
    ProtocolError,
    RemoteProtocolError,
    TruncatedFrame,
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

__all__ = [
    "Backoff",
    "ConfigurationError",
    "ConnectFailed",
    "ConnectionAborted",
    "ConnectionClosed",
    "ConnectionReset",
    "ContentLength",
    "CorruptedFrame",
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
    "ProtocolError",
    "RemoteProtocolError",
    "Stats",
    "TruncatedFrame",
    "Varint",
    "connect",
    "serve",
]
