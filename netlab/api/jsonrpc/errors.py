"""Errors of JSON-RPC: those meant for the peer, and those of a session.

NetlabError
|-- RpcError                          what a peer answered, or is to be answered
|-- LocalProtocolError
|   `-- TooManyCalls                  this side has too many calls under way
`-- RemoteProtocolError
    `-- BadAnswer                     the peer's answer to a call is not one
"""

from __future__ import annotations

from enum import IntEnum
from typing import Any

from netlab.errors import LocalProtocolError, NetlabError, RemoteProtocolError


class Code(IntEnum):
    """Codes of errors: those of JSON-RPC 2.0 (section 5.1), of the LSP, and netlab's.

    Codes from -32768 to -32000 are reserved; an application's own are outside of them.
    """

    PARSE_ERROR = -32700
    INVALID_REQUEST = -32600
    METHOD_NOT_FOUND = -32601
    INVALID_PARAMS = -32602
    INTERNAL_ERROR = -32603
    REQUEST_CANCELLED = -32800
    TOO_MANY_REQUESTS = -32010
    TOO_MANY_SUBSCRIPTIONS = -32011
    SUBSCRIBER_TOO_SLOW = -32012
    DEADLINE_EXCEEDED = -32013
    SERVER_STOPPING = -32014
    ANSWER_TOO_LONG = -32015
    NOT_ALLOWED = -32016


TITLES = {
    Code.PARSE_ERROR: "Parse error",
    Code.INVALID_REQUEST: "Invalid Request",
    Code.METHOD_NOT_FOUND: "Method not found",
    Code.INVALID_PARAMS: "Invalid params",
    Code.INTERNAL_ERROR: "Internal error",
    Code.REQUEST_CANCELLED: "Request cancelled",
    Code.TOO_MANY_REQUESTS: "Too many requests in flight",
    Code.TOO_MANY_SUBSCRIPTIONS: "Too many subscriptions",
    Code.SUBSCRIBER_TOO_SLOW: "Subscriber too slow",
    Code.DEADLINE_EXCEEDED: "Deadline exceeded",
    Code.SERVER_STOPPING: "Server stopping",
    Code.ANSWER_TOO_LONG: "Answer too long",
    Code.NOT_ALLOWED: "Not allowed",
}
"""What each code is called: the words that the JSON-RPC specification uses for its own."""


class RpcError(NetlabError):
    """An error meant for the peer, or one that the peer answered.

    code     an integer; see ``Code``. An application's own are any but -32768 to -32000
    message  one short sentence
    data     more, of any kind that can be encoded; ``None`` is nothing more

    Raise it in a method, and the peer gets exactly this as the answer.
    """

    kind = "rpc_error"

    def __init__(self, code: int, message: str, data: Any = None) -> None:
        self.code = int(code)
        self.message = message
        self.data = data
        super().__init__(self.code, message, data)

    def __str__(self) -> str:
        detail = f": {self.data}" if isinstance(self.data, str) else ""
        return f"{self.message}{detail} ({self.code})"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, RpcError):
            return NotImplemented
        return self.args == other.args

    __hash__ = None  # type: ignore[assignment]  # data may be a dict


class TooManyCalls(LocalProtocolError):
    """This side has as many calls or subscriptions under way as it allows itself."""

    kind = "too_many_calls"


class BadAnswer(RemoteProtocolError):
    """The peer answered a call with something that is no answer; the connection can go on."""

    kind = "bad_answer"


_BARE = (Code.PARSE_ERROR, Code.INVALID_REQUEST, Code.METHOD_NOT_FOUND)


def error_of(code: Code, detail: str = "", data: Any = None) -> RpcError:
    """An ``RpcError`` with the title of ``code`` and what is to be said besides.

    For the first three codes the message is exactly what the specification's examples
    show, and ``detail`` is the data; for the others ``detail`` follows after a colon.
    """
    title = TITLES[code]
    if code in _BARE:
        return RpcError(code, title, data if data is not None else detail or None)
    return RpcError(code, f"{title}: {detail}" if detail else title, data)


def internal_error(incident: str) -> RpcError:
    """What the peer is told of an error that is not meant for it.

    ``incident`` is the name under which the log has the error.
    """
    return error_of(Code.INTERNAL_ERROR, f"incident {incident}", {"incident": incident})
