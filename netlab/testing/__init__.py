"""The test kit, for netlab's own tests and for everybody's.

``pair`` and ``serve`` run a message protocol or an ``Api`` in memory on a fake
clock, with seeded faults. ``check_api`` tries to break an ``Api``, and
``netlab.testing.framing.check_framing`` a framing (both need Hypothesis:
``pip install netlab[test]``).
"""

from typing import TYPE_CHECKING

from .api import ApiPair, pair
from .memory import MemoryServer, Pair, RawPeer, serve
from .network import Faults, MemoryHub, MemorySocket, socket_pair

if TYPE_CHECKING:
    from .api_contract import check_api
else:  # a type checker that saw this would take any name for one of this package's

    def __getattr__(name):
        """``check_api``, which needs Hypothesis as nothing else here does (PEP 562)."""
        if name != "check_api":
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}", name=name)
        from .api_contract import check_api

        return globals().setdefault(name, check_api)


__all__ = [
    "ApiPair",
    "Faults",
    "MemoryHub",
    "MemoryServer",
    "MemorySocket",
    "Pair",
    "RawPeer",
    "check_api",
    "pair",
    "serve",
    "socket_pair",
]
