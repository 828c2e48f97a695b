"""JSON-RPC 2.0 with cancellation, progress and subscriptions, sans-I/O.

A ``Session`` is one side of one connection. Give it what comes, send what it has
to say, and it tells what happened:

>>> from netlab.api.jsonrpc import Session
>>> client, server = Session(), Session()
>>> client.call("add", [1, 2])
1
>>> (message,) = client.take()
>>> message
b'{"jsonrpc":"2.0","id":1,"method":"add","params":[1,2]}'
>>> (request,) = server.receive(message)
>>> server.reply(request, 3)
>>> (answer,) = server.take()
>>> (response,) = client.receive(answer)
>>> response.result
b'3'

The wire
========

For those who write the other end, in whatever language. ``-->`` goes to a netlab
server, ``<--`` comes from it; both ends may do all of it, either way.

**Messages.** One frame of the connection's framing carries one message: one JSON
text (RFC 8259) in UTF-8, an object or an array of objects. With the codec
``msgpack`` it is the same in MessagePack, with text as keys.

**Calls** are those of https://www.jsonrpc.org/specification, unchanged::

    --> {"jsonrpc":"2.0","id":1,"method":"add","params":[1,2]}
    --> {"jsonrpc":"2.0","id":2,"method":"add","params":{"a":1,"b":"x"}}
    <-- {"jsonrpc":"2.0","id":1,"result":3}
    <-- {"jsonrpc":"2.0","id":2,"error":{"code":-32602,"message":"Invalid params: b: ...",
         "data":{"argument":"b","path":"$.b","reason":"...","usage":"add(a: int, b: int)"}}}

- Answers come as they are ready, not in the order of the requests: go by the id.
- An id is a string, a number or null, and comes back exactly as it was written. Two
  requests in flight with the same id: the second is answered with -32600. (Requests
  with null as id can be several; they cannot be cancelled.) At most 1000 bytes.
- ``"params":null`` is taken as no params.
- Without an id it is a notification: there is no answer, not even an error.
- An array of messages is a batch: the answers come as one array when all are there. An
  empty one, or one of more than 100, is answered with one error.
- A member that is there twice, invalid UTF-8, numbers that JSON does not know (NaN),
  and nesting deeper than 64 are answered with an error; the connection lives on. (Of a
  member that is there twice in MessagePack, the last value counts.)
- No more than 256 requests may be in flight; the next is answered with -32010.

**Errors** have the codes of the specification and of the Language Server Protocol, and
these (``data`` may say more):

    -32700  Parse error                 -32010  Too many requests in flight
    -32600  Invalid Request             -32011  Too many subscriptions
    -32601  Method not found            -32012  Subscriber too slow
    -32602  Invalid params              -32013  Deadline exceeded
    -32603  Internal error; data.incident names the entry in the server's log
    -32800  Request cancelled           -32014  Server stopping
    -32016  Not allowed                 -32015  Answer too long

**Cancellation**, as in the Language Server Protocol: the request is answered all the
same, with -32800 or with the result if that was quicker. Unknown ids are ignored::

    --> {"jsonrpc":"2.0","method":"$/cancelRequest","params":{"id":1}}

**Progress**, likewise: a request whose params are an object may hold a token of its
own choice, an integer or text of at most 1000 characters, as ``workDoneToken``; until its
answer comes there may be::

    --> {"jsonrpc":"2.0","id":7,"method":"index","params":{"workDoneToken":7}}
    <-- {"jsonrpc":"2.0","method":"$/progress","params":{"token":7,"value":{"done":10}}}

**Subscriptions.** A subscription is a request whose result is an integer, the number
of the subscription on this connection. Items follow, then an end::

    --> {"jsonrpc":"2.0","id":3,"method":"countdown","params":[2]}
    <-- {"jsonrpc":"2.0","id":3,"result":1}
    <-- {"jsonrpc":"2.0","method":"$/item","params":{"subscription":1,"value":2}}
    <-- {"jsonrpc":"2.0","method":"$/item","params":{"subscription":1,"value":1}}
    <-- {"jsonrpc":"2.0","method":"$/end","params":{"subscription":1}}

- ``$/end`` comes exactly once for each subscription, and last; with an ``error`` (an
  error object) if that is why.
- A request that is answered with an error is no subscription: no ``$/end`` follows.
- ``"dropped":5`` in an item says that 5 items before it were left out, as this side was
  slow.
- To end it, send ``$/unsubscribe``; ``$/end`` confirms it. Items that were on their way
  may come before that. Unknown numbers are ignored, as the two may cross::

    --> {"jsonrpc":"2.0","method":"$/unsubscribe","params":{"subscription":1}}

- A subscription cannot be in a batch (-32600). At most 256 are open at a time (-32011).

**Flow control** is for those who want it. Who says nothing of credit gets items as
fast as TCP takes them: who does not read holds the publisher back. But then all of
the connection waits. With credit a slow subscription waits alone. Before the request,
say how many items each subscription from now on may send (null: any number, as in the
beginning)::

    --> {"jsonrpc":"2.0","method":"$/credit","params":{"items":16}}
    --> {"jsonrpc":"2.0","id":4,"method":"countdown","params":[100]}
    <-- {"jsonrpc":"2.0","id":4,"result":2}

Each ``$/item`` takes one. When some were used, grant more; it is added to what is left
(2147483647 at the most)::

    --> {"jsonrpc":"2.0","method":"$/credit","params":{"subscription":2,"items":8}}

With none left, the publisher waits, leaves items out, or ends with -32012, as the
method's author chose.

**Names** that begin with ``$/`` belong to the protocol: of those not known here,
notifications are ignored and requests are answered with -32601. Names that begin with
``rpc.`` belong to JSON-RPC; ``rpc.discover`` answers with the api's OpenRPC document.
"""

from .codecs import CODECS, JSON, MSGPACK, Codec, Id, codec_named
from .errors import TITLES, BadAnswer, Code, RpcError, TooManyCalls, error_of, internal_error
from .events import (
    Cancelled,
    Complaint,
    CreditCame,
    Event,
    Fault,
    ItemCame,
    NotificationCame,
    Progress,
    RequestCame,
    ResponseCame,
    SubscriptionEnded,
    SubscriptionOpened,
    Unsubscribed,
)
from .limits import MAX_CREDIT, SessionLimits
from .session import TOKEN, Params, Session
from .subscriptions import Publication, Stage, Subscription

__all__ = [
    "CODECS",
    "JSON",
    "MAX_CREDIT",
    "MSGPACK",
    "TITLES",
    "TOKEN",
    "BadAnswer",
    "Cancelled",
    "Code",
    "Codec",
    "Complaint",
    "CreditCame",
    "Event",
    "Fault",
    "Id",
    "ItemCame",
    "NotificationCame",
    "Params",
    "Progress",
    "Publication",
    "RequestCame",
    "ResponseCame",
    "RpcError",
    "Session",
    "SessionLimits",
    "Stage",
    "Subscription",
    "SubscriptionEnded",
    "SubscriptionOpened",
    "TooManyCalls",
    "Unsubscribed",
    "codec_named",
    "error_of",
    "internal_error",
]
