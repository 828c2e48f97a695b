"""Protocols declared as classes: an ``Api``, its methods and its subscriptions."""

from .context import Context
from .declare import Api, Method, Subscribable, WhenSlow, describe, method, subscription
from .description import Description, MethodSchemas, Schemas
from .jsonrpc.errors import Code, RpcError
from .signature import Argument, Calling, Passing, Signature
from .wire import Wire, WrongResult

__all__ = [
    "Api",
    "Argument",
    "Calling",
    "Code",
    "Context",
    "Description",
    "Method",
    "MethodSchemas",
    "Passing",
    "RpcError",
    "Schemas",
    "Signature",
    "Subscribable",
    "WhenSlow",
    "Wire",
    "WrongResult",
    "describe",
    "method",
    "subscription",
]
