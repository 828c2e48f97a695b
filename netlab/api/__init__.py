"""Protocols declared as classes: an ``Api``, its methods and its subscriptions.

What declares an api needs no Twisted. The names of servers and clients (``serve``,
``connect``, ...) are loaded when they are first used.
"""

from typing import TYPE_CHECKING

from .context import Context
from .declare import Api, Method, Subscribable, WhenSlow, describe, method, subscription
from .description import Description, MethodSchemas, Schemas
from .jsonrpc.errors import BadAnswer, Code, RpcError
from .jsonrpc.limits import SessionLimits
from .signature import Argument, Calling, Passing, Signature
from .wire import Wire, WrongResult

if TYPE_CHECKING:
    from .calling import Caller, Options, client_of, with_options
    from .client import ApiClient, connect
    from .identity import Identity
    from .interceptors import Call, Interceptor, Next, Timing, Timings, allow, log_calls
    from .items import Items
    from .pumping import Feed
    from .server import ApiFactory, serve
else:  # a type checker that saw this would take any name for one of this package's
    _LATER = {
        **dict.fromkeys(("Caller", "Options", "client_of", "with_options"), "calling"),
        **dict.fromkeys(("ApiClient", "connect"), "client"),
        **dict.fromkeys(("Identity",), "identity"),
        **dict.fromkeys(
            ("Call", "Interceptor", "Next", "Timing", "Timings", "allow", "log_calls"),
            "interceptors",
        ),
        **dict.fromkeys(("Items",), "items"),
        **dict.fromkeys(("Feed",), "pumping"),
        **dict.fromkeys(("ApiFactory", "serve"), "server"),
    }

    def __getattr__(name):
        """The public name ``name``, from the module that has it (PEP 562)."""
        import importlib

        module = _LATER.get(name)
        if module is None:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}", name=name)
        value = getattr(importlib.import_module(f"{__name__}.{module}"), name)
        return globals().setdefault(name, value)


__all__ = [
    "Api",
    "ApiClient",
    "ApiFactory",
    "Argument",
    "BadAnswer",
    "Call",
    "Caller",
    "Calling",
    "Code",
    "Context",
    "Description",
    "Feed",
    "Identity",
    "Interceptor",
    "Items",
    "Method",
    "MethodSchemas",
    "Next",
    "Options",
    "Passing",
    "RpcError",
    "Schemas",
    "SessionLimits",
    "Signature",
    "Subscribable",
    "Timing",
    "Timings",
    "WhenSlow",
    "Wire",
    "WrongResult",
    "allow",
    "client_of",
    "connect",
    "describe",
    "log_calls",
    "method",
    "serve",
    "subscription",
    "with_options",
]
